#!/bin/sh
# The program and PyTorch on the same work, by turns in one run, so that both see the same machine:
#
#     tests/bench/compare.sh [ROUNDS] [--model base --batch 8 ...] [KEY=VALUE ...]
#
# With 2 ranks of one thread and 2 processes of one thread. The ratio by processor time is the one to
# look at where other programs run on the same cores. Needs python3 with torch (another one by
# PYTHON=...) and a built program (LAE_MPI=..., default build/lae_mpi).
set -eu
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-python3}
rounds=3
case ${1:-} in [0-9]*) rounds=$1; shift ;; esac
"$PYTHON" -c 'import torch' 2>/dev/null || { echo "skipped: $PYTHON has no torch"; exit 77; }

options="" settings="" precision=fp32
while [ $# -gt 0 ]; do
    case $1 in
    --*) options="$options $1 $2"; shift ;;
    model.precision=*) precision=${1#*=}; settings="$settings $1" ;;
    *) settings="$settings $1" ;;
    esac
    shift
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
round=0
while [ $round -lt "$rounds" ]; do
    round=$((round + 1))
    # shellcheck disable=SC2086
    launch/run.sh 2 bench $options --json "$work/ours" compute.threads=1 $settings >"$work/table"
    # shellcheck disable=SC2086
    "$PYTHON" tests/bench/pytorch_vit.py $options --precision $precision >"$work/theirs"
    "$PYTHON" - "$work" $round <<'PYTHON'
import json, sys
work, number = sys.argv[1:]
ours, theirs = json.load(open(work + "/ours")), json.load(open(work + "/theirs"))
for name in "forward", "train":
    mine, other = ours[name], theirs[name]
    ratio, cpu = (mine[unit] / other[unit] for unit in ("images_per_s", "images_per_cpu_s"))
    print(f"round {number}  {name:8} lae_mpi {mine['images_per_s']:7.2f} images/s ({100 * mine['share']:.0f} % of peak)"
          f"   PyTorch {other['images_per_s']:7.2f}   ratio {ratio:.2f}, by processor time {cpu:.2f}", flush=True)
PYTHON
done
cat "$work/table"
