#!/usr/bin/env python3
"""The study on one dataset: every module and wiring, merge and head, over seeds and class orders.

    launch/study.py list                                       the trainings, by number
    launch/study.py run --data DIR --weights FILE --out OUT [--cells 1-20,57] [--config FILE] [KEY=VALUE ...]
    launch/study.py table OUT|FILE.jsonl                       means and deviations, as Markdown

A cell is one training; its heads are evaluated side by side, and for some cells `lae_mpi merge` follows,
which joins the same online modules by every merge (--no-merges leaves that for later). Its accuracies and costs
go to OUT/cells/NAME.json, and a cell that has one is not run again: run the same command until it has nothing
left to do. Such files, one after the other, are what `table` takes, too: `cat OUT/cells/*.json >study.jsonl`.
The first cells are five pairs of seed and class order, 45 trainings; the others complete the grid of five seeds
by three orders. launch/study.sbatch runs one cell in each task of a SLURM job array.
"""
import argparse
import json
import math
import os
import pathlib
import shlex
import signal
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
NAMES = {"adapter": "adapter", "conv": "conv_adapter", "lora": "lora", "prefix": "prefix", "none": "none"}
# Beside attention, beside the MLP; accumulated by; whether all other merges are compared.
WIRINGS = [
    ("adapter", "none", "ema", False),  # LAE
    ("adapter", "none", "ties", True),
    ("conv", "conv", "ties", True),
    ("conv", "conv", "ema", False),  # the study's 86.41 %
    ("conv", "none", "ties", False),
    ("conv", "adapter", "ties", False),  # the wiring of the study's published code
    ("adapter", "adapter", "ties", False),
    ("lora", "none", "ties", False),
    ("prefix", "none", "ties", False),
]
MERGE = "ties"  # that most wirings are compared by
ORDERS = 3
SEEDS = 5
HEADS = "linear,ncm,lda,ridge,aligned"
FEATURES = 1000  # of ridge: 4 MB a task file and module
# Two-sided 95 % quantiles of Student's distribution, by degrees of freedom from 1.
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145]


def cells():
    """All trainings, those of five different pairs of seed and order first."""
    pairs = [(seed, 1 + (seed - 1) % ORDERS) for seed in range(1, SEEDS + 1)]
    rest = [(seed, order) for order in range(1, ORDERS + 1) for seed in range(1, SEEDS + 1)]
    pairs += [pair for pair in rest if pair not in pairs]
    found = []
    for block in (pairs[:SEEDS], pairs[SEEDS:]):
        for attn, mlp, merge, compares in WIRINGS:
            for seed, order in block:
                name = f"{attn}-{mlp}-{merge}-order{order}-seed{seed}"
                found.append({"name": name, "attn": attn, "mlp": mlp, "merge": merge, "compares": compares,
                              "seed": seed, "order": order})
    return found


# ---- running ---------------------------------------------------------------------------------------


def settings(cell, arguments):
    return [
        *(["--config", arguments.config] if arguments.config else []),
        f"run.root={arguments.out}/runs", f"run.name={cell['name']}", f"run.seed={cell['seed']}",
        "data.dataset=cifar100", f"data.path={arguments.data}", f"data.class_order=cifar100_order{cell['order']}",
        f"model.weights={arguments.weights}", f"pet.attn.type={NAMES[cell['attn']]}",
        f"pet.mlp.type={NAMES[cell['mlp']]}", f"merge.method={cell['merge']}",
        f"eval.heads={HEADS}", f"heads.features={FEATURES}",
        *arguments.settings,
    ]


def call(command):
    """Runs it, handing on what asks it to stop; the study ends with its exit code unless that is 0."""
    print("+", shlex.join(command), flush=True)
    # Signals are waited for: a handler would be called within itself by requests that come again and again.
    # What comes while no child runs stays pending for the next one. The child listens to all of them, whatever
    # this program was started to ignore: a shell could not listen to what is ignored.
    requests = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, requests | {signal.SIGCHLD})
    for number in requests | {signal.SIGCHLD}:
        signal.signal(number, signal.SIG_DFL)
    child = subprocess.Popen(command, start_new_session=True,
                             preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, ()))
    while child.poll() is None:
        number = signal.sigwait(requests | {signal.SIGCHLD})
        if number in requests:
            child.send_signal(number)
    if child.returncode != 0: # Python ends with its signals blocked: requests are repeated
        sys.exit(child.returncode if child.returncode > 0 else 128 - child.returncode)


def events(run, kind):
    with open(run / "metrics.jsonl") as file:
        for line in file:
            if line.startswith(f'{{"event":"{kind}"'):
                yield json.loads(line)


def merge_label(merge):
    """Its method and those of its options in which the compared merges differ."""
    options = [f"{name}={merge[name]:g}" if isinstance(merge[name], float) else f"{name}={merge[name]}"
               for name in ("vectors", "base", "density", "scale", "decay")
               if name in merge and (name, merge[name]) != ("scale", 1.0)]
    return " ".join([merge["method"], *options])


def depends_on_merge(scorer):
    return scorer == "ensemble" or scorer.endswith("offline")


def row(merge, scorer, scores):
    average = scores.get("average", scores.get("average_incremental"))
    return {"merge": merge, "scorer": scorer, "average": average, "last": scores["last"],
            "forgetting": scores["forgetting"]}


def collect(cell, arguments):
    """What the cell's training and merges left, as one object."""
    run = pathlib.Path(arguments.out, "runs", cell["name"])
    last = list(events(run, "task"))[-1]
    speeds = [each["images_per_s"] for each in events(run, "epoch") if each["images_per_s"]]
    files = sorted(run.glob("task_*.h5"))
    rows = [row(cell["merge"], scorer, scores) for scorer, scores in last.items() if isinstance(scores, dict)]
    merges = pathlib.Path(arguments.out, "merges", cell["name"] + ".json")
    if merges.exists():
        compared = json.loads(merges.read_text())
        own = merge_label(compared["stored"])
        for merge in compared["merges"]:
            if merge_label(merge) == own:
                continue
            rows += [row(merge_label(merge), scorer, scores) for scorer, scores in merge["scores"].items()
                     if depends_on_merge(scorer)]
    return {"cell": cell, "settings": arguments.settings, "rows": rows,
            "cost": {"seconds": last["seconds"], "images_per_s": statistics.median(speeds),
                     "last_file_bytes": files[-1].stat().st_size}}


def run_cell(cell, arguments):
    """Trains and compares what is not yet done: a run that is whole is left as it is."""
    target = pathlib.Path(arguments.out, "cells", cell["name"] + ".json")
    merges = pathlib.Path(arguments.out, "merges", cell["name"] + ".json")
    compares = cell["compares"] and not arguments.no_merges
    if target.exists() and (not compares or is_compared(cell, json.loads(target.read_text()))):
        return
    launcher = shlex.split(arguments.launcher)
    call([*launcher, "train", *settings(cell, arguments)])
    if compares and not merges.exists():
        merges.parent.mkdir(parents=True, exist_ok=True)
        call([*launcher, "merge", f"{arguments.out}/runs/{cell['name']}", "--json", str(merges)])
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    partial.write_text(json.dumps(collect(cell, arguments)) + "\n")
    os.replace(partial, target)


def is_compared(cell, result):
    return any(each["merge"] != cell["merge"] for each in result["rows"])


def refuse(text):
    print(f"launch/study.py: {text}", file=sys.stderr)
    sys.exit(2)


def chosen(text, count):
    """Cells "1-20,57" counted from 1."""
    numbers = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            refuse(f"--cells {text}: give N or FIRST-LAST, or several of them between commas")
        if not 1 <= int(first) <= int(last or first) <= count:
            refuse(f"--cells {text}: there are the cells 1 to {count}")
        numbers += range(int(first) - 1, int(last or first))
    return numbers


def run(arguments):
    for name in ("data", "weights", "out", "config"):
        path = getattr(arguments, name)
        if not path or (name == "config" and "/" not in path and not os.path.exists(path)):
            continue  # the program looks among its own
        path = os.path.abspath(path)
        setattr(arguments, name, path)
        if name != "out" and not os.path.exists(path):
            refuse(f"{path}: there is no such file")
    every = cells()
    for number in chosen(arguments.cells or f"1-{len(every)}", len(every)):
        run_cell(every[number], arguments)


# ---- the tables ------------------------------------------------------------------------------------


class Measured:
    """Values of one thing, {(seed, order): value}."""

    def __init__(self):
        self.values = {}

    def spread(self, pairs=None):
        values = [value for pair, value in self.values.items() if pairs is None or pair in pairs]
        deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
        return f"{statistics.mean(values):.1f}{deviation}"

    def beside(self, base):
        """The difference of what is paired: mean, half of its 95 % interval, and * where that is without 0."""
        common = [self.values[pair] - base.values[pair] for pair in self.values if pair in base.values]
        if len(common) < 2:
            return ""
        mean, n = statistics.mean(common), len(common)
        half = STUDENT[min(n - 1, len(STUDENT)) - 1] * statistics.stdev(common) / math.sqrt(n)
        return f"{mean:+.1f} ± {half:.1f}{' *' if abs(mean) > half else ''}"


def read(place):
    place = pathlib.Path(place)
    if not place.exists():
        refuse(f"{place}: there is no such file")
    files = sorted((place / "cells").glob("*.json")) if place.is_dir() else [place]
    try:
        results = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    except ValueError as error:
        refuse(f"{place}: is not what cells leave: {error}")
    if not results:
        refuse(f"{place}: no cell is done yet")
    order = {cell["name"]: number for number, cell in enumerate(cells())}
    return sorted(results, key=lambda result: order.get(result["cell"]["name"], len(order)))


def measure(results):
    """{(attention, MLP, merge): {scorer: {"average" | "last" | "forgetting": Measured}}}, in the order of cells."""
    found = {}
    for result in results:
        cell = result["cell"]
        pair = (cell["seed"], cell["order"])
        for each in result["rows"]:
            scorers = found.setdefault((cell["attn"], cell["mlp"], each["merge"]), {})
            kinds = scorers.setdefault(each["scorer"], {})
            for kind in ("average", "last", "forgetting"):
                kinds.setdefault(kind, Measured()).values[pair] = each[kind]
    return found


def show(title, head, rows):
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for each in rows:
        print("|", " | ".join(each), "|")


def show_heads(found, wiring):
    ensemble = found[wiring]["ensemble"]["average"]
    rows = [[scorer, str(len(kinds["average"].values)), *(kinds[kind].spread() for kind in kinds),
             kinds["average"].beside(ensemble) if scorer != "ensemble" else ""]
            for scorer, kinds in found[wiring].items()]
    rows.sort(key=lambda row: -float(row[2].split()[0]))
    show(f"Scorers of {', '.join(wiring)}, and their average less the ensemble's:",
         ["scored by", "n", "average", "last", "forgetting", "beside the ensemble"], rows)


def show_averages(found, wirings, scorers, what):
    """Over the pairs of seed and order that all have; over each one's own where all have less than two."""
    every = [set(each["average"].values) for wiring in wirings for each in found[wiring].values()]
    common = set.intersection(*every)
    pairs = common if len(common) > 1 else None
    rows = [[*wiring, *(found[wiring][scorer]["average"].spread(pairs) if scorer in found[wiring] else ""
                        for scorer in scorers)] for wiring in wirings]
    n = f"n = {len(common)}" if pairs else "each over its own pairs of seed and order"
    show(f"{what}, average ({n}):", ["attention", "MLP", "merge", *scorers], rows)


def show_differences(found, wirings, base, scorers):
    """Returns the differences as they are shown."""
    rows = [[*wiring, *(found[wiring][scorer]["average"].beside(found[base][scorer]["average"])
                        if scorer in found[wiring] and scorer in found[base] else "" for scorer in scorers)]
            for wiring in wirings if wiring != base]
    if rows:
        show(f"The same scorer's average less that of {', '.join(base)}:", ["attention", "MLP", "merge", *scorers], rows)
    return [text for row in rows for text in row if "±" in text]


def table(arguments):
    results = read(arguments.out)
    found = measure(results)
    trained = [wiring[:3] for wiring in WIRINGS if wiring[:3] in found]
    for wiring in trained:
        if wiring[:2] == trained[0][:2]:
            show_heads(found, wiring)
    scorers = [scorer for scorer in found[trained[0]] if not scorer.endswith("_init")]
    show_averages(found, trained, scorers, "Modules and wirings, by their own merge")
    differences = show_differences(found, trained, trained[0], scorers)
    by_merge = [wiring for wiring in trained if wiring[2] == MERGE]
    if by_merge and by_merge[0] != trained[0]:
        differences += show_differences(found, by_merge, by_merge[0], scorers)
    scorers = [scorer for scorer in scorers if depends_on_merge(scorer)]
    for wiring in trained:
        merges = [wiring, *(key for key in found if key[:2] == wiring[:2] and key not in trained)]
        if len(merges) > 1 and wiring[2] == MERGE:
            show_averages(found, merges, scorers, "Merges of the same online modules")
            differences += show_differences(found, merges, wiring, scorers)
    stars = sum(text.endswith("*") for text in differences)
    print(f"\n`*`: the 95 % interval of a difference, paired by seed and order, is without 0: {stars} of "
          f"{len(differences)}; where nothing differed, {len(differences) / 20:.0f} would be.")
    costs = {}
    for result in results:
        costs.setdefault((result["cell"]["attn"], result["cell"]["mlp"]), []).append(result["cost"])
    rows = [[*wiring, *(f"{statistics.median(cost[name] for cost in each) / unit:.0f}"
                        for name, unit in (("seconds", 1), ("images_per_s", 1), ("last_file_bytes", 1e3)))]
            for wiring, each in costs.items()]
    show("Costs, medians:", ["attention", "MLP", "training and evaluation, s", "images/s in training",
                             "last task's file, kB"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    running = commands.add_parser("run")
    running.add_argument("--data", required=True, help="CIFAR-100, as data.path")
    running.add_argument("--weights", required=True, help="as model.weights")
    running.add_argument("--out", required=True, help="directory of runs and results")
    running.add_argument("--cells", help="such as 1-20,57; all by itself")
    running.add_argument("--config", help="configuration of what the cells do not set")
    running.add_argument("--launcher", default=f"{shlex.quote(str(HERE / 'run.sh'))} 2", help="what starts the program")
    running.add_argument("--no-merges", action="store_true", help="compare merges another time")
    running.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    commands.add_parser("table").add_argument("out", metavar="OUT|FILE.jsonl")
    arguments = parser.parse_args()
    if arguments.command == "list":
        for number, cell in enumerate(cells(), 1):
            print(f"{number:4} {cell['name']}{'  + all merges' if cell['compares'] else ''}")
    elif arguments.command == "run":
        run(arguments)
    else:
        table(arguments)


if __name__ == "__main__":
    main()
