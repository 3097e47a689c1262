#!/usr/bin/env python3
"""Loads what lae_mpi learned into a PyTorch Vision Transformer with timm's names, and checks the result.

    lae_mpi convert runs/NAME/task_09.h5 adapters.safetensors
    lae_mpi predict runs/NAME/task_09.h5 predictions.h5
    python3 data/load_adapters.py vit.safetensors adapters.safetensors \\
            --images cifar-100-binary/test.bin --predictions predictions.h5

attach() hooks the modules into any model whose blocks are built as timm's are: a VisionTransformer of
timm does as well as the plain one below; scores() are those of a head made from class statistics, say
"lda_offline". Precision, tolerance, mean, std and size of the images are the adapters file's. Needs torch
and numpy; the check needs h5py and Pillow, too. The backbone is a .safetensors file with timm's names, or
.h5; of another (`.npz`, transformers' names) `lae_mpi convert ViT-B_16.npz vit.safetensors` makes one.
"""
import argparse
import hashlib
import json
import math
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def load_safetensors(path):
    """{name: float32 tensor} and the metadata. safetensors.torch.load_file gives the same tensors."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    metadata, tensors = header.pop("__metadata__", {}), {}
    types = {"F32": "<f4", "F16": "<f2"}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        if entry["dtype"] == "BF16":  # the upper half of a float32
            values = (np.frombuffer(data[begin:end], "<u2").astype(np.uint32) << 16).view(np.float32)
        elif entry["dtype"] in types:
            values = np.frombuffer(data[begin:end], types[entry["dtype"]]).astype(np.float32)
        else:
            sys.exit(f"{path}: {name} is of type {entry['dtype']}; F32, F16 or BF16 is wanted")
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]))
    return tensors, metadata


def load_hdf5(path):
    """The same of lae_mpi's own .h5, whose datasets have timm's names as paths."""
    import h5py
    tensors = {}
    with h5py.File(path) as file:
        metadata = {name: value.decode() if isinstance(value, bytes) else str(value)
                    for name, value in file.attrs.items()}
        if metadata.get("format") != "lae-weights":
            sys.exit(f"{path}: is no backbone that lae_mpi wrote; lae_mpi convert IN.npz vit.safetensors makes one")
        file.visititems(lambda name, item: tensors.__setitem__(
            name.replace("/", "."), torch.from_numpy(np.asarray(item[()], np.float32)))
            if isinstance(item, h5py.Dataset) else None)
    return tensors, metadata


def load_backbone(path, wanted):
    """Its tensors and metadata. `wanted`: SHA-256 of the file that the modules were learned on."""
    with open(path, "rb") as file:
        content = file.read()
    if content[:4] == b"lae-" or content[:4] == b"\x89HDF":
        tensors, metadata = load_hdf5(path)
    elif len(content) > 8 and content[8:9] == b"{":
        tensors, metadata = load_safetensors(path)
    else:
        sys.exit(f"{path}: is neither .safetensors nor .h5; make one: lae_mpi convert {path} vit.safetensors")
    if "patch_embed.proj.weight" not in tensors:
        sys.exit(f"{path}: its names are not timm's; make a file with them: lae_mpi convert {path} vit.safetensors")
    own = hashlib.sha256(content).hexdigest()
    if wanted and wanted not in (own, metadata.get("source_sha256")):
        sys.exit(f"{path}: is another backbone than the modules were learned on (SHA-256 {wanted[:12]}... then, "
                 f"{own[:12]}... now; of a converted file also that of what it was made from counts)")
    return tensors, metadata


def check_widths(backbone, tensors):
    """Whether modules and classifiers fit the backbone, block by block."""
    width = backbone["patch_embed.proj.weight"].shape[0]
    depth = 1 + max(int(name.split(".")[1]) for name in backbone if name.startswith("blocks."))
    for name, value in tensors.items():
        parts = name.split(".")
        at = parts.index("blocks") if "blocks" in parts else None
        if at is not None and int(parts[at + 1]) >= depth:
            sys.exit(f"{name}: the backbone has {depth} blocks")
        short = name[name.index("blocks"):] if at is not None else name
        inner = short.endswith(("down.weight", ".A", ".tokens")) or name == "head.weight"
        if inner and value.shape[-1] != width:
            sys.exit(f"{name}: is made for features of width {value.shape[-1]}, the backbone's are {width} wide")


# ---- a plain ViT with timm's names


def rounded(x):
    """As model.precision=bf16 rounds both sides of the backbone's products; sums stay in float32."""
    return x.bfloat16().float()


def exact(x):
    return x


class Linear(nn.Linear):
    """A frozen layer, its product in the run's precision."""
    def __init__(self, inner, outer, r):
        super().__init__(inner, outer)
        self.r = r

    def forward(self, x):
        return F.linear(self.r(x), self.r(self.weight), self.bias)


class Attention(nn.Module):
    def __init__(self, dim, num_heads, r):
        super().__init__()
        self.r = r
        self.num_heads, self.scale = num_heads, (dim // num_heads) ** -0.5
        self.qkv, self.proj = Linear(dim, 3 * dim, r), Linear(dim, dim, r)

    def forward(self, x):
        batch, count, dim = x.shape
        r = self.r
        q, k, v = self.qkv(x).reshape(batch, count, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        weights = (r(q) @ r(k).transpose(-2, -1) * self.scale).softmax(dim=-1)
        return self.proj((r(weights) @ r(v)).transpose(1, 2).reshape(batch, count, dim))


class Mlp(nn.Module):
    def __init__(self, dim, hidden, r):
        super().__init__()
        self.fc1, self.fc2 = Linear(dim, hidden, r), Linear(hidden, dim, r)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, hidden, num_heads, eps, r):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim, eps=eps), Attention(dim, num_heads, r)
        self.norm2, self.mlp = nn.LayerNorm(dim, eps=eps), Mlp(dim, hidden, r)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """Of a backbone's tensors, whose shapes tell all but the number of heads."""

    def __init__(self, tensors, image_size, num_heads=0, eps=1e-6, precision="fp32"):
        super().__init__()
        r = self.r = rounded if precision == "bf16" else exact
        dim, channels, patch, _ = tensors["patch_embed.proj.weight"].shape
        depth = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("blocks."))
        hidden = tensors["blocks.0.mlp.fc1.weight"].shape[0]
        grid = image_size // patch
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(channels, dim, patch, stride=patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid * grid, dim))
        self.blocks = nn.Sequential(*(Block(dim, hidden, num_heads or dim // 64, eps, r) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=eps)
        own = {name: value for name, value in tensors.items() if not name.startswith("head.")}
        own["pos_embed"] = resize_positions(own["pos_embed"], grid)
        mine = self.state_dict()
        for name in own:
            if name not in mine:
                sys.exit(f"{name}: the plain ViT of this script has no such tensor; attach() the modules to timm's")
        self.load_state_dict(own)

    def forward_features(self, x):
        proj = self.patch_embed.proj
        x = F.conv2d(self.r(x), self.r(proj.weight), proj.bias, proj.stride).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        return self.norm(self.blocks(x))


def resize_positions(embedding, grid):
    """[1, 1 + g*g, D] for another grid, bicubically; the class token's row stays."""
    old = math.isqrt(embedding.shape[1] - 1)
    if old == grid:
        return embedding
    rows = embedding[:, 1:].reshape(1, old, old, -1).permute(0, 3, 1, 2)
    rows = F.interpolate(rows, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([embedding[:, :1], rows.permute(0, 2, 3, 1).reshape(1, grid * grid, -1)], dim=1)


# ---- the modules; p: {parameter's name: tensor}, h: the normalised input of attention or MLP


def adapter(p, h):
    inner = F.gelu(F.linear(h, p["down.weight"], p["down.bias"]))
    return p["scale"] * F.linear(inner, p["up.weight"], p["up.bias"])


def conv_adapter(p, h):
    """The class token passes through the convolution as a 1x1 image, the patches as their grid."""
    def act(v):
        return v * torch.sigmoid(1.702 * v)

    def conv(tokens, side):
        image = tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)
        image = F.conv2d(image, p["conv.weight"], p["conv.bias"], padding=p["conv.weight"].shape[-1] // 2)
        return image.flatten(2).transpose(1, 2)

    inner = act(F.linear(h, p["down.weight"], p["down.bias"]))
    side = math.isqrt(h.shape[1] - 1)
    inner = act(torch.cat([conv(inner[:, :1], 1), conv(inner[:, 1:], side)], dim=1))
    return p["scale"] * F.linear(inner, p["up.weight"], p["up.bias"])


def lora(p, h):
    """What is added to query, key and value, [B, N, 3D]."""
    key, value = (p[s + ".scale"] * F.linear(F.linear(h, p[s + ".A"]), p[s + ".B"]) for s in ("key", "value"))
    return torch.cat([torch.zeros_like(key), key, value], dim=2)


def prefix_attention(attention, p, h):
    """Attention with rows of its own behind the class token's key and value, whose weights sum to 1."""
    batch, count, dim = h.shape
    q, k, v = attention.qkv(h).chunk(3, dim=2)
    key, value = ((p[s + ".scale"] * p[s + ".tokens"]).expand(batch, -1, -1) for s in ("key", "value"))
    k, v = (torch.cat([x[:, :1], own, x[:, 1:]], dim=1) for x, own in ((k, key), (v, value)))
    q, k, v = (x.reshape(batch, x.shape[1], attention.num_heads, -1).transpose(1, 2) for x in (q, k, v))
    r = getattr(attention, "r", exact)
    weights = (r(q) @ r(k).transpose(-2, -1) * attention.scale).softmax(dim=-1)
    first, own, rest = weights.split([1, key.shape[1], count - 1], dim=-1)
    weights = torch.cat([first, own / own.sum(dim=-1, keepdim=True).clamp(min=1e-12), rest], dim=-1)
    return attention.proj((r(weights) @ r(v)).transpose(1, 2).reshape(batch, count, dim))


def attach(model, tensors, module):
    """Hooks the modules of `module` ("online" or "offline") into model.blocks; returns the hooks, whose
    remove() takes them out again. A file of one module has its names without a prefix."""
    modules, hooks = {}, []
    if any(name.startswith("online.") for name in tensors):
        tensors = {n[len(module) + 1:]: t for n, t in tensors.items() if n.startswith(module + ".")}
    for name, value in tensors.items():
        if name.startswith("blocks."):
            _, block, site, kind, parameter = name.split(".", 4)
            modules.setdefault((int(block), site, kind), {})[parameter] = value
    for (block, site, kind), p in modules.items():
        part = getattr(model.blocks[block], site)
        if kind == "lora":
            hook = part.qkv.register_forward_hook(lambda m, x, out, p=p: out + lora(p, x[0]))
        elif kind == "prefix":
            hook = part.register_forward_hook(lambda m, x, out, p=p: prefix_attention(m, p, x[0]))
        else:
            added = {"adapter": adapter, "conv_adapter": conv_adapter}[kind]
            hook = part.register_forward_hook(lambda m, x, out, p=p, f=added: out + f(p, x[0]))
        hooks.append(hook)
    return hooks


def logits(tensors, feature):
    """Of the tasks' own classifiers, for all classes seen, in output order. feature [B, D]: the class token's."""
    return F.linear(feature, tensors["head.weight"], tensors["head.bias"])


def head_names(tensors):
    """HEAD_MODULE of the heads made from class statistics: "ncm_init", "lda_offline", ..."""
    return [name.split(".")[1] for name in tensors if name.startswith("heads.") and name.endswith(".bias")]


def scores(tensors, name, feature):
    """Of head `name` on features through its module: init is the backbone with the modules' initial values
    (which, but for prefixes, leave it as it is), online and offline what attach() hooks in."""
    weight, bias = tensors[f"heads.{name}.weight"], tensors[f"heads.{name}.bias"]
    if name.startswith("ridge_"):
        feature = F.relu(F.linear(feature, tensors["heads.random.weight"]))
    out = F.linear(feature, weight, bias)
    if name.startswith("ncm_"):
        out = out / feature.norm(dim=1, keepdim=True)
    if name.startswith("aligned_"):
        out = out / (0.1 * out.norm(dim=1, keepdim=True))
    return out


# ---- the check against lae_mpi predict


def read_images(path, indices, metadata):
    """CIFAR-100's binary records as the network sees them: resized as Pillow does, cropped, scaled."""
    from PIL import Image
    size, mean, std = (json.loads(metadata[name]) for name in ("image_size", "mean", "std"))
    kind = Image.BICUBIC if metadata["resize"] == "bicubic" else Image.BILINEAR
    planes = np.fromfile(path, np.uint8).reshape(-1, 3074)[indices, 2:].reshape(-1, 3, 32, 32)
    short, batch = size * 8 // 7, []
    for image in planes.transpose(0, 2, 3, 1):
        left = (short - size) // 2
        picture = Image.fromarray(image).resize((short, short), kind)
        batch.append(np.asarray(picture.crop((left, left, left + size, left + size))))
    pixels = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1) for values in (mean, std))
    return (pixels - mean) / std


def features(model, tensors, module, images):
    """Class tokens [N, D] of the images; module "init": the backbone alone."""
    hooks = attach(model, tensors, module) if module != "init" else []
    with torch.no_grad():
        found = torch.cat([model.forward_features(part)[:, 0] for part in images.split(16)])
    for hook in hooks:
        hook.remove()
    return found


def check(model, tensors, metadata, arguments):
    """The largest difference of log-probabilities, or of other heads' scores relative to their size."""
    import h5py
    worst = 0.0
    with h5py.File(arguments.predictions) as file:
        count = min(arguments.count, len(file["index"]))
        images = read_images(arguments.images, file["index"][:count], metadata)
        seen = {}
        for module in ("init", "online", "offline"):
            if module == "init" or module in metadata["modules"]:
                seen[module] = features(model, tensors, module, images)
        prefixed = any(".prefix." in name for name in tensors)
        for name in ["online", "offline"] + head_names(tensors):
            module = name.split("_")[-1]
            if name not in file or module not in seen or (module == "init" and prefixed):
                continue
            theirs = torch.from_numpy(file[name][:count]).double()
            if "_" in name:
                ours, what = scores(tensors, name, seen[module]).double(), "scores"
                difference = ((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1)).item()
            else:  # probabilities give logits back but for a constant an image
                ours, what = logits(tensors, seen[module]).double().log_softmax(dim=1), "logits"
                difference = (ours - theirs.log()).abs().max().item()
            same = (ours.argmax(dim=1) == theirs.argmax(dim=1)).sum().item()
            print(f"{name}: {count} images, {ours.shape[1]} classes, {what} differ by {difference:.1e} at most; "
                  f"the same class for {same}")
            worst = max(worst, difference)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backbone", help="the frozen backbone, .safetensors with timm's names or lae_mpi's .h5")
    parser.add_argument("adapters", help="what lae_mpi convert wrote of a task file")
    parser.add_argument("--images", help="test.bin of CIFAR-100's binary version")
    parser.add_argument("--predictions", help="what lae_mpi predict wrote of the same task file")
    parser.add_argument("--count", type=int, default=64, help="so many of the images (default: 64)")
    for name, kind in (("image-size", int), ("mean", float), ("std", float)):
        parser.add_argument("--" + name, type=kind, help="not the file's")
    parser.add_argument("--heads", type=int, help="attention heads; not the file's, else width / 64")
    parser.add_argument("--eps", type=float, help="of the layer norms; not the backbone's")
    arguments = parser.parse_args()
    tensors, metadata = load_safetensors(arguments.adapters)
    if "precision" not in metadata:
        sys.exit(f"{arguments.adapters}: is not what lae_mpi 0.2 writes of a task file; convert it again")
    backbone, facts = load_backbone(arguments.backbone, metadata["weights_digest"])
    check_widths(backbone, tensors)
    if arguments.image_size:
        metadata["image_size"] = str(arguments.image_size)
    for name in ("mean", "std"):
        if getattr(arguments, name) is not None:
            metadata[name] = json.dumps([getattr(arguments, name)] * 3)
    heads = arguments.heads or int(metadata["attention_heads"]) or int(float(facts.get("heads", 0)))
    eps = arguments.eps or float(facts.get("layer_norm_eps", 1e-6))
    model = ViT(backbone, int(metadata["image_size"]), heads, eps, metadata["precision"]).eval()
    print(f"task {metadata['task']}: {metadata['modules']}; classifiers for {len(tensors['head.bias'])} classes; "
          f"{metadata['precision']}; heads {', '.join(head_names(tensors)) or 'linear alone'}")
    if not arguments.predictions:
        return
    worst, tolerance = check(model, tensors, metadata, arguments), float(metadata["tolerance"])
    if not worst <= tolerance:
        sys.exit(f"the scores are not those of lae_mpi: they differ by {worst:.1e}, and {metadata['precision']} "
                 f"explains {tolerance:g}")


if __name__ == "__main__":
    main()
