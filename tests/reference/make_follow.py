#!/usr/bin/env python3
"""Train the reference for the first tasks, from given initial values, and compare a run's checkpoints with it.

Images are taken in file order (no shuffle), test-transformed (no augmentation), dropout 0. Set the same in the
run to be compared: data.shuffle=false data.augment=none, dropout=0 and the same heads' initial weights.

    make_follow.py --output ref.h5 --weights W --data DIR --init RUN/task_00.h5 [options]      train and write
    make_follow.py --output ref.h5 ... --compare RUN                                           train, write, compare
    make_follow.py --output ref.h5 --compare RUN                                               compare an earlier output

--compare prints, per task and module, ||run - reference|| / ||reference - initial|| and exits 1 if any is above
the tolerance or not a number. RUN is a folder of task_KK.h5, or another output of this script.

Adam divides by the size of the gradient, so an entry whose gradient passes through zero turns rounding into a
step of full size: the reference in float32 already differs from itself in float64 by about 1e-3 in a module,
nearly all of it in one to three entries. --leave-out 0.002 leaves out that share of each tensor's entries (rounded
down: none of a small tensor's), those furthest apart.
"""
import argparse
import json
import os
import sys

import h5py
import numpy as np
import torch

import lae_reference as lae


NOT_OF_THE_TRAINING = ("output", "compare", "tolerance", "leave_out", "weights", "data", "init", "head_init", "threads")


def arguments():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--output", required=True, help="HDF5 file to write (or to read, without --weights)")
    a.add_argument("--compare", metavar="RUN", help="folder of task_KK.h5, or another output")
    a.add_argument("--tolerance", type=float, default=1e-3)
    a.add_argument("--leave-out", type=float, default=0.0, metavar="SHARE", help="of each tensor's entries, the furthest")
    a.add_argument("--weights", help="timm-named .safetensors; without it no training is done")
    a.add_argument("--data", help="folder of CIFAR-100's train.bin and test.bin")
    a.add_argument("--init", help="HDF5 file with /init/...; without it, drawn from --seed")
    a.add_argument("--head-init", help="HDF5 file with /head_init/task_KK/weight (and bias), or the "
                   "newest task file of a run without training (its /head); without it, zeros")
    a.add_argument("--draw-heads", action="store_true", help="draw heads not in --head-init: normal, deviation 0.001")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--dtype", choices=("float32", "float64"), default="float64")
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--no-evaluation", action="store_true", help="leave all metrics NaN")

    a.add_argument("--tasks", type=int, default=2, help="stop after so many (0: all)")
    a.add_argument("--class-order", type=int, nargs="+", help="labels in order (default: label order)")
    a.add_argument("--first-classes", type=int, default=0)
    a.add_argument("--classes-per-task", type=int, default=10)
    a.add_argument("--image-size", type=int, default=0, help="default: the weights' own")
    a.add_argument("--mean", type=float, nargs="+", default=[0.0])
    a.add_argument("--std", type=float, nargs="+", default=[1.0])
    a.add_argument("--heads", type=int, default=0, help="attention heads (default: dim / 64)")

    a.add_argument("--blocks", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    for site in ("attn", "mlp"):
        types = ["none"] + [name for name, sites in lae.SITES.items() if site in sites]
        a.add_argument("--" + site, choices=types, default="conv_adapter")
        a.add_argument(f"--{site}-hidden", type=int, default=0, help="default: the type's")
        a.add_argument(f"--{site}-kernel", type=int, default=3)
    a.add_argument("--rank", type=int, default=5)
    a.add_argument("--length", type=int, default=10)

    train, merge = lae.Train(), lae.Merge()
    for name in ("epochs", "freeze_epochs", "batch_size"):
        a.add_argument("--" + name.replace("_", "-"), type=int, default=getattr(train, name))
    for name in ("lr", "weight_decay", "clip_norm"):
        a.add_argument("--" + name.replace("_", "-"), type=float, default=getattr(train, name))
    a.add_argument("--schedule", choices=("constant", "linear", "cosine"), default=train.schedule)
    a.add_argument("--keep-last", action="store_true", help="keep the last short batch (drop_last false)")
    a.add_argument("--merge", choices=("ema", "ties", "mean", "none"), default=merge.method)
    for name in ("decay", "density", "scale"):
        a.add_argument("--" + name, type=float, default=getattr(merge, name))
    a.add_argument("--reduce", choices=("mean", "sum", "max"), default=merge.reduce)
    a.add_argument("--scope", choices=("global", "tensor"), default=merge.scope)
    a.add_argument("--weighting", choices=("equal", "tasks"), default=merge.weighting)
    return a.parse_args()


def merge_options(a):
    return lae.Merge(a["merge"], a["decay"], a["density"], a["scale"], a["reduce"], a["scope"], a["weighting"])


# ---------------------------------------------------------------------------------------------------
# Training
# ---------------------------------------------------------------------------------------------------


class Images:
    """A split's images as inputs, prepared when first asked for."""

    def __init__(self, pictures, size, mean, std, dtype):
        self.pictures, self.how, self.ready = pictures, (size, mean, std, dtype), {}

    def __getitem__(self, positions):
        for i in positions:
            if i not in self.ready:
                self.ready[i] = lae.to_input(self.pictures[i], *self.how)
        return torch.stack([self.ready[i] for i in positions])


def initial_values(a, config, vit):
    generator = torch.Generator().manual_seed(a.seed)
    drawn = lae.initial_pet(config, vit.dim, generator, vit.dtype)
    if a.init:
        with h5py.File(a.init, "r") as file:
            stored = {name: value[()] for name, value in datasets(file["init"]).items()}
        if set(stored) != set(drawn):
            raise SystemExit(f"{a.init}: /init and the configuration disagree on {sorted(set(stored) ^ set(drawn))}")
        for name, value in drawn.items():
            if tuple(stored[name].shape) != tuple(value.shape):
                raise SystemExit(f"{a.init}: {name} is {stored[name].shape}, expected {tuple(value.shape)}")
            value.copy_(torch.from_numpy(np.array(stored[name])))
    return drawn, generator


def initial_head(a, task, count, vit, generator):
    head = dict(weight=torch.zeros(count, vit.dim), bias=torch.zeros(count))
    if a.head_init:
        with h5py.File(a.head_init, "r") as file:
            path = f"{'head_init' if 'head_init' in file else 'head'}/task_{task:02d}"
            for name in head:
                if f"{path}/{name}" in file:
                    head[name] = torch.from_numpy(np.array(file[f"{path}/{name}"])).reshape(head[name].shape)
                elif name == "weight":
                    raise SystemExit(f"{a.head_init}: no /{path}/weight")
    elif a.draw_heads:
        head["weight"] = torch.randn(count, vit.dim, generator=generator) * 0.001
    return {name: value.to(vit.dtype) for name, value in head.items()}


def evaluate(vit, config, ways, heads, test, labels, metrics, task, tasks, size=32):
    """Record the accuracies of online, offline and ensemble after a task."""
    seen = np.flatnonzero((labels >= 0) & (labels < tasks[task].stop))
    scores = {}
    for kind, params in ways.items():
        parts = [lae.probabilities(vit, config, params, heads, test[seen[i:i + size]]) for i in range(0, len(seen), size)]
        scores[kind] = np.concatenate(parts)
    if "offline" in scores:
        scores["ensemble"] = np.maximum(scores["online"], scores["offline"])
    for kind, score in scores.items():
        metrics.record(kind, task, score, labels[seen], tasks)


def write_tensors(file, path, params):
    for name, value in params.items():
        file[f"{path}/{name}"] = value.numpy()


def train(a):
    torch.set_num_threads(a.threads)
    dtype = getattr(torch, a.dtype)
    backbone = {k: v for k, v in lae.read_safetensors(a.weights).items() if not k.startswith("head.")}
    vit = lae.ViT(backbone, a.heads, image_size=a.image_size, dtype=dtype)
    sizes = dict(rank=a.rank, length=a.length)
    config = lae.PetConfig(tuple(a.blocks), lae.Pet(a.attn, a.attn_hidden, a.attn_kernel, **sizes),
                           lae.Pet(a.mlp, a.mlp_hidden, a.mlp_kernel, **sizes))
    options = lae.Train(a.epochs, a.freeze_epochs, a.batch_size, a.lr, a.weight_decay, a.schedule, a.clip_norm,
                        not a.keep_last)
    merge = merge_options(vars(a))

    order = a.class_order or list(range(100))
    tasks = lae.split_tasks(len(order), a.first_classes, a.classes_per_task)
    done = min(a.tasks or len(tasks), len(tasks))
    labels, images = {}, {}
    for split in ("train", "test"):
        pictures, fine = lae.read_cifar100(a.data, split)
        labels[split] = lae.output_indices(fine, order)
        images[split] = Images(pictures, vit.image_size, a.mean, a.std, dtype)

    online, generator = initial_values(a, config, vit)
    init, offline, heads = lae.copy_params(online), None, []
    kinds = ["online"] if merge.method == "none" else ["online", "offline", "ensemble"]
    metrics = lae.Metrics(kinds, len(tasks))
    log = lambda task, epoch, step, loss: print(f"task {task} epoch {epoch} step {step} loss {loss:.6f}", flush=True)

    with h5py.File(a.output, "w") as file:
        file.attrs["arguments"] = json.dumps({k: v for k, v in vars(a).items() if k not in NOT_OF_THE_TRAINING})
        file["class_order"] = np.array(order, np.int32)
        write_tensors(file, "init", init)
        for task in range(done):
            head = initial_head(a, task, len(tasks[task]), vit, generator)
            write_tensors(file, f"head_init/task_{task:02d}", head)
            heads.append(head)
            mine = np.flatnonzero((labels["train"] >= tasks[task].start) & (labels["train"] < tasks[task].stop))
            local = torch.from_numpy(labels["train"][mine] - tasks[task].start)
            lae.train_task(vit, config, options, merge, task, online, offline, head,
                           lambda positions: images["train"][mine[positions]], local, log)
            offline = lae.merge_after_task(merge, task, init, offline, online)
            ways = {"online": online} if offline is None else {"online": online, "offline": offline}
            if not a.no_evaluation:
                evaluate(vit, config, ways, heads, images["test"], labels["test"], metrics, task, tasks)
            at = f"task_{task:02d}"
            file.create_group(at).attrs.update(task=np.int32(task), task_count=np.int32(len(tasks)),
                                               classes_seen=np.int32(tasks[task].stop))
            for kind, params in ways.items():
                write_tensors(file, f"{at}/{kind}", params)
            for k, each in enumerate(heads):
                write_tensors(file, f"{at}/head/task_{k:02d}", each)
            for kind in kinds:
                group = file.create_group(f"{at}/metrics/{kind}")
                for name, value in metrics.of[kind].items():
                    group[name] = value
                for name, value in metrics.summary(kind, task + 1).items():
                    group.attrs[name] = value
                print(f"task {task} {kind}: seen {metrics.of[kind]['seen'][task]:.2f} %", flush=True)


# ---------------------------------------------------------------------------------------------------
# Comparing
# ---------------------------------------------------------------------------------------------------


def datasets(group):
    """All datasets below a group: {path: dataset}."""
    found = {}
    group.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    return found


class Run:
    """Reads /init and tasks from a folder of task_KK.h5 or from an output of this script."""

    def __init__(self, path):
        self.path = path
        self.single = None if os.path.isdir(path) else h5py.File(path, "r")

    def read(self, task, part):
        """{name: float64 array} of one part (online, offline, head, init, metrics) after a task, or None."""
        if self.single:
            where = "init" if part == "init" else f"task_{task:02d}/{part}"
            return self.values(self.single, where)
        name = os.path.join(self.path, f"task_{task:02d}.h5")
        if not os.path.exists(name):
            return None
        with h5py.File(name, "r") as file:
            return self.values(file, part)

    @staticmethod
    def values(file, where):
        if where not in file:
            return None
        return {name: np.asarray(item[()], np.float64) for name, item in datasets(file[where]).items()}


def module_of(name):
    """blocks/I/SITE/TYPE/... -> blocks/I/SITE/TYPE; task_KK/weight -> task_KK."""
    parts = name.split("/")
    return "/".join(parts[:4] if parts[0] == "blocks" else parts[:1])


def norm(values):
    return float(np.sqrt(sum(float(np.sum(v * v)) for v in values)))


def nearest(values, leave_out):
    """The entries of values without the share of them furthest from 0; nothing is left out where one is not a number."""
    values = np.abs(values).reshape(-1)
    kept = values.size - int(leave_out * values.size)
    return np.sort(values)[:kept] if not np.isnan(values).any() else values


def relative(run, reference, start, names, leave_out=0.0):
    """||run - reference|| / ||reference - start|| over the named tensors; not a number if anything is missing."""
    if any(name not in run or run[name].shape != reference[name].shape for name in names):
        return float("nan")
    apart = norm([nearest(run[name] - reference[name], leave_out) for name in names])
    moved = norm([reference[name] - start[name] for name in names])
    return apart / moved if moved > 0 else (0.0 if apart == 0 else float("inf") if apart > 0 else float("nan"))


class Report:
    """Prints values against a tolerance and remembers whether any failed; not-a-number fails."""

    def __init__(self):
        self.failed = 0

    def line(self, what, value, tolerance):
        good = value <= tolerance
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {value:10.3e}  {what}")


def remerged(run, task, a, init):
    """What merging the run's own vectors gives, for the methods that merge once a task; None for the others."""
    online, before = run.read(task, "online"), run.read(task - 1, "offline") if task else None
    if online is None or (task and (before is None or a["merge"] not in ("ties", "mean"))):
        return None
    names = sorted(online)
    as_params = lambda values: {name: torch.from_numpy(values[name]) for name in names}
    merged = lae.merge_after_task(merge_options(a), task, as_params(init), before and as_params(before), as_params(online))
    return {name: value.numpy() for name, value in merged.items()}


def compare(a):
    reference, run, report = Run(a.output), Run(a.compare), Report()
    options = json.loads(reference.single.attrs["arguments"])
    init, theirs = reference.read(0, "init"), run.read(0, "init")
    heads = Run.values(reference.single, "head_init")
    same = theirs is not None and set(theirs) == set(init) and all(
        np.array_equal(theirs[name].astype(np.float32), init[name].astype(np.float32)) for name in init)
    report.line("initial values are the same", 0.0 if same else float("nan"), 0.0)
    tasks = sum(name.startswith("task_") for name in reference.single)
    if not tasks:
        raise SystemExit(f"{a.output}: holds no task")
    for task in range(tasks):
        for part in ("online", "offline", "head"):
            ours, start = reference.read(task, part), heads if part == "head" else init
            if ours is None:
                continue
            values = run.read(task, part) or {}
            if set(values) - set(ours):
                report.line(f"task {task} {part}: unknown tensors {sorted(set(values) - set(ours))}", float("nan"), 0)
            for module in sorted({module_of(name) for name in ours}) + ["(all)"]:
                names = [name for name in ours if module in (module_of(name), "(all)")]
                what = f"task {task} {part} {module}"
                if a.leave_out:
                    what += f"  (with all entries {relative(values, ours, start, names):.3e})"
                report.line(what, relative(values, ours, start, names, a.leave_out), a.tolerance)
        again = remerged(run, task, options, init) if reference.read(task, "offline") else None
        if again and run.read(task, "offline"):
            report.line(f"task {task} offline against merging the run's own vectors",
                        relative(run.read(task, "offline"), again, init, list(again)), 1e-6)
        compare_metrics(reference.read(task, "metrics"), run.read(task, "metrics"), task)
    print(f"{report.failed} above tolerance" if report.failed else f"all within {a.tolerance}")
    return 1 if report.failed else 0


def compare_metrics(ours, theirs, task):
    """Metrics are shown, not judged: one image near a tie moves them by a step."""
    for name in sorted(ours or {}):
        if theirs is None or name not in theirs or theirs[name].shape != ours[name].shape:
            print(f"     task {task} metrics/{name}: missing or of another shape")
            continue
        known = ~np.isnan(ours[name])
        if known.any():
            print(f"     task {task} metrics/{name}: up to {np.max(np.abs(theirs[name] - ours[name])[known]):.3f} points apart")


def main():
    a = arguments()
    if a.weights:
        if not a.data:
            raise SystemExit("--weights needs --data")
        train(a)
    return compare(a) if a.compare else 0


if __name__ == "__main__":
    sys.exit(main())
