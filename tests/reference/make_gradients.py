#!/usr/bin/env python3
"""Write gradients.h5: features, losses and gradients of every PET module in a tiny ViT, computed in float64.

Usage: make_gradients.py [OUTPUT]
All inputs are float32 numbers, so a program that computes in float sees exactly the same inputs; expected
values (feature, logits, loss, gradients) are float64. The layout is described in README.md.
"""
import os
import sys
from collections import OrderedDict

import numpy as np
import torch

import fixture_file
import lae_reference as lae
from fixture_file import put

DIM, HEADS, DEPTH, HIDDEN, PATCH, IMAGE, CLASSES, INPUTS = 16, 2, 3, 32, 4, 16, 5, 3

# name: (attn, mlp, sizes)
MODULES = OrderedDict([
    ("adapter-none", ("adapter", "none", dict(hidden=3))),
    ("none-adapter", ("none", "adapter", dict(hidden=3))),
    ("conv_adapter-none", ("conv_adapter", "none", dict(hidden=2, kernel=3))),
    ("none-conv_adapter", ("none", "conv_adapter", dict(hidden=2, kernel=5))),
    ("lora-none", ("lora", "none", dict(rank=2))),
    ("prefix-none", ("prefix", "none", dict(length=3))),
    ("conv_adapter-adapter", ("conv_adapter", "adapter", dict(hidden=3, kernel=3))),
    ("lora-conv_adapter", ("lora", "conv_adapter", dict(rank=3, hidden=2, kernel=3))),
    ("prefix-adapter", ("prefix", "adapter", dict(length=2, hidden=2))),
])
BLOCKS = OrderedDict([("first", (0,)), ("middle", (1,)), ("all", (0, 1, 2))])


def draw(rng, shape, spread, shift=0.0):
    """Random numbers that are exact in float32, held as float64."""
    return np.asarray(shift + spread * rng.standard_normal(shape)).astype(np.float32).astype(np.float64)


def make_backbone(rng):
    """A random ViT under timm's names; spreads are such that attention and GELU are well away from flat."""
    grid = IMAGE // PATCH
    shapes = OrderedDict([("cls_token", (1, 1, DIM)), ("pos_embed", (1, 1 + grid * grid, DIM)),
                          ("patch_embed.proj.weight", (DIM, 3, PATCH, PATCH)), ("patch_embed.proj.bias", (DIM,))])
    for i in range(DEPTH):
        for name, out, into in (("attn.qkv", 3 * DIM, DIM), ("attn.proj", DIM, DIM), ("mlp.fc1", HIDDEN, DIM),
                                ("mlp.fc2", DIM, HIDDEN)):
            shapes[f"blocks.{i}.{name}.weight"] = (out, into)
            shapes[f"blocks.{i}.{name}.bias"] = (out,)
        for name in ("norm1", "norm2"):
            shapes[f"blocks.{i}.{name}.weight"] = shapes[f"blocks.{i}.{name}.bias"] = (DIM,)
    shapes["norm.weight"] = shapes["norm.bias"] = (DIM,)
    tensors = OrderedDict()
    for name, shape in shapes.items():
        if "norm" in name:
            tensors[name] = draw(rng, shape, 0.2, 1.0 if name.endswith("weight") else 0.0)
        elif name.endswith("weight"):
            tensors[name] = draw(rng, shape, 1.2 / np.sqrt(np.prod(shape[1:])))
        else:
            tensors[name] = draw(rng, shape, 0.3)
    return tensors


def make_pet(rng, config):
    """Random, nowhere zero, scales away from 1: every gradient is alive."""
    params = OrderedDict()
    for name, shape in lae.pet_shapes(config, DIM):
        if name.endswith("scale"):
            value = draw(rng, shape, 0.2, 1.5)
        elif name.endswith("bias"):
            value = draw(rng, shape, 0.4)
        elif name.endswith("tokens"):
            value = draw(rng, shape, 0.8)
        else:
            value = draw(rng, shape, 1.0 / np.sqrt(np.prod(shape[1:])))
        assert np.all(value != 0)
        params[name] = torch.from_numpy(value)
    return params


def pet_config(attn, mlp, sizes, blocks):
    return lae.PetConfig(blocks, lae.Pet(attn, **sizes), lae.Pet(mlp, **sizes))


def make_inputs(rng):
    """An image and a head: [(image [3, S, S], weight [n, D], bias [n])]; a few are shared by all cases."""
    return [tuple(torch.from_numpy(draw(rng, shape, spread)) for shape, spread in
                  (((3, IMAGE, IMAGE), 0.6), ((CLASSES, DIM), 0.4), ((CLASSES,), 0.4))) for _ in range(INPUTS)]


def make_case(rng, vit, module, blocks, inputs, which):
    """One case's inputs and expected values, computed by autograd."""
    config = pet_config(*MODULES[module], BLOCKS[blocks])
    image, weight, bias = inputs[which]
    case = dict(config=config, input=which, image=image, weight=weight, bias=bias, params=make_pet(rng, config),
                label=int(rng.integers(CLASSES)))
    case["loss"], case["grads"] = lae.loss_and_gradients(vit, config, case["params"], dict(weight=weight, bias=bias),
                                                         image[None], torch.tensor([case["label"]]))
    case["feature"] = vit.features(image[None], config, case["params"])[0]
    case["logits"] = weight @ case["feature"] + bias
    return case


def write_case(group, module, blocks, case):
    attn, mlp, sizes = MODULES[module]
    group.attrs["attn_type"], group.attrs["mlp_type"] = np.bytes_(attn), np.bytes_(mlp)
    for name in ("hidden", "kernel", "rank", "length"):
        group.attrs[name] = np.int32(sizes.get(name, 0))
    group.attrs["blocks"] = np.array(BLOCKS[blocks], dtype=np.int32)
    group.attrs["label"] = np.int32(case["label"])
    put(group, "loss", case["loss"], "f8")
    put(group, "feature", case["feature"], "f8")
    put(group, "logits", case["logits"], "f8")
    for name, value in case["grads"].items():
        put(group, "gradient/" + name, value, "f8")
    for name, value in case["params"].items():
        put(group, "pet/" + name, value, "f4")


def build(seed=20240229):
    """Return (vit, backbone tensors, inputs, {case name: (module, blocks, case)})."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    tensors, inputs, cases = make_backbone(rng), make_inputs(rng), OrderedDict()
    vit = lae.ViT(tensors, heads=HEADS, dtype=torch.float64)
    for module in MODULES:
        for blocks in BLOCKS:
            case = make_case(rng, vit, module, blocks, inputs, len(cases) % INPUTS)
            cases[f"{module}-{blocks}"] = module, blocks, case
    return vit, tensors, inputs, cases


def main():
    output = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "gradients.h5")
    _, tensors, inputs, cases = build()
    with fixture_file.create(output) as file:
        file.attrs["heads"], file.attrs["layer_norm_eps"] = np.int32(HEADS), np.float64(1e-6)
        for name, value in tensors.items():
            put(file, "backbone/" + name.replace(".", "/"), value, "f4")
        for i, (image, weight, bias) in enumerate(inputs):
            put(file, f"inputs/{i}/image", image, "f4")
            put(file, f"inputs/{i}/head/weight", weight, "f4")
            put(file, f"inputs/{i}/head/bias", bias, "f4")
        for name, (module, blocks, case) in cases.items():
            group = fixture_file.group(file, "cases/" + name)
            write_case(group, module, blocks, case)
            for shared in ("image", "head"):  # hard links: read as if they were the case's own
                group[shared] = file[f"inputs/{case['input']}/{shared}"]
    print(f"{output}: {len(cases)} cases, {os.path.getsize(output)} bytes")


if __name__ == "__main__":
    main()
