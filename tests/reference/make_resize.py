#!/usr/bin/env python3
"""Write resize.h5: small random images, cropped and resized by Pillow (8-bit bilinear), to be met to the bit.

Usage: make_resize.py [OUTPUT]
Every case is also checked here against the arithmetic as the method words it. The layout is in README.md.
"""
import hashlib
import os
import sys

import numpy as np
from PIL import Image

import fixture_file
import lae_reference as lae

# (image width, height), (left, top, width, height) of the crop, (output width, height)
CASES = [
    ((8, 8), (0, 0, 8, 8), (16, 16)),      # twice, both axes
    ((8, 8), (0, 0, 8, 8), (4, 4)),        # half
    ((8, 8), (0, 0, 8, 8), (8, 8)),        # unchanged: no pass
    ((9, 7), (0, 0, 9, 7), (20, 7)),       # width only, up
    ((9, 7), (0, 0, 9, 7), (9, 18)),       # height only, up
    ((20, 13), (0, 0, 20, 13), (6, 13)),   # width only, down
    ((13, 20), (0, 0, 13, 20), (13, 7)),   # height only, down
    ((11, 17), (0, 0, 11, 17), (23, 5)),   # up and down
    ((17, 11), (0, 0, 17, 11), (5, 23)),   # down and up
    ((1, 1), (0, 0, 1, 1), (5, 4)),        # one pixel
    ((1, 9), (0, 0, 1, 9), (6, 4)),        # one column
    ((9, 1), (0, 0, 9, 1), (4, 6)),        # one row
    ((12, 10), (0, 0, 12, 10), (1, 1)),    # to one pixel
    ((12, 10), (0, 0, 12, 10), (1, 17)),   # to one column
    ((12, 10), (0, 0, 12, 10), (17, 1)),   # to one row
    ((16, 12), (3, 2, 7, 5), (21, 13)),    # inner crop, up
    ((16, 12), (1, 1, 14, 10), (5, 3)),    # inner crop, down
    ((16, 12), (15, 11, 1, 1), (3, 3)),    # last pixel
    ((16, 12), (0, 4, 16, 8), (16, 8)),    # crop alone
    ((16, 12), (5, 0, 1, 12), (4, 12)),    # one column, height unchanged
    ((31, 29), (2, 3, 27, 23), (26, 24)),  # a pixel down, a pixel up
    ((32, 32), (0, 0, 32, 32), (36, 36)),  # CIFAR at 32
    ((32, 32), (4, 7, 23, 19), (32, 32)),  # random crop at 32
    ((32, 32), (0, 0, 32, 32), (14, 14)),
    ((32, 32), (0, 0, 32, 32), (256, 256)),   # CIFAR at 224: digest only
    ((32, 32), (9, 5, 11, 14), (224, 224)),   # random crop at 224: digest only
    ((64, 48), (0, 0, 64, 48), (7, 5)),       # support of several pixels
    ((64, 3), (0, 0, 64, 3), (3, 64)),
]


def axis_weights(size_in, size_out):
    """Per output position: the first input position and its fixed-point weights."""
    scale = size_in / size_out
    support = max(scale, 1.0)
    for i in range(size_out):
        centre = (i + 0.5) * scale
        low, high = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), size_in)
        weights = [max(0.0, 1.0 - abs((j - centre + 0.5) * (1.0 / support))) for j in range(low, high)]
        total = sum(weights)
        yield low, [int(0.5 + w / total * (1 << 22)) for w in weights]


def resize_rows(image, size_out):
    """One pass along axis 1 of [H, W, 3]."""
    if image.shape[1] == size_out:
        return image
    out = np.empty((image.shape[0], size_out, 3), np.uint8)
    for i, (low, weights) in enumerate(axis_weights(image.shape[1], size_out)):
        total = np.full((image.shape[0], 3), 1 << 21, np.int64)
        for j, weight in enumerate(weights):
            total += image[:, low + j].astype(np.int64) * weight
        out[:, i] = np.clip(total >> 22, 0, 255)
    return out


def resize_in_words(image, width, height):
    """Horizontal pass into 8 bits, then vertical."""
    return resize_rows(resize_rows(image, width).transpose(1, 0, 2), height).transpose(1, 0, 2)


def random_image(rng, width, height, kind):
    """Noise, or black and white alone, which meets the rounding at both ends."""
    if kind:
        return rng.choice(np.array([0, 255], np.uint8), size=(height, width, 3))
    return rng.integers(0, 256, size=(height, width, 3), dtype=np.uint8)


def add(file, name, image, output, **attributes):
    """One case; outputs of more than 40x40 pixels are stored as their digest alone."""
    group = fixture_file.group(file, name)
    fixture_file.put(group, "image", image)
    for key, value in attributes.items():
        group.attrs[key] = np.array(value, dtype=np.int32)
    group.attrs["sha256"] = np.bytes_(hashlib.sha256(np.ascontiguousarray(output).tobytes()).hexdigest())
    if output.shape[0] * output.shape[1] <= 1600:
        fixture_file.put(group, "output", output)


def main():
    output = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "resize.h5")
    rng = np.random.default_rng(7)
    with fixture_file.create(output) as file:
        for i, (size, box, new) in enumerate(CASES):
            image = random_image(rng, *size, i % 3 == 2)
            left, top, width, height = box
            crop = Image.fromarray(image).crop((left, top, left + width, top + height))
            resized = np.asarray(crop.resize(new, Image.BILINEAR))
            if not np.array_equal(resized, resize_in_words(np.asarray(crop), *new)):
                raise SystemExit(f"case {i}: Pillow and the stated arithmetic differ")
            add(file, f"resize/{i:02d}", image, resized, box=box, size=new)
        for image_size in (32, 64, 224):
            image = random_image(rng, 32, 32, 0)
            add(file, f"transform/{image_size}", image, lae.resize_and_crop(image, image_size), image_size=image_size)
    print(f"{output}: {len(CASES)} resizes, {os.path.getsize(output)} bytes")


if __name__ == "__main__":
    main()
