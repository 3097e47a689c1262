"""Writes weights/torch/: the Vision Transformer of make_weights.py as PyTorch saves it.

    python3 make_torch.py        (PyTorch 1.13 made what is here)
"""
import argparse
import os
from collections import OrderedDict

import numpy as np
import torch

import make_weights

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights", "torch")


def tensor(value, dtype=torch.float32):
    return torch.from_numpy(np.array(value, "f4")).to(dtype)


def flat(tensors):
    """Views of one storage, matrices column by column."""
    whole = torch.cat([tensor(value.T if value.ndim == 2 else value).reshape(-1) for value in tensors.values()])
    out, at = OrderedDict(), 0
    for name, value in tensors.items():
        piece = whole[at:at + value.size]
        out[name] = piece.view(value.shape[::-1]).t() if value.ndim == 2 else piece.view(value.shape)
        at += value.size
    return out


def save(name, value, **options):
    torch.save(value, os.path.join(FOLDER, name), **options)
    print(name, os.path.getsize(os.path.join(FOLDER, name)))


def main():
    os.makedirs(FOLDER, exist_ok=True)
    tensors = make_weights.make_backbone(np.random.default_rng(5))
    plain = {name: tensor(value) for name, value in tensors.items()}
    theirs = {"vit." + name: tensor(value) for name, value in make_weights.to_transformers(tensors).items()}
    parameters = OrderedDict(("module." + name, torch.nn.Parameter(value)) for name, value in plain.items())
    parameters["module.head.weight"] = torch.zeros(3, 16)
    parameters["module.head.num_batches_tracked"] = torch.tensor(7)
    save("timm.pth", plain)
    save("model.pth", {"model": parameters, "epoch": 3, "lr": 0.5, "best": np.float64(0.25), "size": torch.Size([3, 4]),
                       "args": argparse.Namespace(name="x"), "scaler": None})
    save("half.pth", {name: value.half() for name, value in plain.items()})
    save("double.pth", {name: value.double() * (1 - 2.0 ** -40) for name, value in plain.items()})
    save("double-legacy.bin", {name: value.double() for name, value in theirs.items()}, _use_new_zipfile_serialization=False)
    save("bfloat16.pt", {"state_dict": {name: value.bfloat16() for name, value in plain.items()}}, pickle_protocol=4)
    save("legacy.bin", theirs, _use_new_zipfile_serialization=False)
    save("flat.pth", flat(tensors))
    save("flat-legacy.pth", flat(tensors), _use_new_zipfile_serialization=False)
    save("teacher.pth", {"student": {"backbone.cls_token": torch.ones(1, 1, 16)},
                         "teacher": {"backbone." + name: value for name, value in plain.items()}})


if __name__ == "__main__":
    main()
