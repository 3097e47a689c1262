#!/bin/sh
# A run that is started again goes on after its last finished task, at any rank count, and ends with
# the same bits as one that was never interrupted; a damaged last file costs that task alone.
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

# The launcher killed at a random moment, again and again.
round=0
while [ $round -lt 4 ]; do
    round=$((round + 1))
    train $((round % 3 + 1)) killed merge.method=ties train.epochs=30 &
    sleep 1.$((round * 2))
    pkill -KILL -f "run.root=$runs run.name=killed" 2>/dev/null
    wait
    ls "$runs/killed" | tr '\n' ' '; echo
done
train 2 killed merge.method=ties train.epochs=30 || { cat "$work/killed.err"; fail "after kills"; }
train 1 calm merge.method=ties train.epochs=30 || fail "the undisturbed run"
for task in task_00.h5 task_01.h5 task_02.h5; do same calm killed $task; done

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
train 1 lone merge.method=ties train.epochs=300 checkpoint.every_steps=2 &
await_task_1() {
    tries=0
    until grep -q '"task":1,.*"step":[0-9]' "$runs/$1/metrics.jsonl" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || fail "$1: does not come to its second task"
        sleep 0.1
    done
}
await_task_1 lone
pkill -USR1 -f "^$LAE_MPI.*$work/.* run.name=lone "
wait
mkdir "$work/elsewhere"
mv "$runs/lone/resume.h5" "$work/elsewhere/state.h5"
train 1 from_state merge.method=ties train.epochs=300 run.resume="$work/elsewhere/state.h5" &
await_task_1 from_state
pkill -USR1 -f "^$LAE_MPI.*$work/.* run.name=from_state "
wait
[ ! -e "$runs/from_state/task_00.h5" ] && [ -e "$runs/from_state/resume.h5" ] ||
    { cat "$work/from_state.err"; fail "going on from a state alone"; }
train 2 from_state merge.method=ties train.epochs=300 run.tasks=2 || { cat "$work/from_state.err"; fail "a state alone"; }
grep -q "^going on in task 2" "$work/from_state.err" "$work/from_state.out" || fail "begun afresh beside a state"
train 1 straight merge.method=ties train.epochs=300 run.tasks=2 || fail "two tasks at once"
same straight from_state task_01.h5
echo "ok"
