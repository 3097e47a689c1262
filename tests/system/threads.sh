#!/bin/sh
# Threads: a rank with several learns, bit by bit, what a rank with one learns, with each kind of
# module and merge that has steps of its own for them. Under ThreadSanitizer (launch/test.sh
# --sanitize=thread) these are the trainings that are searched for races.
. "$LAE_TEST_SOURCE/tests/system/common.sh"
need h5diff

# compare WHAT KEY=VALUE...: one thread against three, two tasks.
compare() {
    what=$1
    shift
    for threads in 1 3; do
        train 1 "$what-$threads" run.tasks=2 "$@" compute.threads=$threads || {
            cat "$work/$what-$threads.err"
            fail "$what: the training with $threads thread(s)"
        }
    done
    same "$what-1" "$what-3" task_01.h5
}

compare ties pet.attn.type=conv_adapter pet.mlp.type=adapter merge.method=ties
compare ema pet.attn.type=lora merge.method=ema eval.every=epoch
compare mean pet.attn.type=prefix merge.method=mean checkpoint.every_steps=2
