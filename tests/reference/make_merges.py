#!/usr/bin/env python3
"""Write merges.json: merges over several tasks, of pairs and of all tasks' changes, to be met to the bit.

Usage: make_merges.py [OUTPUT]
The definitions of merge.h in numpy, whole arrays at a time: changes in float32, everything else in float64, sums over
the changes from the first to the last, rounded to float32 where merge.h says so. Random numbers by Philox written out.
The layout is described in README.md.
"""
import itertools
import json
import math
import os
import sys

import numpy as np

from make_heads import philox

PURPOSE = 11  # the purpose's number for dropping
SIZES = [7, 1, 18, 11]
TASKS = 4
COUNT = sum(SIZES)


def uniform(seed, task, accumulated, index):
    """Number `index` of the stream of a task's change, or of the accumulated module's."""
    counter = (index >> 2, 0, task << 16 | int(accumulated), PURPOSE)
    return philox(counter, (int(seed) & 0xFFFFFFFF, int(seed) >> 32))[index & 3] / 2.0**32


def changes_of(c, init, thetas, offline, t):
    """[(v, weight, task, accumulated)] and what they are added to."""
    if c["vectors"] == "pair":
        base = thetas[0] if c["base"] == "first" else init
        w = float(t) if c["weighting"] == "tasks" else 1.0
        return [(offline - base, w, t, True), (thetas[t] - base, 1.0, t, False)], base
    if c["base"] == "first":
        return [(thetas[k] - thetas[0], 1.0, k, False) for k in range(1, t + 1)], thetas[0]
    if c["base"] == "previous":
        before = [init] + thetas
        return [(thetas[k] - before[k], 1.0, k, False) for k in range(t + 1)], init
    return [(thetas[k] - init, 1.0, k, False) for k in range(t + 1)], init


def keep_largest(v, density):
    k = min(len(v), max(1, math.floor(density * len(v) * (1 + 2.0**-50))))
    return np.where(np.abs(v) >= np.sort(np.abs(v))[len(v) - k], v, np.float32(0))


def trim(c, v):
    parts = np.split(v, np.cumsum(SIZES)[:-1]) if c["scope"] == "tensor" else [v]
    return np.concatenate([keep_largest(part, c["density"]) for part in parts])


def weighted_sum(changes, masks=None):
    total = np.zeros(COUNT)
    for i, (v, w, _, _) in enumerate(changes):
        term = w * v.astype(np.float64)
        total = total + (term if masks is None else np.where(masks[i], term, 0.0))
    return total


def ties(c, changes):
    changes = [(trim(c, v), w, k, a) for v, w, k, a in changes]
    gamma = np.sign(weighted_sum(changes))
    gamma = np.where(gamma == 0, np.sign(gamma.sum()), gamma)
    masks = [(v != 0) & (np.sign(v) == gamma) for v, _, _, _ in changes]
    none = ~np.any(masks, axis=0)
    if c["reduce"] == "max":
        largest = np.max([np.where(m, np.abs(v), 0) for m, (v, _, _, _) in zip(masks, changes)], axis=0)
        return gamma * largest
    merged = weighted_sum(changes, masks)
    if c["reduce"] == "mean":
        weight = np.zeros(COUNT)
        for m, (_, w, _, _) in zip(masks, changes):
            weight = weight + np.where(m, w, 0.0)
        merged = merged / np.where(none, 1.0, weight)
    return np.where(none, 0.0, merged)


def dare(c, changes):
    masks = [np.array([uniform(c["seed"], k, a, i) < c["density"] for i in range(COUNT)]) for _, _, k, a in changes]
    merged = weighted_sum(changes, masks) / c["density"]
    return merged / sum(w for _, w, _, _ in changes) if c["reduce"] == "mean" else merged


def run(c, init, thetas):
    """The offline module after each task."""
    out = [thetas[0]]
    for t in range(1, TASKS):
        offline = out[-1]
        if c["method"] == "ema_task":
            d = c["decay"]
            out.append((d * offline.astype(np.float64) + (1.0 - d) * thetas[t].astype(np.float64)).astype(np.float32))
            continue
        changes, base = changes_of(c, init, thetas, offline, t)
        merge = dict(ties=ties, dare=dare, task_arithmetic=lambda _, v: weighted_sum(v))[c["method"]]
        merged = merge(c, changes).astype(np.float32)
        out.append((base.astype(np.float64) + c["scale"] * merged.astype(np.float64)).astype(np.float32))
    return out


def drawn(rng):
    """Modules that wander: some entries at rest, some that come back, magnitudes over several powers of 2."""
    size = np.exp2(rng.integers(-6, 3, COUNT))
    init = (rng.normal(size=COUNT) * size).astype(np.float32)
    thetas, now = [], init
    for _ in range(TASKS):
        step = np.where(rng.random(COUNT) < 0.2, 0, rng.normal(size=COUNT) * size * 0.3)
        now = np.where(rng.random(COUNT) < 0.1, init, (now + step).astype(np.float32))
        thetas.append(now)
    return init, thetas


def short(x):
    """As few digits as name these float32, read as doubles and rounded."""
    out = [float(str(value)) for value in x]
    assert np.array_equal(np.array(out).astype(np.float32), x)
    return out


def cases():
    origins = [("pair", "init"), ("pair", "first"), ("tasks", "init"), ("tasks", "first"), ("tasks", "previous")]
    methods = [("task_arithmetic", "mean", "global"), ("ties", "mean", "global"), ("ties", "sum", "tensor"),
               ("ties", "max", "global"), ("dare", "mean", "global"), ("dare", "sum", "global")]
    for (vectors, base), (method, reduce, scope) in itertools.product(origins, methods):
        for weighting in ("equal", "tasks") if vectors == "pair" else ("equal",):
            yield dict(method=method, vectors=vectors, base=base, reduce=reduce, scope=scope, weighting=weighting)
    yield dict(method="ema_task", vectors="pair", base="init", reduce="mean", scope="global", weighting="equal")


def main():
    output = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "merges.json")
    rng = np.random.default_rng(23)
    written = []
    for i, c in enumerate(cases()):
        c.update(density=(0.2, 0.29, 0.5, 0.9)[i % 4], scale=(1.0, 0.3, 0.7)[i % 3], decay=0.6, seed=str((1, 2**63 + 5)[i % 2]))
        init, thetas = drawn(rng)
        expected = run(c, init, thetas)
        assert len({x.tobytes() for x in expected}) == TASKS, c
        c.update(init=short(init), online=[short(x) for x in thetas], offline=[short(x) for x in expected])
        written.append(json.dumps(c))
    with open(output, "w") as file:
        file.write(f'{{"sizes": {SIZES}, "cases": [\n' + ",\n".join(written) + "\n]}\n")
    print(f"{output}: {len(written)} cases, {os.path.getsize(output)} bytes")


if __name__ == "__main__":
    main()
