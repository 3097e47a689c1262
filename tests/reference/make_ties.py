#!/usr/bin/env python3
"""Write ties.json: small TIES merges whose inputs and outputs are all exact in float32.

Usage: make_ties.py [OUTPUT]
The expected values are computed in exact fractions, one entry at a time, as the method words it; the array
version in lae_reference.py must agree. The layout is described in README.md.
"""
import itertools
import json
import math
import os
import sys
from fractions import Fraction

import numpy as np

import lae_reference as lae


def sign(x):
    return (x > 0) - (x < 0)


def keep_largest(v, density):
    """The max(1, floor(density*n)) entries largest in magnitude and all equal to the smallest of them."""
    k = max(1, math.floor(density * len(v)))
    threshold = sorted((abs(x) for x in v), reverse=True)[k - 1]
    return [x if abs(x) >= threshold else Fraction(0) for x in v]


def trim(v, density, scope, sizes):
    if scope == "global":
        return keep_largest(v, density)
    out = []
    for size in sizes:
        out += keep_largest(v[len(out):len(out) + size], density)
    return out


def merge(case):
    """All steps of one case: trimmed vectors, gamma, merged and the result, in exact fractions."""
    base, offline, online = ([Fraction(x) for x in case[name]] for name in ("base", "offline", "online"))
    weights = (case["task"], 1) if case["weighting"] == "tasks" else (1, 1)
    vectors = [trim([a - b for a, b in zip(theta, base)], case["density"], case["scope"], case["sizes"])
               for theta in (offline, online)]
    gamma = [sign(sum(w * x for w, x in zip(weights, pair))) for pair in zip(*vectors)]
    majority = sign(sum(gamma))
    gamma = [g if g != 0 else majority for g in gamma]
    merged = []
    for g, pair in zip(gamma, zip(*vectors)):
        agree = [(w, x) for w, x in zip(weights, pair) if x != 0 and sign(x) == g]
        if not agree:
            merged.append(Fraction(0))
        elif case["reduce"] == "max":
            merged.append(max((x for _, x in agree), key=abs))
        else:
            total = sum(w * x for w, x in agree)
            merged.append(total / sum(w for w, _ in agree) if case["reduce"] == "mean" else total)
    result = [b + Fraction(case["scale"]) * m for b, m in zip(base, merged)]
    return dict(trimmed_offline=vectors[0], trimmed_online=vectors[1], gamma=gamma, merged=merged, expected=result)


def case(name, base, offline, online, sizes=None, density=1.0, scale=1.0, reduce="mean", scope="global",
         weighting="equal", task=1):
    out = dict(name=name, density=density, scale=scale, reduce=reduce, scope=scope, weighting=weighting, task=task,
               sizes=sizes or [len(base)], base=base, offline=offline, online=online)
    assert len(base) == len(offline) == len(online) == sum(out["sizes"])
    for key, values in merge(out).items():
        out[key] = [float(x) for x in values]
        assert all(Fraction(float(np.float32(float(x)))) == x for x in values), (name, key)
    return out


def by_hand():
    """Cases small enough to follow with a pencil: v is theta - base, and base is 0 unless said."""
    zero = [0.0] * 4
    many = [0.0] * 10
    return [
        case("agree: mean of both", zero, [1, 2, -3, -4], [3, 4, -1, -2]),
        case("agree: sum", zero, [1, 2, -3, -4], [3, 4, -1, -2], reduce="sum"),
        case("agree: max", zero, [1, 2, -3, -4], [3, 4, -1, -2], reduce="max"),
        case("conflict: the larger sum wins, the other is left out", zero, [3, -3, 1, -1], [-1, 1, -4, 4]),
        case("one zero: the other alone, not halved", zero, [2, 0, 0, -2], [0, 4, 0, 0]),
        case("both zero merge to zero", zero, [0, 0, 0, 5], [0, 0, 0, 5]),
        case("sum exactly 0 takes the sign of all (+)", zero, [2, 1, 3, -1], [-2, 1, 3, -1]),
        case("sum exactly 0 takes the sign of all (-)", zero, [2, -1, -3, 1], [-2, -1, -3, 1]),
        case("sum exactly 0, max takes the agreeing one", zero, [2, 1, 3, 1], [-2, 1, 3, 1], reduce="max"),
        case("sum exactly 0 and all gammas 0: entries merge to 0", zero, [2, -1, 3, 0], [-2, 1, -3, 0]),
        case("gammas cancel: sum of gammas 0", zero, [2, 1, -1, 0], [-2, 1, -1, 0]),
        case("weighted sum exactly 0", zero, [1, 1, 2, 1], [-3, 1, 2, 1], weighting="tasks", task=3),
        case("weights turn the election", zero, [1, -1, 1, -1], [-2, 2, 2, -2], weighting="tasks", task=3),
        case("weighted max is unweighted", zero, [1, 1, -1, -2], [3, 2, -4, -1], weighting="tasks", task=3, reduce="max"),
        case("weighted sum", zero, [1, 1, -1, -2], [3, -2, -4, 1], weighting="tasks", task=3, reduce="sum"),
        case("trim keeps 2 of 10", many, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [10, 9, 8, 7, 6, 5, 4, 3, 2, 1], density=0.2),
        case("trim: tied at the threshold are all kept", many, [5, -5, 5, -5, 1, 2, 3, 4, 0, 6],
             [1, 1, 1, 1, -7, 7, -7, 7, 7, 1], density=0.2),
        case("trim keeps at least 1", zero, [1, -2, 3, 4], [1, 2, -3, 2], density=0.1),
        case("trim: floor", many, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [-1, -2, -3, 4, 5, 6, 7, 8, 9, 10], density=0.35),
        case("trim: density 0.7 of 10 is 7", many, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
             density=0.7),
        case("trim: k-th largest is 0", many, [0, 0, 0, 3, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, -2, 0, 0, 0, 0, 0], density=0.5),
        case("trim: each tensor by itself", many, [1, 2, 3, 4, 5, 60, 70, 80, 90, 0], [5, 4, 3, 2, 1, 0, 90, 80, 70, 60],
             sizes=[5, 1, 4], density=0.4, scope="tensor"),
        case("the same, globally", many, [1, 2, 3, 4, 5, 60, 70, 80, 90, 0], [5, 4, 3, 2, 1, 0, 90, 80, 70, 60],
             sizes=[5, 1, 4], density=0.4),
        case("tensor scope: the sign of all is still the whole vector's", many, [2, 1, 1, 1, 1, 2, -1, -1, 0, 0],
             [-2, 1, 1, 1, 1, -2, -1, -1, 0, 0], sizes=[5, 5], scope="tensor"),
        case("base and scale", [1.0, -2.0, 0.5, 8.0], [3, -4, 1.5, 6], [5, -1, -0.5, 6], scale=0.5),
        case("base, scale above 1", [1.0, -2.0, 0.5, 8.0], [3, -4, 1.5, 6], [5, -1, -0.5, 6], scale=1.5, reduce="sum"),
        case("nothing moved", [1.0, -2.0, 0.5, 8.0], [1, -2, 0.5, 8], [1, -2, 0.5, 8]),
    ]


def drawn():
    """Random multiples of 1/4 with zeros, ties and conflicts; task 1, 3 or 7 so that weighted means stay exact."""
    rng = np.random.default_rng(11)
    sizes = [6, 1, 9, 4]
    options = list(itertools.product(("mean", "sum", "max"), ("global", "tensor"), ("equal", "tasks")))
    for i, (reduce, scope, weighting) in enumerate(options):
        for j, density in enumerate((0.2, 0.5, 1.0)):
            base, offline, online = (rng.integers(-8, 9, sum(sizes)) / 4 for _ in range(3))
            same = rng.random(sum(sizes))
            offline = np.where(same < 0.15, base, offline)
            online = np.where(same > 0.85, base, online)
            yield case(f"random {reduce} {scope} {weighting} {density}", base.tolist(), offline.tolist(), online.tolist(),
                       sizes, density, (1.0, 0.5, 2.0)[(i + j) % 3], reduce, scope, weighting, (1, 3, 7)[(i + j // 2) % 3])


def check_arrays(c):
    """The array version must give the same numbers, in float32 too."""
    options = lae.Merge("ties", density=c["density"], scale=c["scale"], reduce=c["reduce"], scope=c["scope"])
    weights = (c["task"], 1) if c["weighting"] == "tasks" else (1, 1)
    for dtype in (np.float32, np.float64):
        base, offline, online = (np.array(c[name], dtype) for name in ("base", "offline", "online"))
        got = lae.ties(base, [offline, online], weights, c["sizes"], options)
        assert np.array_equal(got, c["expected"]), (c["name"], got, c["expected"])


def main():
    output = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "ties.json")
    cases = by_hand() + list(drawn())
    for c in cases:
        check_arrays(c)
    with open(output, "w") as file:
        file.write('{"cases": [\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
    print(f"{output}: {len(cases)} cases, {os.path.getsize(output)} bytes")


if __name__ == "__main__":
    main()
