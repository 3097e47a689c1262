#!/bin/sh
# Makes follow/: a small data set in CIFAR-100's format, and for each case what the reference (in
# double precision) has learned after two tasks, starting from the program's own initial values:
#     make_follow_fixtures.sh PROGRAM [PYTHON]
# tests/system/follow.sh trains the same with the program and compares.
set -eu
program=$(realpath "$1")
python=${2:-python3}
cd "$(dirname "$0")"
. ./follow_cases.sh
mkdir -p follow
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

$python - <<'PYTHON'
import numpy as np
rng = np.random.default_rng(5)
for name, each in (("train", 7), ("test", 2)):
    records = []
    for number in range(each):
        for label in (0, 1, 2, 50, 51, 52):
            # A coarse pattern that belongs to the label, and noise.
            pattern = np.random.default_rng(label).integers(0, 256, (3, 4, 4))
            pixels = np.kron(pattern, np.ones((8, 8), int)) * 0.6 + rng.integers(0, 100, (3, 32, 32))
            records.append(bytes([0, label]) + pixels.clip(0, 255).astype(np.uint8).tobytes())
    open(f"follow/{name}.bin", "wb").write(b"".join(records))
PYTHON

cases | while read -r name settings; do
    # Initial values and classifiers: a run that stands still.
    mkdir -p "$work/$name"
    # shellcheck disable=SC2046
    "$program" run.root="$work" run.name="$name" $(program_settings $settings) train.lr=0
    $python make_follow.py --output "follow/$name.h5" --dtype float64 --weights weights/timm-f32.safetensors \
        --data follow --heads 2 --image-size 16 --mean 0.5 --std 0.5 --classes-per-task 50 \
        --tasks 2 --epochs 3 --freeze-epochs 1 --batch-size 6 --blocks 0 1 \
        --init "$work/$name/task_00.h5" --head-init "$work/$name/task_01.h5" \
        $(reference_settings $settings)
done
