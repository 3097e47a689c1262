#!/usr/bin/env python3
"""Loads what lae_mpi learned into a PyTorch Vision Transformer with timm's names, and checks the result.

    lae_mpi convert runs/NAME/task_09.h5 adapters.safetensors
    lae_mpi predict runs/NAME/task_09.h5 predictions.h5
    python3 data/load_adapters.py vit.safetensors adapters.safetensors \\
            --images cifar-100-binary/test.bin --predictions predictions.h5

attach() hooks the modules into any model whose blocks are built as timm's are: a VisionTransformer of
timm does as well as the plain one below. Needs torch and numpy; the check needs h5py and Pillow, too,
and a .safetensors backbone (`lae_mpi convert ViT-B_16.npz vit.safetensors` makes one).
"""
import argparse
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
        values = np.frombuffer(data[begin:end], types[entry["dtype"]]).astype(np.float32)
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]))
    return tensors, metadata


# ---- a plain ViT with timm's names


class Attention(nn.Module):
    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads, self.scale = num_heads, (dim // num_heads) ** -0.5
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        batch, count, dim = x.shape
        q, k, v = self.qkv(x).reshape(batch, count, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * self.scale).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, count, dim))


class Mlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, hidden, num_heads, eps):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim, eps=eps), Attention(dim, num_heads)
        self.norm2, self.mlp = nn.LayerNorm(dim, eps=eps), Mlp(dim, hidden)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """Of a backbone's tensors, whose shapes tell all but the number of heads."""

    def __init__(self, tensors, image_size, num_heads=0, eps=1e-6):
        super().__init__()
        dim, channels, patch, _ = tensors["patch_embed.proj.weight"].shape
        depth = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("blocks."))
        hidden = tensors["blocks.0.mlp.fc1.weight"].shape[0]
        grid = image_size // patch
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(channels, dim, patch, stride=patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid * grid, dim))
        self.blocks = nn.Sequential(*(Block(dim, hidden, num_heads or dim // 64, eps) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=eps)
        own = {name: value for name, value in tensors.items() if not name.startswith("head.")}
        own["pos_embed"] = resize_positions(own["pos_embed"], grid)
        self.load_state_dict(own)

    def forward_features(self, x):
        x = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
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
    weights = (q @ k.transpose(-2, -1) * attention.scale).softmax(dim=-1)
    first, own, rest = weights.split([1, key.shape[1], count - 1], dim=-1)
    weights = torch.cat([first, own / own.sum(dim=-1, keepdim=True).clamp(min=1e-12), rest], dim=-1)
    return attention.proj((weights @ v).transpose(1, 2).reshape(batch, count, dim))


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


def logits(model, tensors, images):
    """Of all classes seen, in output order."""
    feature = model.forward_features(images)[:, 0]
    return F.linear(feature, tensors["head.weight"], tensors["head.bias"])


# ---- the check against lae_mpi predict


def read_images(path, indices, size, mean, std):
    """CIFAR-100's binary records as the network sees them: resized as Pillow does, cropped, scaled."""
    from PIL import Image
    planes = np.fromfile(path, np.uint8).reshape(-1, 3074)[indices, 2:].reshape(-1, 3, 32, 32)
    short, batch = size * 8 // 7, []
    for image in planes.transpose(0, 2, 3, 1):
        left = (short - size) // 2
        picture = Image.fromarray(image).resize((short, short), Image.BILINEAR)
        batch.append(np.asarray(picture.crop((left, left, left + size, left + size))))
    pixels = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float() / 255
    return (pixels - mean) / std


def check(model, tensors, arguments):
    import h5py
    worst = 0.0
    with h5py.File(arguments.predictions) as file:
        count = min(arguments.count, len(file["index"]))
        images = read_images(arguments.images, file["index"][:count], arguments.image_size, arguments.mean,
                             arguments.std)
        for module in ("online", "offline"):
            if module not in file:
                continue
            hooks = attach(model, tensors, module)
            with torch.no_grad():
                ours = torch.cat([logits(model, tensors, part) for part in images.split(16)])
            for hook in hooks:
                hook.remove()
            # Probabilities give logits back but for a constant an image.
            theirs = torch.from_numpy(file[module][:count]).double().log()
            difference = (ours.double().log_softmax(dim=1) - theirs).abs().max().item()
            print(f"{module}: {count} images, {ours.shape[1]} classes, logits differ by {difference:.1e} at most")
            worst = max(worst, difference)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backbone", help="the frozen backbone, .safetensors with timm's names")
    parser.add_argument("adapters", help="what lae_mpi convert wrote of a task file")
    parser.add_argument("--images", help="test.bin of CIFAR-100's binary version")
    parser.add_argument("--predictions", help="what lae_mpi predict wrote of the same task file")
    parser.add_argument("--count", type=int, default=64, help="so many of the images (default: 64)")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--mean", type=float, default=0.0)
    parser.add_argument("--std", type=float, default=1.0)
    parser.add_argument("--heads", type=int, default=0, help="attention heads, where not width / 64")
    parser.add_argument("--eps", type=float, default=1e-6, help="of the layer norms")
    arguments = parser.parse_args()
    backbone, _ = load_safetensors(arguments.backbone)
    tensors, metadata = load_safetensors(arguments.adapters)
    model = ViT(backbone, arguments.image_size, arguments.heads, arguments.eps).eval()
    print(f"task {metadata['task']}: {metadata['modules']}; classifiers for {len(tensors['head.bias'])} classes")
    if arguments.predictions and check(model, tensors, arguments) > 1e-3:
        sys.exit("the logits are not those of lae_mpi")


if __name__ == "__main__":
    main()
