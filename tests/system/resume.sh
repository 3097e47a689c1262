#!/bin/sh
# A run that is started again goes on after its last finished task, at any rank count, and ends with
# the same bits as one that was never interrupted; a damaged last file costs that task alone.
. "$(dirname "$0")/common.sh"
need mpirun h5diff

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

# A missing file in between: the newest counts.
rm "$runs/branch/task_00.h5" "$runs/branch/task_02.h5"
train 2 branch merge.method=ties || fail "with a gap"
same whole branch task_02.h5

# Without modules there is nothing to accumulate, and still a run to go on with.
train 1 bare pet.attn.type=none run.tasks=1 || fail "without modules"
train 2 bare pet.attn.type=none || fail "without modules, going on"
train 1 bare1 pet.attn.type=none || fail "without modules, at once"
same bare bare1 task_02.h5

# A damaged newest file is passed over, aloud, and computed again.
printf 'X' | dd of="$runs/parts/task_02.h5" bs=1 seek=5000 conv=notrunc 2>/dev/null
train 1 parts merge.method=ties || fail "with a damaged file"
grep -q "task_02.h5" "$work/parts.err" || fail "the damage is not said"
same whole parts task_02.h5
echo "ok"
