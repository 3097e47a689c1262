#!/bin/sh
# A run that is started again goes on after its last finished task, at any rank count, and ends with
# the same bits as one that was never interrupted; a damaged last file costs that task alone.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm # hundreds of small files, each of them flushed
. "$(dirname "$0")/common.sh"
need mpirun h5diff pkill

train 2 whole merge.method=ties || { cat "$work/whole.err"; fail "the whole run"; }

train 1 parts merge.method=ties run.tasks=1 || fail "the first task"
[ -e "$runs/parts/task_00.h5" ] && [ ! -e "$runs/parts/task_01.h5" ] || fail "run.tasks=1"
train 3 parts merge.method=ties run.tasks=2 || fail "the second task"
train 2 parts merge.method=ties compute.threads=2 || fail "the third task"
for task in task_00.h5 task_01.h5 task_02.h5; do same whole parts $task; done
grep -q "going on after task 2 of 3" "$work/parts.err" || fail "it does not say that it goes on"

# A whole run prints its table again, learns nothing, and changes nothing.
before=$(ls -l --time-style=full-iso "$runs/parts"/task_*.h5)
train 2 parts merge.method=ties || fail "a whole run started again"
grep -q "is whole" "$work/parts.err" || fail "it does not say that the run is whole"
grep -q "average incremental accuracy" "$work/parts.out" || fail "no table"
[ "$before" = "$(ls -l --time-style=full-iso "$runs/parts"/task_*.h5)" ] || fail "files were touched"

# Launcher and ranks killed while the run learns, again and again, at moments that differ. A run that
# was whole before it could be killed begins anew.
train 1 calm merge.method=ties train.epochs=100 || fail "the undisturbed run"
round=0 met=0
while [ $met -lt 4 ]; do
    round=$((round + 1))
    [ $round -le 12 ] || fail "only $met of $round kills met a run that was alive"
    touch "$work/mark"
    train $((round % 3 + 1)) killed merge.method=ties train.epochs=100 &
    launched=$!
    await 60 "killed learns" begun_or_ended killed metrics.jsonl
    sleep 0.$((round * 3 % 7))
    if pkill -KILL -f "run.root=$runs run.name=killed "; then
        wait $launched
        met=$((met + 1))
    else
        wait $launched || { cat "$work/killed.err"; fail "killed: ended by itself with an error"; }
        rm -r "$runs/killed"
    fi
done
train 2 killed merge.method=ties train.epochs=100 || { cat "$work/killed.err"; fail "after kills"; }
for task in task_00.h5 task_01.h5 task_02.h5; do same calm killed $task; done
echo "ok: $met kills met a run that was alive, in $round starts"

# From a file of another run: the tasks before it come along.
train 2 branch merge.method=ties run.resume="$runs/whole/task_01.h5" || fail "run.resume=PATH"
for task in task_00.h5 task_01.h5 task_02.h5; do same whole branch $task; done
train 1 branch merge.method=ties run.resume="$runs/whole/task_01.h5" || fail "run.resume=PATH again"
grep -q "is whole" "$work/branch.err" || fail "the branch is learned again"

# A copy that ends half way has the newest file: it is gone on from, and the same command brings what
# is missing.
mkdir -p "$work/half/task_00.h5"
cp "$runs/whole/task_01.h5" "$work/half"
train 1 half merge.method=ties run.resume="$work/half/task_01.h5"
code=$?
[ $code -eq 2 ] && [ -e "$runs/half/task_01.h5" ] || { cat "$work/half.err"; fail "half a copy: $code"; }
rmdir "$work/half/task_00.h5"
cp "$runs/whole/task_00.h5" "$work/half"
train 1 half merge.method=ties run.resume="$work/half/task_01.h5" ||
    { cat "$work/half.err"; fail "going on from half a copy"; }
for task in task_00.h5 task_01.h5 task_02.h5; do same whole half $task; done

# A missing file in between: the newest counts.
rm "$runs/branch/task_00.h5" "$runs/branch/task_02.h5"
train 2 branch merge.method=ties || fail "with a gap"
same whole branch task_02.h5

# Without modules there is nothing to accumulate, and still a run to go on with.
train 1 bare pet.attn.type=none run.tasks=1 checkpoint.every_steps=1 ||
    { cat "$work/bare.err"; fail "without modules"; }
train 2 bare pet.attn.type=none || fail "without modules, going on"
train 1 bare1 pet.attn.type=none || fail "without modules, at once"
same bare bare1 task_02.h5

# A damaged newest file is passed over, aloud, and computed again.
printf 'X' | dd of="$runs/parts/task_02.h5" bs=1 seek=5000 conv=notrunc 2>/dev/null
train 1 parts merge.method=ties || fail "with a damaged file"
grep -q "task_02.h5" "$work/parts.err" || fail "the damage is not said"
[ -e "$runs/parts/task_02.h5.damaged" ] || fail "the damaged file is not kept"
same whole parts task_02.h5

# A state inside a task that lies alone, without the tasks' files before it, is gone on from; so is
# what comes of it, stopped in the same task, as long as it has no other file.
learns_task_1() {
    grep -q '"task":1,.*"step":[0-9]' "$runs/$1/metrics.jsonl" 2>/dev/null
}
# stop_in_task_1 NAME: the run of `launched`, by a request; it must have been at work.
stop_in_task_1() {
    await 120 "$1 comes to its second task" learns_task_1 "$1"
    kill -USR1 "$(ranks_of "$1")" || { cat "$work/$1.err"; fail "$1: over before it was asked"; }
    wait $launched
    code=$?
    [ $code -eq 75 ] || { cat "$work/$1.err"; fail "$1: exit $code, not 75"; }
}
train 1 lone merge.method=ties train.epochs=300 checkpoint.every_steps=2 &
launched=$!
stop_in_task_1 lone
mkdir "$work/elsewhere"
mv "$runs/lone/resume.h5" "$work/elsewhere/state.h5"
train 1 from_state merge.method=ties train.epochs=300 run.resume="$work/elsewhere/state.h5" &
launched=$!
stop_in_task_1 from_state
[ ! -e "$runs/from_state/task_00.h5" ] && [ -e "$runs/from_state/resume.h5" ] ||
    { cat "$work/from_state.err"; fail "going on from a state alone"; }
train 2 from_state merge.method=ties train.epochs=300 run.tasks=2 || { cat "$work/from_state.err"; fail "a state alone"; }
grep -q "^going on in task 2" "$work/from_state.err" "$work/from_state.out" || fail "begun afresh beside a state"
train 1 straight merge.method=ties train.epochs=300 run.tasks=2 || fail "two tasks at once"
same straight from_state task_01.h5
echo "ok"
