#!/bin/sh
# One configuration, one result: any number of ranks and threads gives checkpoints without a
# difference outside /provenance; the metrics also as h5dump prints them, NaN for NaN.
. "$(dirname "$0")/common.sh"
need mpirun h5diff h5dump

check() { # NAME KEY=VALUE...: trains at several rank and thread counts and compares
    case=$1
    shift
    train 1 "$case-1" "$@" || { cat "$work/$case-1.err"; fail "$case: one rank"; }
    for setting in 2:1 3:1 5:1 1:2 2:2; do
        threads=${setting#*:}
        train "${setting%:*}" "$case-$setting" "$@" compute.threads="$threads" ||
            { cat "$work/$case-$setting.err"; fail "$case: ${setting%:*} ranks, $threads threads"; }
        for task in task_00.h5 task_01.h5 task_02.h5; do
            same "$case-1" "$case-$setting" $task
        done
        h5dump -g /metrics "$runs/$case-1/task_02.h5" | tail -n +2 >"$work/a"
        h5dump -g /metrics "$runs/$case-$setting/task_02.h5" | tail -n +2 >"$work/b"
        cmp "$work/a" "$work/b" || fail "$case: metrics differ at $setting"
        echo "ok: $case at ${setting%:*} rank(s) x $threads thread(s)"
    done
}

# More ranks than images in a step; batches that the ranks do not divide; a short last batch.
check ties pet.attn.type=conv_adapter pet.mlp.type=adapter merge.method=ties
check ema pet.attn.type=lora pet.mlp.type=conv_adapter merge.method=ema train.batch_size=4 \
    data.drop_last=false train.clip_norm=0.5 train.schedule=cosine train.weight_decay=0.01
check mean pet.attn.type=prefix pet.mlp.type=none merge.method=mean compute.backend=openblas
if "$LAE_MPI" --version | grep -q "^oneDNN  *[0-9]"; then
    check bf16 pet.attn.type=adapter pet.mlp.type=conv_adapter merge.method=ties model.precision=bf16
else
    echo "not built in: oneDNN, so nothing is said of bf16"
fi
# Statistics through all modules, all heads, a strength that is chosen.
check heads pet.attn.type=adapter merge.method=ties stats.modules=init,online,offline \
    eval.heads=linear,ncm,lda,aligned,ridge heads.features=40
check none pet.attn.type=adapter merge.method=none

# The comparison itself must be able to fail.
train 1 other pet.attn.type=adapter merge.method=none run.seed=2 || fail "another seed"
differ --exclude-path /provenance "$runs/none-1/task_02.h5" "$runs/other/task_02.h5" ||
    fail "another seed gives the same result"

# Nor do precision and backend give the same bits.
if [ -d "$runs/bf16-1" ]; then
    train 1 fp32 pet.attn.type=adapter pet.mlp.type=conv_adapter merge.method=ties ||
        fail "fp32 beside bf16"
    differ --exclude-path /provenance "$runs/fp32/task_02.h5" "$runs/bf16-1/task_02.h5" ||
        fail "bf16 gives the result of fp32"
fi
exit 0
