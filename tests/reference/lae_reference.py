"""An independent PyTorch statement of the method: frozen ViT, PET modules, task loop, merging, metrics.

It is written to be read and to be compared against, not to be fast. Everything is a plain function or a
small class on tensors; PET parameters are an ordered dict {name: tensor} whose names are
"blocks/I/SITE/TYPE/PARAM" with every dot of PARAM turned into a slash. float32 and float64 both work:
the type of the backbone's tensors decides.

References: LAE (Gao et al., ICCV 2023), Convpass (Jie and Deng, 2022), TIES-Merging (Yadav et al.,
NeurIPS 2023), ViT (Dosovitskiy et al., ICLR 2021).
"""
import json
import math
import os
import struct
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

# ---------------------------------------------------------------------------------------------------
# Data: CIFAR-100 binary, tasks, images
# ---------------------------------------------------------------------------------------------------


def read_cifar100(folder, split):
    """Read train.bin or test.bin. Returns images uint8 [N, 32, 32, 3] and fine labels int [N]."""
    raw = np.fromfile(os.path.join(folder, split + ".bin"), dtype=np.uint8)
    if raw.size == 0 or raw.size % 3074:
        raise ValueError(f"{split}.bin: {raw.size} bytes is not a whole number of 3074-byte records")
    records = raw.reshape(-1, 3074)
    planes = records[:, 2:].reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), records[:, 1].astype(np.int64)


def split_tasks(class_count, first_classes=0, classes_per_task=10):
    """Cut output indices 0..class_count-1 into tasks: a list of ranges."""
    cuts = [0, min(first_classes or classes_per_task, class_count)]
    while cuts[-1] < class_count:
        cuts.append(min(cuts[-1] + classes_per_task, class_count))
    return [range(a, b) for a, b in zip(cuts, cuts[1:])]


def output_indices(labels, class_order=None):
    """Turn dataset labels into output indices (positions in the class order)."""
    if class_order is None:
        return np.asarray(labels)
    place = np.full(max(max(class_order), int(np.max(labels))) + 1, -1, dtype=np.int64)
    place[np.asarray(class_order)] = np.arange(len(class_order))
    return place[np.asarray(labels)]


def resize_and_crop(image, size):
    """Test-time transform on uint8 [H, W, 3]: shorter side to floor(size*8/7), then the centre."""
    picture = Image.fromarray(image)
    width, height = picture.size
    short = size * 8 // 7
    if width <= height:
        new = (short, height * short // width)
    else:
        new = (width * short // height, short)
    picture = picture.resize(new, Image.BILINEAR)
    left, top = (new[0] - size) // 2, (new[1] - size) // 2
    return np.asarray(picture.crop((left, top, left + size, top + size)))


def to_input(image, size, mean, std, dtype=torch.float32):
    """uint8 [H, W, 3] -> normalised tensor [3, size, size]; mean and std are one number or three."""
    x = torch.from_numpy(resize_and_crop(image, size).copy()).to(dtype).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(np.broadcast_to(v, 3).copy(), dtype=dtype).view(3, 1, 1) for v in (mean, std))
    return (x - mean) / std


# ---------------------------------------------------------------------------------------------------
# Weight files
# ---------------------------------------------------------------------------------------------------


def read_safetensors(path):
    """Read a .safetensors file: {name: float32 array}. F32, F16 and BF16 are understood."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        raw = data[begin:end]
        if entry["dtype"] == "F32":
            values = np.frombuffer(raw, "<f4")
        elif entry["dtype"] == "F16":
            values = np.frombuffer(raw, "<f2").astype(np.float32)
        elif entry["dtype"] == "BF16":
            values = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            raise ValueError(f"{path}: {name} has type {entry['dtype']}")
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def resize_position_embedding(embedding, grid):
    """[1, 1+g*g, D] -> [1, 1+grid*grid, D], bicubic (a = -0.75, align_corners false), class row kept."""
    old = math.isqrt(embedding.shape[1] - 1)
    if old == grid:
        return embedding
    rows = embedding[:, 1:].reshape(1, old, old, -1).permute(0, 3, 1, 2)
    rows = F.interpolate(rows, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([embedding[:, :1], rows.permute(0, 2, 3, 1).reshape(1, grid * grid, -1)], dim=1)


# ---------------------------------------------------------------------------------------------------
# PET modules
# ---------------------------------------------------------------------------------------------------

SITES = {"adapter": ("attn", "mlp"), "conv_adapter": ("attn", "mlp"), "lora": ("attn",), "prefix": ("attn",)}
DEFAULT_HIDDEN = {"adapter": 5, "conv_adapter": 8}


@dataclass
class Pet:
    """One site's module: its type ("none" for a site without) and sizes. hidden 0: the type's default."""
    type: str = "none"
    hidden: int = 0
    kernel: int = 3
    rank: int = 5
    length: int = 10

    def __post_init__(self):
        self.hidden = self.hidden or DEFAULT_HIDDEN.get(self.type, 0)


@dataclass
class PetConfig:
    """Which blocks are adapted, and with what on each site."""
    blocks: tuple = (0, 1, 2, 3, 4)
    attn: Pet = field(default_factory=Pet)
    mlp: Pet = field(default_factory=Pet)

    def sites(self):
        """Yield (prefix, Pet) in parameter order: blocks ascending, attn before mlp."""
        for block in sorted(self.blocks):
            for site, pet in (("attn", self.attn), ("mlp", self.mlp)):
                if pet.type == "none":
                    continue
                if site not in SITES[pet.type]:
                    raise ValueError(f"{pet.type} is not allowed on {site}")
                yield f"blocks/{block}/{site}/{pet.type}", pet


def module_shapes(pet, dim):
    """The parameters of one module in order: [(name, shape)]."""
    h, k, r, n = pet.hidden, pet.kernel, pet.rank, pet.length
    if pet.type in ("adapter", "conv_adapter"):
        shapes = [("down/weight", (h, dim)), ("down/bias", (h,)), ("up/weight", (dim, h)), ("up/bias", (dim,)),
                  ("scale", ())]
        if pet.type == "conv_adapter":
            shapes += [("conv/weight", (h, h, k, k)), ("conv/bias", (h,))]
        return shapes
    if pet.type == "lora":
        one = [("A", (r, dim)), ("B", (dim, r)), ("scale", ())]
    else:
        one = [("tokens", (n, dim)), ("scale", ())]
    return [(f"{side}/{name}", shape) for side in ("key", "value") for name, shape in one]


def pet_shapes(config, dim):
    """All parameters in order: [(full name, shape)]."""
    return [(f"{prefix}/{name}", shape) for prefix, pet in config.sites() for name, shape in module_shapes(pet, dim)]


def initial_pet(config, dim, generator, dtype=torch.float32):
    """Initial values of all PET parameters (the distributions of the method, numbers of a torch generator)."""
    def uniform(shape, low, high):
        return torch.rand(shape, generator=generator, dtype=torch.float32) * (high - low) + low

    params = OrderedDict()
    for name, shape in pet_shapes(config, dim):
        kind, last = name.split("/")[3], name.split("/")[-1]
        value = torch.zeros(shape)
        if last == "scale":
            value = torch.ones(shape)
        elif name.endswith("down/weight") and kind == "adapter" or last == "A":
            value = uniform(shape, -dim ** -0.5, dim ** -0.5)
        elif name.endswith("down/weight"):
            bound = math.sqrt(6 / (shape[0] + shape[1]))
            value = uniform(shape, -bound, bound)
        elif name.endswith("conv/weight"):
            for i in range(shape[0]):
                value[i, i, shape[2] // 2, shape[3] // 2] = 1
        elif last == "tokens":
            value = uniform(shape, 0, 0.01)
        params[name] = value.to(dtype)
    return params


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


def adapter(p, x):
    """scale * up(gelu(down(x))), x [B, N, D]; p(name) gives a parameter."""
    return p("scale") * F.linear(F.gelu(F.linear(x, p("down/weight"), p("down/bias"))), p("up/weight"), p("up/bias"))


def conv_adapter(p, x, dropout=0.0):
    """The class token passes through the convolution as a 1x1 image, the patches as their grid."""
    batch, tokens, _ = x.shape
    grid = math.isqrt(tokens - 1)
    h = quick_gelu(F.linear(x, p("down/weight"), p("down/bias")))
    weight, bias = p("conv/weight"), p("conv/bias")
    padding = weight.shape[-1] // 2
    token = F.conv2d(h[:, 0].reshape(batch, -1, 1, 1), weight, bias, padding=padding)
    patch = F.conv2d(h[:, 1:].transpose(1, 2).reshape(batch, -1, grid, grid), weight, bias, padding=padding)
    h = torch.cat([token.flatten(2), patch.flatten(2)], dim=2).transpose(1, 2)
    return p("scale") * F.linear(F.dropout(quick_gelu(h), dropout), p("up/weight"), p("up/bias"))


# ---------------------------------------------------------------------------------------------------
# Backbone
# ---------------------------------------------------------------------------------------------------


class ViT:
    """A frozen Vision Transformer over tensors with timm's names; sizes are read from their shapes."""

    def __init__(self, tensors, heads=0, eps=1e-6, image_size=0, dtype=torch.float32):
        self.w = {name: torch.as_tensor(np.array(value)).to(dtype) for name, value in tensors.items()}
        self.eps, self.dtype = eps, dtype
        self.dim, _, self.patch, _ = self.w["patch_embed.proj.weight"].shape
        self.depth = 1 + max(int(name.split(".")[1]) for name in self.w if name.startswith("blocks."))
        self.heads = heads or self.dim // 64
        grid = math.isqrt(self.w["pos_embed"].shape[1] - 1)
        self.image_size = image_size or grid * self.patch
        self.w["pos_embed"] = resize_position_embedding(self.w["pos_embed"], self.image_size // self.patch)

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, name, x):
        return F.layer_norm(x, (self.dim,), self.w[name + ".weight"], self.w[name + ".bias"], self.eps)

    def attention(self, block, h, pet, p):
        """Multi-head attention of h [B, N, D], with lora or prefix inside it where that is the site's module."""
        batch, count, dim = h.shape
        q, k, v = self.linear(f"blocks.{block}.attn.qkv", h).split(dim, dim=2)
        length = 0
        if pet.type == "lora":
            k = k + p("key/scale") * F.linear(F.linear(h, p("key/A")), p("key/B"))
            v = v + p("value/scale") * F.linear(F.linear(h, p("value/A")), p("value/B"))
        elif pet.type == "prefix":
            length = pet.length
            extra = [(p(side + "/scale") * p(side + "/tokens")).expand(batch, -1, -1) for side in ("key", "value")]
            k = torch.cat([k[:, :1], extra[0], k[:, 1:]], dim=1)
            v = torch.cat([v[:, :1], extra[1], v[:, 1:]], dim=1)
        q, k, v = (t.reshape(batch, -1, self.heads, dim // self.heads).transpose(1, 2) for t in (q, k, v))
        weights = torch.softmax(q @ k.transpose(2, 3) * (dim // self.heads) ** -0.5, dim=-1)
        if length:
            first, own, rest = weights.split([1, length, count - 1], dim=-1)
            own = own / own.sum(dim=-1, keepdim=True).clamp(min=1e-12)
            weights = torch.cat([first, own, rest], dim=-1)
        out = (weights @ v).transpose(1, 2).reshape(batch, count, dim)
        return self.linear(f"blocks.{block}.attn.proj", out)

    def mlp(self, block, h):
        return self.linear(f"blocks.{block}.mlp.fc2", F.gelu(self.linear(f"blocks.{block}.mlp.fc1", h)))

    def features(self, images, config=None, params=None, dropout=0.0):
        """images [B, 3, S, S] -> class-token features [B, D]; params are the PET tensors by name."""
        w = self.w
        x = F.conv2d(images.to(self.dtype), w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=self.patch)
        x = torch.cat([w["cls_token"].expand(len(images), -1, -1), x.flatten(2).transpose(1, 2)], dim=1)
        x = x + w["pos_embed"]
        modules = dict(config.sites()) if config else {}

        def module(block, site):
            """The site's Pet and a function from a short parameter name to its tensor."""
            for prefix, pet in modules.items():
                if prefix == f"blocks/{block}/{site}/{pet.type}":
                    return pet, lambda name: params[f"{prefix}/{name}"]
            return Pet(), None

        def added(pet, p, h):
            if pet.type == "adapter":
                return adapter(p, h)
            if pet.type == "conv_adapter":
                return conv_adapter(p, h, dropout)
            return 0

        for block in range(self.depth):
            pet, p = module(block, "attn")
            h = self.norm(f"blocks.{block}.norm1", x)
            x = x + self.attention(block, h, pet, p) + added(pet, p, h)
            pet, p = module(block, "mlp")
            h = self.norm(f"blocks.{block}.norm2", x)
            x = x + self.mlp(block, h) + added(pet, p, h)
        return self.norm("norm", x)[:, 0]


# ---------------------------------------------------------------------------------------------------
# Optimiser and schedule
# ---------------------------------------------------------------------------------------------------


class Adam:
    """Adam with weight decay added to the gradient. Parameters never given a gradient keep their state still."""

    def __init__(self, lr=0.0028125, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.state = {}

    def step(self, params, grads, lr=None):
        """Move every params[name] that has a grads[name], in place; each keeps its own step count."""
        b1, b2 = self.betas
        for name, g in grads.items():
            theta = params[name]
            g = g + self.weight_decay * theta
            t, m, v = self.state.get(name, (0, torch.zeros_like(g), torch.zeros_like(g)))
            t, m, v = t + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
            self.state[name] = t, m, v
            denominator = v.sqrt() / math.sqrt(1 - b2 ** t) + self.eps
            theta -= (self.lr if lr is None else lr) / (1 - b1 ** t) * m / denominator


def scheduled_lr(schedule, lr, step, steps):
    """The learning rate of a task's step 0..steps-1."""
    if schedule == "linear":
        return lr * (1 - step / steps)
    if schedule == "cosine":
        return lr * (1 + math.cos(math.pi * step / steps)) / 2
    return lr


def clip_gradients(grads, clip_norm):
    """Scale all gradients by min(1, clip_norm / (norm + 1e-6)); clip_norm 0 leaves them."""
    if not clip_norm:
        return grads
    norm = math.sqrt(sum(float((g.double() ** 2).sum()) for g in grads.values()))
    factor = min(1.0, clip_norm / (norm + 1e-6))
    return {name: g * factor for name, g in grads.items()}


# ---------------------------------------------------------------------------------------------------
# Merging
# ---------------------------------------------------------------------------------------------------


@dataclass
class Merge:
    """How the offline module accumulates: ema, ties, mean or none, with the options of each."""
    method: str = "ema"
    decay: float = 0.9999
    density: float = 0.2
    scale: float = 1.0
    reduce: str = "mean"
    scope: str = "global"
    weighting: str = "equal"


def trim(v, density):
    """Keep the max(1, floor(density*n)) entries of v largest in magnitude, ties kept; the rest become 0."""
    k = max(1, math.floor(density * v.size))
    threshold = np.sort(np.abs(v))[::-1][k - 1]
    return np.where(np.abs(v) >= threshold, v, 0)


def ties(base, vectors, weights, sizes, options):
    """TIES on flat arrays. sizes: the tensors' lengths, in order. Returns base + scale * merged."""
    cuts = np.cumsum(sizes)[:-1]
    trimmed = []
    for theta in vectors:
        v = theta - base
        parts = np.split(v, cuts) if options.scope == "tensor" else [v]
        trimmed.append(np.concatenate([trim(part, options.density) for part in parts]))
    v = np.stack(trimmed)
    w = np.asarray(weights, dtype=v.dtype)[:, None]
    gamma = np.sign((w * v).sum(axis=0))
    gamma = np.where(gamma == 0, np.sign(gamma.sum()), gamma)
    agree = (v != 0) & (np.sign(v) == gamma)
    if options.reduce == "max":
        merged = gamma * np.where(agree, np.abs(v), 0).max(axis=0)
    else:
        merged = np.where(agree, w * v, 0).sum(axis=0)
        if options.reduce == "mean":
            total = np.where(agree, w, 0).sum(axis=0)
            merged = merged / np.where(total > 0, total, 1)
    return base + options.scale * merged


def flatten(params):
    return np.concatenate([value.detach().numpy().reshape(-1) for value in params.values()])


def unflatten(vector, like):
    out, at = OrderedDict(), 0
    for name, value in like.items():
        part = np.array(vector[at:at + value.numel()]).reshape(tuple(value.shape))
        out[name], at = torch.from_numpy(part).to(value.dtype), at + value.numel()
    return out


def merge_after_task(options, task, init, offline, online):
    """The offline parameters after a task's last step (ema has already moved them step by step)."""
    if options.method == "none":
        return None
    if task == 0:
        return copy_params(online)
    if options.method == "mean":
        return OrderedDict((n, (task * offline[n] + online[n]) / (task + 1)) for n in online)
    if options.method == "ties":
        weights = (task, 1) if options.weighting == "tasks" else (1, 1)
        sizes = [value.numel() for value in online.values()]
        return unflatten(ties(flatten(init), [flatten(offline), flatten(online)], weights, sizes, options), online)
    return offline


def copy_params(params):
    return OrderedDict((name, value.clone()) for name, value in params.items())


# ---------------------------------------------------------------------------------------------------
# Learning
# ---------------------------------------------------------------------------------------------------


@dataclass
class Train:
    """The options of training."""
    epochs: int = 5
    freeze_epochs: int = 3
    batch_size: int = 24
    lr: float = 0.0028125
    weight_decay: float = 0.0
    schedule: str = "constant"
    clip_norm: float = 0.0
    drop_last: bool = True
    dropout: float = 0.0


def epoch_batches(count, batch_size, drop_last):
    """Index ranges of one epoch's batches, in order; a task smaller than a batch is one short batch."""
    batches = [range(a, min(a + batch_size, count)) for a in range(0, count, batch_size)]
    if drop_last and len(batches) > 1 and len(batches[-1]) < batch_size:
        batches.pop()
    return batches


def loss_and_gradients(vit, config, params, head, images, labels, dropout=0.0, with_pet=True):
    """Mean cross-entropy over the head's classes; labels count within the task. Returns loss, {name: gradient}."""
    leaves = OrderedDict(("head/" + name, value) for name, value in head.items())
    if with_pet:
        leaves.update(params)
    leaves = OrderedDict((name, value.detach().clone().requires_grad_()) for name, value in leaves.items())
    used = {name: leaves.get(name, value) for name, value in params.items()}
    with torch.set_grad_enabled(with_pet):
        feature = vit.features(images, config, used, dropout)
    loss = F.cross_entropy(F.linear(feature, leaves["head/weight"], leaves["head/bias"]), labels)
    grads = torch.autograd.grad(loss, list(leaves.values()))
    return float(loss.detach()), OrderedDict(zip(leaves, grads))


def train_task(vit, config, train, merge, task, params, offline, head, images, labels, log=None):
    """Train params and head in place on one task's images, in the order given; ema moves offline in place.

    images: a function from a list of positions to a tensor [B, 3, S, S]; labels [n] within the task.
    """
    batches = epoch_batches(len(labels), train.batch_size, train.drop_last)
    adam, step, steps = Adam(train.lr, weight_decay=train.weight_decay), 0, train.epochs * len(batches)
    for epoch in range(train.epochs):
        frozen = task > 0 and epoch < train.freeze_epochs
        for batch in batches:
            loss, grads = loss_and_gradients(vit, config, params, head, images(list(batch)), labels[list(batch)],
                                             train.dropout, with_pet=not frozen)
            grads = clip_gradients(grads, train.clip_norm)
            moved = dict(params, **{"head/" + name: value for name, value in head.items()})
            adam.step(moved, grads, scheduled_lr(train.schedule, train.lr, step, steps))
            if task > 0 and merge.method == "ema":
                for name in offline:
                    offline[name] = merge.decay * offline[name] + (1 - merge.decay) * params[name]
            step += 1
            if log:
                log(task, epoch, step, loss)


# ---------------------------------------------------------------------------------------------------
# Inference and metrics
# ---------------------------------------------------------------------------------------------------


def probabilities(vit, config, params, heads, images):
    """Softmax over all classes seen, [B, seen], as float64 numpy."""
    with torch.no_grad():
        feature = vit.features(images, config, params)
        logits = torch.cat([F.linear(feature, head["weight"], head["bias"]) for head in heads], dim=1)
        return torch.softmax(logits.double(), dim=1).numpy()


def task_accuracies(scores, labels, tasks):
    """Percent correct of each seen task: among all seen classes, among its own only, and of all images together."""
    every, local, right = [], [], 0
    choice = scores.argmax(axis=1)
    for task in tasks:
        mine = (labels >= task.start) & (labels < task.stop)
        count = max(int(mine.sum()), 1)
        among = task.start + scores[mine][:, task.start:task.stop].argmax(axis=1)
        hits = int((choice[mine] == labels[mine]).sum())
        right += hits
        every.append(100.0 * hits / count if mine.any() else math.nan)
        local.append(100.0 * int((among == labels[mine]).sum()) / count if mine.any() else math.nan)
    return every, local, 100.0 * right / max(len(labels), 1)


class Metrics:
    """Accuracy matrices [T, T] (row: after which task), NaN where not known, for each way of inference."""

    def __init__(self, kinds, task_count):
        nan = lambda *shape: np.full(shape, np.nan)
        self.of = {kind: dict(accuracy=nan(task_count, task_count), accuracy_local=nan(task_count, task_count),
                              seen=nan(task_count)) for kind in kinds}

    def record(self, kind, task, scores, labels, tasks):
        every, local, seen = task_accuracies(scores, labels, tasks[:task + 1])
        self.of[kind]["accuracy"][task, :task + 1] = every
        self.of[kind]["accuracy_local"][task, :task + 1] = local
        self.of[kind]["seen"][task] = seen

    def summary(self, kind, done):
        """Last accuracy, average incremental accuracy, forgetting and backward transfer after `done` tasks."""
        matrix, seen = self.of[kind]["accuracy"][:done, :done], self.of[kind]["seen"][:done]
        early = range(done - 1)
        mean = lambda values: float(np.mean(values)) if len(values) else math.nan
        return dict(last_accuracy=float(seen[-1]), average_incremental_accuracy=mean(seen),
                    forgetting=mean([np.max(matrix[k:, k]) - matrix[-1, k] for k in early]),
                    backward_transfer=mean([matrix[-1, k] - matrix[k, k] for k in early]))
