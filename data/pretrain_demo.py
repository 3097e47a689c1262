#!/usr/bin/env python3
"""Pretrains the demonstration's backbone, data/demo_vit.safetensors.

The backbone is a small Vision Transformer (32x32 images, patches of 4, width 128, 6 blocks, 2 heads
of 64), trained to tell synthetic classes apart that the demonstration never uses, and written
without its classifier in timm's names as float16. See data/README.md for the commands.

Needs PyTorch and NumPy. It runs on one thread: the same arguments and libraries give the same file.
"""
import argparse
import json
import math
import os
import pathlib
import struct
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy or PyTorch loads it

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

SIDE, PATCH, WIDTH, DEPTH, HEADS = 32, 4, 128, 6, 2
RECORD = 2 + 3 * SIDE * SIDE  # CIFAR-100's: coarse label, fine label, planes R, G, B
METADATA = {"heads": str(HEADS), "layer_norm_eps": "1e-6"}


# ---- Data ----

def read_part(directories, name):
    """Images [N, 3, 32, 32] (bytes) and labels [N]; each directory's labels follow the last's."""
    images, labels, classes = [], [], 0
    for directory in directories:
        records = np.fromfile(pathlib.Path(directory) / name, np.uint8).reshape(-1, RECORD)
        images.append(records[:, 2:].reshape(-1, 3, SIDE, SIDE))
        labels.append(records[:, 1].astype(np.int64) + classes)
        classes = int(labels[-1].max()) + 1
    return torch.from_numpy(np.concatenate(images)), torch.from_numpy(np.concatenate(labels))


def normalise(images):
    return images.float().div_(127.5).sub_(1.0)


def augment(images, generator, smallest_area):
    """Random crops of area smallest_area..1 and aspect 3/4..4/3, resized back; half of them flipped."""
    n = len(images)

    def uniform(low, high):
        return low + (high - low) * torch.rand(n, generator=generator)

    area = uniform(smallest_area, 1.0)
    aspect = torch.exp(uniform(math.log(3 / 4), math.log(4 / 3)))
    width = (area * aspect).sqrt().clamp(max=1.0)
    height = (area / aspect).sqrt().clamp(max=1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = width * torch.where(uniform(0.0, 1.0) < 0.5, -1.0, 1.0)
    theta[:, 1, 1] = height
    theta[:, 0, 2] = uniform(-1.0, 1.0) * (1.0 - width)
    theta[:, 1, 2] = uniform(-1.0, 1.0) * (1.0 - height)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


# ---- Model: the names of its parameters are timm's ----

class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        n, tokens, _ = x.shape
        q, k, v = self.qkv(x).view(n, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        share = (q * (WIDTH // HEADS) ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
        return self.proj((share @ v).transpose(1, 2).reshape(n, tokens, WIDTH))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attn = Attention()
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(WIDTH, 4 * WIDTH),
                                  "fc2": nn.Linear(4 * WIDTH, WIDTH)})

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))


class VisionTransformer(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, WIDTH, PATCH, PATCH)})
        self.cls_token = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + (SIDE // PATCH) ** 2, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.head = nn.Linear(WIDTH, classes)
        for name, parameter in self.named_parameters():
            if name.endswith(".bias"):
                nn.init.zeros_(parameter)
            elif "norm" not in name:
                nn.init.trunc_normal_(parameter, std=0.02)

    def features(self, images, keep=1.0):
        """Class-token features [N, WIDTH]. keep < 1: only that share of an image's patches, chosen
        at random, is looked at: cheaper, and it hinders learning little."""
        x = self.patch_embed["proj"](images).flatten(2).transpose(1, 2) + self.pos_embed[:, 1:]
        if keep < 1.0:
            n, tokens, _ = x.shape
            chosen = torch.rand(n, tokens).argsort(1)[:, :round(keep * tokens), None]
            x = x.gather(1, chosen.expand(-1, -1, WIDTH))
        x = torch.cat([(self.cls_token + self.pos_embed[:, :1]).expand(len(x), -1, -1), x], 1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0]


# ---- Training ----

def learning_rate(args, step, steps):
    warm_up = steps // 20
    if step < warm_up:
        return args.lr * (step + 1) / warm_up
    return args.lr * 0.5 * (1.0 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))


def make_optimiser(model, args):
    decayed = [p for p in model.parameters() if p.ndim >= 2 and p.shape[0] > 1]
    others = [p for p in model.parameters() if p.ndim < 2 or p.shape[0] == 1]
    return torch.optim.AdamW([{"params": decayed, "weight_decay": args.weight_decay},
                              {"params": others, "weight_decay": 0.0}], lr=args.lr)


def train(model, images, labels, args, after_epoch):
    optimiser = make_optimiser(model, args)
    generator = torch.Generator().manual_seed(args.seed)
    per_epoch = len(images) // args.batch
    steps, started = per_epoch * args.epochs, time.time()
    for epoch in range(args.epochs):
        keep = args.keep if epoch < args.epochs - args.whole_epochs else 1.0
        order, total = torch.randperm(len(images), generator=generator), 0.0
        for i in range(per_epoch):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(args, epoch * per_epoch + i, steps)
            batch = order[i * args.batch:(i + 1) * args.batch]
            x = augment(normalise(images[batch]), generator, args.smallest_area)
            loss = F.cross_entropy(model.head(model.features(x, keep)), labels[batch],
                                   label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{args.epochs}  loss {total / per_epoch:.3f}  "
              f"{time.time() - started:.0f} s", flush=True)
        after_epoch(epoch)


# ---- Evaluation ----

@torch.no_grad()
def all_features(model, images):
    return torch.cat([model.features(normalise(part)) for part in images.split(256)])


@torch.no_grad()
def accuracy(model, images, labels):
    return 100.0 * (model.head(all_features(model, images)).argmax(1) == labels).float().mean().item()


def nearest_mean_accuracy(model, directory):
    """Percent of test images whose feature is nearest to the mean of its class's training ones."""
    images, labels = read_part([directory], "train.bin")
    features = F.normalize(all_features(model, images), dim=1)
    means = torch.stack([features[labels == c].mean(0) for c in range(int(labels.max()) + 1)])
    images, labels = read_part([directory], "test.bin")
    features = F.normalize(all_features(model, images), dim=1)
    return 100.0 * (torch.cdist(features, means).argmin(1) == labels).float().mean().item()


# ---- The file ----

def write_safetensors(path, tensors):
    """As float16: length of the header (8 bytes), header (JSON, padded with blanks to 8), data."""
    header, data = {"__metadata__": METADATA}, bytearray()
    for name, tensor in tensors.items():
        content = tensor.detach().numpy().astype("<f2").tobytes()
        header[name] = {"dtype": "F16", "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_backbone(path, model):
    write_safetensors(path, {name: tensor for name, tensor in model.state_dict().items()
                             if not name.startswith("head.")})


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", required=True, metavar="DIR",
                        help="directories with train.bin and test.bin in CIFAR-100's format")
    parser.add_argument("--probe", metavar="DIR",
                        help="such a directory with the demonstration's classes, to look at only")
    parser.add_argument("--out", default="demo_vit.safetensors")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--smallest-area", type=float, default=0.3)
    parser.add_argument("--keep", type=float, default=0.5,
                        help="share of the patches looked at in all but the last epochs")
    parser.add_argument("--whole-epochs", type=int, default=1, help="last epochs, with all patches")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main():
    args = parse_arguments()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    images, labels = read_part(args.data, "train.bin")
    test_images, test_labels = read_part(args.data, "test.bin")
    model = VisionTransformer(int(labels.max()) + 1)

    def after_epoch(_):
        write_backbone(args.out, model)
        print(f"  test accuracy {accuracy(model, test_images, test_labels):.2f} %", flush=True)
        if args.probe:
            print(f"  nearest class mean on {args.probe}: "
                  f"{nearest_mean_accuracy(model, args.probe):.2f} %", flush=True)

    train(model, images, labels, args, after_epoch)


if __name__ == "__main__":
    main()
