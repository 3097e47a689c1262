#!/bin/sh
# How the time grows: the bench over one thing at a time, the others as in the first line, as a table
# of tab-separated columns on standard output:
#
#     tests/bench/growth.sh [AXIS ...]        axes: ranks threads batch model modules tasks
#
# tasks: the demonstration, its tasks one after the other; `steps_s` are its training steps, `after_s`
# all that follows them (merge, statistics, evaluation on all tasks so far).
# `share` is of the peak measured in the same run, so lines can be compared on a machine whose speed
# changes. Needs a built program (LAE_MPI=..., default build/lae_mpi). Environment: MODEL (small),
# BATCH (8), REPEATS (5).
set -eu
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- ranks threads batch model modules tasks
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# figure NAME N: the N-th number of that name in the bench's JSON.
figure() {
    sed -n "s/^ *\"$1\": \([-0-9.e]*\),*$/\1/p" "$work/json" | sed -n "$2p"
}

# measure AXIS VALUE RANKS THREADS MODEL BATCH [KEY=VALUE ...]
measure() {
    printf '%s\t%s' "$1" "$2"
    ranks=$3 threads=$4 size=$5 images=$6
    shift 6
    launch/run.sh "$ranks" bench --model "$size" --batch "$images" --repeats "${REPEATS:-5}" \
        --json "$work/json" compute.threads="$threads" "$@" >/dev/null
    for what in "gemm_peak_gflops 1" "images_per_s 1" "share 1" "images_per_s 2" "share 2" "idle 1" \
        "step 1" "allreduce 1" "optimiser 1" "merge 1" "rank_mb 1" "node_mb 1"; do
        # shellcheck disable=SC2086
        printf '\t%s' "$(figure $what)"
    done
    printf '\n'
}

# run_seconds EVENT TASK: when the run's event was written, in seconds of training.
run_seconds() {
    sed -n "s/^{\"event\":\"$1\",\"task\":$2,.*\"seconds\":\([0-9.]*\).*/\1/p" "$work/run/metrics.jsonl" | tail -1
}

tasks() {
    printf 'axis\tvalue\tsteps_s\tafter_s\n'
    launch/run.sh 2 run.root="$work" run.name=run train.epochs=1 compute.threads=1 >/dev/null 2>&1
    before=0 task=0
    while learned=$(run_seconds epoch $task) && [ -n "$learned" ]; do
        whole=$(run_seconds task $task)
        echo "$task $before $learned $whole" |
            awk '{ printf "tasks\t%d\t%.3f\t%.3f\n", $1 + 1, $3 - $2, $4 - $3 }'
        before=$whole task=$((task + 1))
    done
}

if [ "$*" != tasks ]; then
    printf 'axis\tvalue\tpeak\tforward\tshare\ttrain\tshare\tidle\tstep_s\tallreduce_s\toptimiser_s'
    printf '\tmerge_s\trank_mb\tnode_mb\n'
fi
model=${MODEL:-small} batch=${BATCH:-8}
for axis in "$@"; do
    case $axis in
    ranks) for n in 1 2 4 8; do measure ranks $n $n 1 "$model" "$batch"; done ;;
    threads) for n in 1 2 4; do measure threads $n 1 $n "$model" "$batch"; done ;;
    batch) for n in 2 4 8 16 24; do measure batch $n 2 1 "$model" $n; done ;;
    model) for name in tiny small base; do measure model $name 2 1 $name "$batch"; done ;;
    modules)
        measure modules none 2 1 "$model" "$batch" pet.attn.type=none
        for type in adapter conv_adapter lora prefix; do
            measure modules $type 2 1 "$model" "$batch" pet.attn.type=$type
        done
        measure modules adapter-64 2 1 "$model" "$batch" pet.attn.hidden=64
        measure modules conv_adapter-both 2 1 "$model" "$batch" pet.attn.type=conv_adapter \
            pet.mlp.type=conv_adapter
        measure modules adapter-last 2 1 "$model" "$batch" 'pet.blocks=[11]'
        ;;
    tasks) tasks ;;
    *) echo "tests/bench/growth.sh: no axis $axis" >&2; exit 2 ;;
    esac
done
