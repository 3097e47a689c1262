#!/bin/sh
# Merges that look back over tasks, and runs that start from what was merged: the same bits at any
# number of ranks, cut anywhere, and from a file alone.
. "$(dirname "$0")/common.sh"
need mpirun h5diff h5ls

# whole and parts NAME KEY=VALUE...: at once with 2 ranks; task by task with others, the second from
# inside, the third from a copy of the second's file that lies alone.
compare() {
    run=$1
    shift
    train 2 "$run" "$@" || { cat "$work/$run.err"; fail "$run"; }
    train 1 "$run-parts" "$@" run.tasks=1 || fail "$run, the first task"
    touch "$work/mark"
    train 1 "$run-parts" "$@" run.tasks=2 checkpoint.every_steps=1 &
    launched=$!
    await 60 "$run-parts saves a state" begun_or_ended "$run-parts" resume.h5
    kill -TERM "$(ranks_of "$run-parts")" || fail "$run: over before it was cut"
    wait $launched
    code=$?
    [ $code -eq 75 ] || { cat "$work/$run-parts.err"; fail "$run: cut with exit $code"; }
    [ -s "$runs/$run-parts/resume.h5" ] || fail "$run was not cut inside a task"
    train 3 "$run-parts" "$@" run.tasks=2 || fail "$run, the second task"
    mkdir "$work/alone"
    mv "$runs/$run-parts/task_01.h5" "$work/alone"
    train 2 "$run-end" "$@" run.resume="$work/alone/task_01.h5" || fail "$run, the third task"
    same "$run" "$run-parts" task_00.h5
    same "$run" "$run-end" task_01.h5
    same "$run" "$run-end" task_02.h5
    rm -r "$work/alone"
    echo "ok: $run"
}

# lists NAME PATTERN: whether something in the last task's file fits.
lists() {
    h5ls -r "$runs/$1/task_02.h5" | grep -q "$2"
}

long="train.epochs=30 train.freeze_epochs=2"
compare pair merge.method=ties $long
lists pair "^/history" && fail "a pair needs no history"
compare tasks merge.method=ties merge.vectors=tasks merge.base=previous $long
lists tasks "^/history/task_01/blocks/0/attn/adapter/up/weight" || fail "no history"
lists tasks "^/history/task_02" && fail "the newest is /online, not history"
compare first merge.method=task_arithmetic merge.base=first merge.scale=0.5 $long
lists first "^/history/task_00/" || fail "the first task's end is not kept"
lists first "^/history/task_01/" && fail "more is kept than is needed"
compare dare merge.method=dare merge.vectors=tasks merge.density=0.5 $long
compare onward merge.method=ema_task merge.decay=0.5 train.start_from=offline $long

# What the options do is not nothing: other modules than the plain run's.
for name in tasks first dare onward; do
    differ "$runs/pair/task_02.h5" "$runs/$name/task_02.h5" /offline ||
        fail "$name gives the offline module of the plain run"
done
for name in tasks first dare; do
    alike "$runs/pair/task_02.h5" "$runs/$name/task_02.h5" /online ||
        { cat "$work/h5diff.out"; fail "online depends on the merge $name"; }
done
differ "$runs/pair/task_02.h5" "$runs/onward/task_02.h5" /online ||
    fail "start_from=offline does not change online"

# A file whose history was taken away is refused by name.
cp "$runs/tasks/task_01.h5" "$work/task_01.h5"
"$LAE_MUTATE_RUN" --without /history "$work/task_01.h5" || fail "the history cannot be taken away"
train 1 refused merge.method=ties merge.vectors=tasks merge.base=previous $long \
    run.resume="$work/task_01.h5" && fail "a run without its history goes on"
grep -q "/history/task_00 is missing" "$work/refused.err" ||
    { cat "$work/refused.err"; fail "the missing history is not named"; }
echo "ok: refusals"
