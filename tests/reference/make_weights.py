#!/usr/bin/env python3
"""Write weights/: one tiny random ViT in every weight format, for tests of the readers.

Usage: make_weights.py [FOLDER]
All numbers are exact in F32, F16 and BF16 alike (some are subnormal in F16), so every file must read as the
same float32 tensors: those of expected.h5. The files are listed in README.md.
"""
import io
import json
import os
import struct
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import torch

import fixture_file
import lae_reference as lae

DIM, HEADS, DEPTH, HIDDEN, PATCH, IMAGE, CLASSES = 16, 2, 2, 32, 4, 12, 7


def draw(rng, shape, spread, shift=0.0):
    """Random multiples of 2^-16 with 8 significant bits: exact in F32, F16 and BF16."""
    x = np.asarray(shift + spread * rng.standard_normal(shape))
    x = np.round(x * 2.0 ** 16) / 2.0 ** 16
    mantissa, exponent = np.frexp(x)
    x = np.asarray(np.ldexp(np.round(mantissa * 256) / 256, exponent), dtype=np.float32)
    assert np.array_equal(x.astype(np.float16).astype(np.float32), x) and not np.any(x.view(np.uint32) & 0xFFFF)
    return x


def make_backbone(rng):
    """Random tensors under timm's names. Embeddings are small, so that the LayerNorm's eps can be seen."""
    tokens = 1 + (IMAGE // PATCH) ** 2
    shapes = OrderedDict([("cls_token", (1, 1, DIM)), ("pos_embed", (1, tokens, DIM)),
                          ("patch_embed.proj.weight", (DIM, 3, PATCH, PATCH)), ("patch_embed.proj.bias", (DIM,))])
    for i in range(DEPTH):
        block = f"blocks.{i}."
        shapes[block + "norm1.weight"] = shapes[block + "norm1.bias"] = (DIM,)
        shapes[block + "attn.qkv.weight"], shapes[block + "attn.qkv.bias"] = (3 * DIM, DIM), (3 * DIM,)
        shapes[block + "attn.proj.weight"], shapes[block + "attn.proj.bias"] = (DIM, DIM), (DIM,)
        shapes[block + "norm2.weight"] = shapes[block + "norm2.bias"] = (DIM,)
        shapes[block + "mlp.fc1.weight"], shapes[block + "mlp.fc1.bias"] = (HIDDEN, DIM), (HIDDEN,)
        shapes[block + "mlp.fc2.weight"], shapes[block + "mlp.fc2.bias"] = (DIM, HIDDEN), (DIM,)
    shapes["norm.weight"] = shapes["norm.bias"] = (DIM,)
    tensors = OrderedDict()
    for name, shape in shapes.items():
        shift = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        spread = 0.004 if "embed" in name or "token" in name else 0.3
        tensors[name] = draw(rng, shape, spread, shift)
    return tensors


def to_google(tensors):
    """The names and layouts of Google's .npz files: kernels [in, out], attention [D, heads, head_dim]."""
    split = DIM // HEADS
    out = {"cls": tensors["cls_token"], "Transformer/posembed_input/pos_embedding": tensors["pos_embed"],
           "embedding/kernel": tensors["patch_embed.proj.weight"].transpose(2, 3, 1, 0),
           "embedding/bias": tensors["patch_embed.proj.bias"],
           "Transformer/encoder_norm/scale": tensors["norm.weight"], "Transformer/encoder_norm/bias": tensors["norm.bias"]}
    for i in range(DEPTH):
        get = lambda name: tensors[f"blocks.{i}.{name}"]
        block = f"Transformer/encoderblock_{i}/"
        for theirs, ours in (("LayerNorm_0", "norm1"), ("LayerNorm_2", "norm2")):
            out[f"{block}{theirs}/scale"], out[f"{block}{theirs}/bias"] = get(ours + ".weight"), get(ours + ".bias")
        attention = block + "MultiHeadDotProductAttention_1/"
        weights, biases = np.split(get("attn.qkv.weight"), 3), np.split(get("attn.qkv.bias"), 3)
        for theirs, weight, bias in zip(("query", "key", "value"), weights, biases):
            out[f"{attention}{theirs}/kernel"] = weight.T.reshape(DIM, HEADS, split)
            out[f"{attention}{theirs}/bias"] = bias.reshape(HEADS, split)
        out[attention + "out/kernel"] = get("attn.proj.weight").T.reshape(HEADS, split, DIM)
        out[attention + "out/bias"] = get("attn.proj.bias")
        for theirs, ours in (("Dense_0", "mlp.fc1"), ("Dense_1", "mlp.fc2")):
            out[f"{block}MlpBlock_3/{theirs}/kernel"] = get(ours + ".weight").T
            out[f"{block}MlpBlock_3/{theirs}/bias"] = get(ours + ".bias")
    return out


def to_transformers(tensors):
    """The names of the transformers library, query, key and value apart; no prefix."""
    out = {"embeddings.cls_token": tensors["cls_token"], "embeddings.position_embeddings": tensors["pos_embed"]}
    names = {"patch_embed.proj": "embeddings.patch_embeddings.projection", "norm": "layernorm"}
    for i in range(DEPTH):
        for ours, theirs in (("norm1", "layernorm_before"), ("attn.proj", "attention.output.dense"),
                             ("norm2", "layernorm_after"), ("mlp.fc1", "intermediate.dense"), ("mlp.fc2", "output.dense")):
            names[f"blocks.{i}.{ours}"] = f"encoder.layer.{i}.{theirs}"
        for kind in ("weight", "bias"):
            for theirs, part in zip(("query", "key", "value"), np.split(tensors[f"blocks.{i}.attn.qkv.{kind}"], 3)):
                out[f"encoder.layer.{i}.attention.attention.{theirs}.{kind}"] = part
    for ours, theirs in names.items():
        for kind in ("weight", "bias"):
            out[f"{theirs}.{kind}"] = tensors[f"{ours}.{kind}"]
    return out


def encode(value, dtype):
    value = np.ascontiguousarray(value, dtype="<f4")
    if dtype == "F16":
        return value.astype("<f2").tobytes()
    if dtype == "BF16":
        return (value.view("<u4") >> 16).astype("<u2").tobytes()
    return value.tobytes()


def write_safetensors(path, tensors, dtype="F32", metadata=None, reverse=False):
    """Data in name order; reverse lists the header's entries the other way round, which is as valid."""
    entries, data = [], b""
    for name in sorted(tensors):
        raw = encode(tensors[name], dtype)
        entries.append((name, dict(dtype=dtype, shape=list(tensors[name].shape), data_offsets=[len(data), len(data) + len(raw)])))
        data += raw
    header = OrderedDict([("__metadata__", metadata)] if metadata else [])
    header.update(reversed(entries) if reverse else entries)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def write_npz(path, tensors, prefix, compression):
    """As numpy.savez writes it, but with a fixed date, so that the file is the same each time."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in sorted(tensors):
            info = zipfile.ZipInfo(prefix + name + ".npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = compression
            content = io.BytesIO()
            np.save(content, np.ascontiguousarray(tensors[name]))
            with archive.open(info, "w", force_zip64=True) as entry:
                entry.write(content.getvalue())


def write_hdf5(file, tensors):
    for name, value in tensors.items():
        fixture_file.put(file, name.replace(".", "/"), value)


def write_expected(path, rng, tensors):
    """The tensors, an image's feature for both LayerNorm eps, and the position embedding on other grids."""
    image = torch.from_numpy(draw(rng, (3, IMAGE, IMAGE), 0.5))[None].double()
    with fixture_file.create(path) as file:
        file.attrs["heads"] = np.int32(HEADS)
        write_hdf5(fixture_file.group(file, "tensors"), tensors)
        fixture_file.put(file, "image", image[0], "f4")
        for name, eps in (("feature", 1e-6), ("feature_transformers", 1e-12)):
            fixture_file.put(file, name, lae.ViT(tensors, HEADS, eps, dtype=torch.float64).features(image)[0])
        for grid in (1, 2, 4, 5, 7):
            position = torch.from_numpy(tensors["pos_embed"]).double()
            fixture_file.put(file, f"pos_embed_resized/{grid}", lae.resize_position_embedding(position, grid))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights")
    os.makedirs(folder, exist_ok=True)
    at = lambda name: os.path.join(folder, name)
    torch.set_num_threads(1)
    rng = np.random.default_rng(5)
    tensors = make_backbone(rng)
    head = {"weight": draw(rng, (CLASSES, DIM), 0.3), "bias": draw(rng, (CLASSES,), 0.3)}
    square = {"weight": draw(rng, (DIM, DIM), 0.3), "bias": draw(rng, (DIM,), 0.3)}

    google = to_google(tensors)
    write_npz(at("google.npz"), google, "", zipfile.ZIP_STORED)
    google.update({"head/kernel": head["weight"].T, "head/bias": head["bias"],
                   "pre_logits/kernel": square["weight"].T, "pre_logits/bias": square["bias"]})
    write_npz(at("google-prefix.npz"), google, "opt/target/", zipfile.ZIP_DEFLATED)

    named = lambda prefix, pair: {f"{prefix}.{kind}": value for kind, value in pair.items()}
    timm = dict(tensors, **named("head", head))
    write_safetensors(at("timm-f32.safetensors"), timm, metadata={"format": "pt"})
    write_safetensors(at("timm-f16.safetensors"), timm, "F16", reverse=True)
    write_safetensors(at("timm-bf16.safetensors"), tensors, "BF16")
    write_safetensors(at("refused-layer-scale.safetensors"), dict(tensors, **{"blocks.0.ls1.gamma": square["bias"]}), "BF16")

    theirs = to_transformers(tensors)
    write_safetensors(at("transformers.safetensors"), dict(theirs, **named("pooler.dense", square)), metadata={"format": "pt"})
    prefixed = {"vit." + name: value for name, value in theirs.items()}
    write_safetensors(at("transformers-vit.safetensors"), dict(prefixed, **named("classifier", head)))

    with fixture_file.create(at("own.h5")) as file:
        write_hdf5(file, tensors)
    write_expected(at("expected.h5"), rng, tensors)
    for name in sorted(os.listdir(folder)):
        print(f"{name}: {os.path.getsize(at(name))} bytes")


if __name__ == "__main__":
    main()
