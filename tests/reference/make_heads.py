#!/usr/bin/env python3
"""Write heads.json: class statistics and closed-form heads of some made-up features.

Usage: make_heads.py [OUTPUT]
In float64 throughout, and where there are two ways, by the other one than the C program's: scatter from centred
features, the discriminant by an eigendecomposition, ridge regression by the SVD of the stacked system, its error from
every image's residual, heads aligned by PyTorch's autograd, normalisation and Adam, random numbers by Philox written
out. The layout is described in README.md.
"""
import json
import os
import sys

import numpy as np
import torch

SEED = 20230917
FEATURES, ALIGN = 9, 12  # the purposes' numbers: random features, features drawn of a class
CLASSES, WIDTH, LIFTED = 6, 10, 24
SHRINK, LAMBDA = 0.1, 8.0
GRID = [0.5, 8.0, 64.0, 512.0, 4096.0]
TASK, DRAWS, LR = 3, 60, 0.05


def philox(counter, key):
    """Philox4x32-10 (Salmon et al., SC 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def normal(purpose, task, row, index):
    """Normal number `index` of a stream: Box-Muller of its uniform numbers 2*index and 2*index + 1."""
    counters = [(i >> 2, row, task << 16, purpose) for i in (2 * index, 2 * index + 1)]
    bits = [philox(c, (SEED & 0xFFFFFFFF, SEED >> 32))[i & 3] for c, i in zip(counters, (2 * index, 2 * index + 1))]
    u, v = (b / 2.0**32 for b in bits)
    return np.sqrt(-2.0 * np.log(1.0 - u)) * np.cos(2.0 * np.pi * v)


def make_images(rng, per_class):
    """Features in steps of 1/64, so that they are short to write and exact: each class about a mean of its own,
    spread by a covariance that all share. Class 4 has no images."""
    spread = rng.normal(size=(WIDTH, WIDTH)) * 0.4
    means = rng.normal(size=(CLASSES, WIDTH)) * 1.5
    y = np.array([c for c in range(CLASSES) for _ in range(per_class[c])])
    x = means[y] + rng.normal(size=(len(y), WIDTH)) @ spread
    order = rng.permutation(len(y))
    return np.round(x[order] * 64) / 64, y[order]


def statistics(x, y):
    """count, mean (0 without images), scatter about the classes' means."""
    count = np.bincount(y, minlength=CLASSES)
    mean = np.array([x[y == c].mean(axis=0) if count[c] else np.zeros(x.shape[1]) for c in range(CLASSES)])
    centred = x - mean[y]
    return count, mean, centred.T @ centred


def covariance(count, scatter):
    """Eigenvalues of the shrunk covariance, and its eigenvectors, which shrinking leaves alone."""
    values, vectors = np.linalg.eigh(scatter / (count.sum() - np.count_nonzero(count)))
    return (1 - SHRINK) * values + SHRINK * values.mean(), vectors


def lda(count, mean, scatter):
    """Weight and bias."""
    values, vectors = covariance(count, scatter)
    weight = mean @ vectors @ np.diag(1 / values) @ vectors.T
    return weight, -0.5 * (weight * mean).sum(axis=1)


def ridge(h, y, penalty):
    """The weight: least squares of [H; sqrt(penalty) I] W = [Y; 0]."""
    targets = np.vstack([np.eye(CLASSES)[y], np.zeros((h.shape[1], CLASSES))])
    return np.linalg.lstsq(np.vstack([h, np.sqrt(penalty) * np.eye(h.shape[1])]), targets, rcond=None)[0].T


def align(count, mean, scatter, start, start_bias):
    """Weight and bias of `start`, trained on features drawn of the classes that have images, in whitened coordinates."""
    values, vectors = covariance(count, scatter)
    lower = np.linalg.cholesky(vectors @ np.diag(values) @ vectors.T)
    known = np.flatnonzero(count)
    centre = mean[known].mean(axis=0)
    means = (mean[known] - centre) @ np.linalg.inv(lower).T
    weight, bias = start[known] @ lower, start_bias[known] + start[known] @ centre
    length = np.sqrt((weight ** 2).mean())
    weight, bias = (torch.tensor(v / length, requires_grad=True) for v in (weight, bias))
    adam = torch.optim.Adam([weight, bias], lr=LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, DRAWS)
    for step in range(DRAWS):
        noise = [[normal(ALIGN, TASK, c, step * WIDTH + d) for d in range(WIDTH)] for c in known.tolist()]
        logits = torch.tensor(means + np.array(noise)) @ weight.T + bias
        adam.zero_grad()
        torch.nn.functional.cross_entropy(torch.nn.functional.normalize(logits) / 0.1, torch.arange(len(known))).backward()
        adam.step()
        schedule.step()
    start[known] = weight.detach().numpy() @ np.linalg.inv(lower)
    start_bias[known] = bias.detach().numpy() - start[known] @ centre
    return start, start_bias


def rounded(value):
    """Lists of numbers in 9 digits."""
    return [float(f"{v:.9g}") for v in np.asarray(value, dtype=float).ravel()]


def main():
    output = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "heads.json")
    rng = np.random.default_rng(11)
    x, y = make_images(rng, [9, 8, 1, 10, 0, 7])
    held_x, held_y = x[::4], y[::4]
    count, mean, scatter = statistics(x, y)
    projection = np.array([[normal(FEATURES, 0, m, d) for d in range(WIDTH)] for m in range(LIFTED)])
    h, held_h = np.maximum(x @ projection.T, 0), np.maximum(held_x @ projection.T, 0)
    fit_h, fit_y = np.delete(h, np.s_[::4], axis=0), np.delete(y, np.s_[::4])
    errors = [((np.eye(CLASSES)[held_y] - held_h @ ridge(fit_h, fit_y, g).T) ** 2).sum() for g in GRID]
    weight, bias = lda(count, mean, scatter)
    length = np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-300)
    lifted_count, lifted_mean, lifted_scatter = statistics(h, y)
    assert (lifted_count == count).all()
    start = np.round(rng.normal(size=(CLASSES, WIDTH)) * 64) / 64
    start[CLASSES // 2:] *= 8  # two tasks' heads, of different scales
    start_bias = np.round(rng.normal(size=CLASSES) * 64) / 64
    aligned, aligned_bias = align(count, mean, scatter, start.copy(), start_bias.copy())
    logits = (aligned @ x[0] + aligned_bias) * (count > 0)
    case = dict(
        seed=SEED, classes=CLASSES, width=WIDTH, lifted=LIFTED, shrink=SHRINK, penalty=LAMBDA, grid=GRID,
        features=rounded(x), labels=y.tolist(), count=count.tolist(), mean=rounded(mean), scatter=rounded(scatter),
        ncm_weight=rounded(mean / length), lda_weight=rounded(weight), lda_bias=rounded(bias),
        projection=rounded(projection), lifted_mean=rounded(lifted_mean), lifted_scatter=rounded(lifted_scatter),
        ridge_weight=rounded(ridge(h, y, LAMBDA)), held_out_errors=rounded(errors), best=int(np.argmin(errors)),
        task=TASK, draws=DRAWS, lr=LR, start=rounded(start), start_bias=rounded(start_bias),
        aligned_weight=rounded(aligned), aligned_bias=rounded(aligned_bias),
        ncm_scores=rounded(x[0] @ (mean / length).T / np.linalg.norm(x[0])), lda_scores=rounded(weight @ x[0] + bias),
        ridge_scores=rounded(ridge(h, y, LAMBDA) @ h[0]), aligned_scores=rounded(logits / np.linalg.norm(logits) / 0.1))
    with open(output, "w", encoding="ascii") as file:
        file.write("{\n" + ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in case.items()) + "\n}\n")
    print(f"{output}: errors {errors}, {os.path.getsize(output)} bytes")


if __name__ == "__main__":
    main()
