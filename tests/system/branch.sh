#!/bin/sh
# A run that begins after a task of another, with other keys for what is to come: the same bits however
# it is computed and interrupted, recorded in its files; and bad input leaves nothing behind.
. "$(dirname "$0")/common.sh"
need mpirun h5diff h5dump h5ls

refused() { # PATTERN NAME KEY=VALUE...
    pattern=$1
    name=$2
    shift 2
    train 2 "$name" "$@"
    code=$?
    [ $code -eq 2 ] || { cat "$work/$name.err"; fail "exit $code instead of 2: $*"; }
    grep -Eq -- "$pattern" "$work/$name.err" || { cat "$work/$name.err"; fail "no \"$pattern\""; }
    echo "ok: $pattern"
}


train 2 whole merge.method=ema || { cat "$work/whole.err"; fail "the run to branch from"; }
first=$runs/whole/task_00.h5

# Other epochs, learning rate, merge and heads, after the first of three tasks.
other="train.epochs=2 train.freeze_epochs=0 train.lr=0.01 merge.method=ties merge.vectors=tasks merge.base=first eval.heads=linear,aligned heads.shrink=0.5"
# shellcheck disable=SC2086
branch() { # NP NAME KEY=VALUE...
    ranks=$1 name=$2
    shift 2
    train "$ranks" "$name" $other run.resume="$first" "$@"
}
branch 2 new || { cat "$work/new.err"; fail "a branch"; }
grep -q "branching from $first, after task 1 of 3" "$work/new.err" || fail "the branch is not told"
grep -q "train.epochs: 3 there, 2 now" "$work/new.err" || fail "the keys are not told"
cmp "$first" "$runs/new/task_00.h5" || fail "the task before the branch is not a copy"
for task in 1 2; do
    file=$runs/new/task_0$task.h5
    h5dump -d /config "$file" | grep -q "epochs: 2" || fail "/config of task $task is not the branch's"
    h5dump -d /config_before/task_00 "$file" | grep -q "method: ema" || fail "/config_before of task $task"
    h5dump -a /provenance/branched_from "$file" | grep -q "$first" || fail "branched_from of task $task"
done
h5dump -d /metrics/online/seen "$runs/new/task_02.h5" | grep -q -i nan && fail "accuracies before the branch are lost"
"$LAE_MPI" inspect "$runs/new/task_02.h5" >"$work/out" 2>&1 || fail "inspect"
grep -q "until task 0 *" "$work/out" || { cat "$work/out"; fail "inspect does not tell of the branch"; }
"$LAE_MPI" report "$runs/whole" "$runs/new" --output "$work/page" 2>"$work/out" || { cat "$work/out"; fail "report"; }
grep -q "<p>new branched after task 0, until which it had.*<code>merge.method</code> ema" "$work/page/report.html" ||
    fail "the page does not tell of the branch"
for np in 1 2; do
    lae $np evaluate "$runs/new" >"$work/out" 2>&1 || fail "evaluate a branch"
    grep -q "^the same as stored in the file$" "$work/out" || { cat "$work/out"; fail "other accuracies"; }
done
echo "ok: a branch and its record"

# The same bits at another number of ranks, and where it is stopped at its first step, and goes on
# without run.resume.
branch 1 other_np compute.threads=2 || fail "a branch at one rank"
same new other_np task_01.h5
same new other_np task_02.h5
branch 1 stopped run.tasks=1 || { cat "$work/stopped.err"; fail "a branch that is to do nothing yet"; }
branch 2 stopped run.tasks=2 || { cat "$work/stopped.err"; fail "a branch that goes on"; }
# shellcheck disable=SC2086
train 3 stopped $other || { cat "$work/stopped.err"; fail "a branch that goes on by itself"; }
same new stopped task_02.h5
mkdir -p "$runs/cut"
cp "$first" "$runs/cut/" # killed after the copy
branch 2 cut || { cat "$work/cut.err"; fail "a branch whose copies are there"; }
same new cut task_02.h5
echo "ok: the same bits"

# A branch of a branch; a run's directory stands for its newest task.
train 2 third $other train.lr=0.002 merge.method=none merge.vectors=pair merge.base=init \
    run.resume="$runs/new/task_01.h5" ||
    { cat "$work/third.err"; fail "a branch of a branch"; }
h5ls -r "$runs/third/task_02.h5" >"$work/out"
grep -q "/config_before/task_00" "$work/out" && grep -q "/config_before/task_01" "$work/out" ||
    { cat "$work/out"; fail "not both configurations"; }
grep -q "/offline\|/ensemble" "$work/out" && fail "an offline module with merge.method none"
"$LAE_MPI" evaluate "$runs/third" >"$work/out" 2>&1 || fail "evaluate a branch of a branch"
grep -q "^the same as stored in the file$" "$work/out" || { cat "$work/out"; fail "other accuracies"; }
train 2 two run.tasks=2 || fail "two tasks"
train 2 directory train.epochs=1 train.freeze_epochs=0 run.resume="$runs/two" || fail "a run's directory"
cmp "$runs/two/task_01.h5" "$runs/directory/task_01.h5" || fail "not its newest task"
echo "ok: branches of branches"

# What cannot be, and leaves nothing.
touch "$work/stamp"
find "$runs" -type f -exec sha256sum {} + | sort >"$work/before"
refused "cannot change between tasks.*" no1 pet.attn.hidden=3 train.epochs=2 run.resume="$first"
grep -q "train.epochs:" "$work/no1.err" && fail "a key that may change is refused"
refused "pet.attn.hidden: null there, 3 now" no1 pet.attn.hidden=3 run.resume="$first"
refused "run.seed: 1 there, 2 now" no2 run.seed=2 run.resume="$first"
refused "nothing is to come" no3 train.epochs=1 run.resume="$runs/whole/task_02.h5"
refused "nothing is to come" no3 train.epochs=1 run.resume="$runs/whole"
train 1 alone merge.method=none run.tasks=1 || fail "a run without offline"
refused "has no offline module" no4 merge.method=ties run.resume="$runs/alone/task_00.h5"
refused "/stats/online is missing" no5 stats.modules=online run.resume="$first"
refused "another model.weights" no6 model.weights="${tiny%/*}/transformers.safetensors" run.resume="$first"
refused "with run.resume=.*it begins after this run's" whole merge.method=ema train.epochs=1
rm -r "$runs/alone"
find "$runs" -type f -exec sha256sum {} + | sort >"$work/after"
cmp "$work/before" "$work/after" || { diff "$work/before" "$work/after"; fail "what is refused touches something"; }
for name in no1 no2 no3 no4 no5 no6; do
    [ ! -e "$runs/$name" ] || { ls -la "$runs/$name"; fail "$name is left behind"; }
done
echo "ok: refusals leave nothing"

# The same of other bad input, in a place where nothing was.
cd "$work" || exit 1
mkdir bare
cd bare || exit 1
for bad in "--config best" "--config best model.weights=$tiny data.path=nowhere" \
    "data.dataset=folder data.path=. model.weights=$tiny" "model.weights=/dev/null" "pet.blocks=9" \
    "data.image_size=33" "run.root=a/b/c/d model.weights=nothing.npz" "model.heads=7"; do
    # shellcheck disable=SC2086
    "$LAE_MPI" train $bad >"$work/out" 2>"$work/err"
    code=$?
    [ $code -eq 2 ] || { cat "$work/err"; fail "exit $code instead of 2: $bad"; }
    [ -z "$(ls -A)" ] || { find .; fail "bad input leaves something: $bad"; }
done
echo "ok: bad input leaves nothing"
