#!/bin/sh
# What cannot work is refused from the start: exit 2, one message on one rank's standard error, and
# what is there stays as it was.
. "$(dirname "$0")/common.sh"
need mpirun

# refused PATTERN NP NAME KEY=VALUE...
refused() {
    pattern=$1
    shift
    train "$@"
    code=$?
    [ $code -eq 2 ] || { cat "$work/$2.err"; fail "exit $code instead of 2 for: $*"; }
    [ "$(grep -c '^lae_mpi: ' "$work/$2.err")" -eq 1 ] ||
        { cat "$work/$2.err"; fail "not one message for: $*"; }
    grep -q -- "$pattern" "$work/$2.err" ||
        { cat "$work/$2.err"; fail "the message lacks \"$pattern\" for: $*"; }
    echo "ok: $pattern"
}

train 2 base run.tasks=1 || { cat "$work/base.err"; fail "the first run"; }
cp -a "$runs/base" "$work/before"

refused "merge.method: ema there, ties now" 3 base merge.method=ties
refused "train.lr" 1 base train.lr=0.001
refused "run.seed" 2 base run.seed=7
refused "another model.weights" 2 base run.tasks=2 \
    model.weights="$LAE_TEST_SOURCE/tests/reference/weights/transformers.safetensors"
refused "run.resume is never" 2 base run.resume=never
diff -r "$work/before" "$runs/base" --exclude=lock --exclude=log.txt ||
    fail "a refused start changed the run"

refused 'did you mean "merge.density"' 3 new merge.densty=0.1
refused "no such file\|No such file" 3 new model.weights=/nowhere/w.npz
refused "data.path" 2 new data.dataset=cifar100
refused "pet.blocks" 2 new pet.blocks=0,7
refused "patch size" 2 new data.image_size=18
refused "model.heads" 2 new model.heads=3
refused "data.class_order" 2 new data.class_order=0,0,1
mkdir -p "$runs"
echo file >"$runs/afile"
refused "afile" 2 afile run.tasks=1
lae 3 tarin >"$work/o" 2>"$work/e"
[ $? -eq 2 ] && [ "$(grep -c 'unknown command' "$work/e")" -eq 1 ] || fail "unknown command"

# A file of a newer version is not passed over and overwritten, nor is a directory in its place.
cp -a "$runs/base" "$runs/newer"
sed -i '1s/lae-checkpoint 1 /lae-checkpoint 9 /' "$runs/newer/task_00.h5"
refused "newer version" 1 newer run.tasks=2
mkdir "$runs/base/task_01.h5"
refused "task_01.h5: not a regular file" 2 base run.tasks=3
rmdir "$runs/base/task_01.h5"

# A whole run with other weights.
refused "another model.weights" 2 base run.tasks=1 \
    model.weights="$LAE_TEST_SOURCE/tests/reference/weights/transformers.safetensors"

# Two jobs in one directory.
train 1 busy train.epochs=2000 &
first=$!
await 60 "busy learns" grep -qs '"step":[0-9]' "$runs/busy/metrics.jsonl"
lae 2 run.root="$runs" run.name=busy data.dataset=synthetic model.weights="$tiny" \
    >"$work/second.out" 2>"$work/second.err"
code=$?
kill -TERM "$(ranks_of busy)" || { cat "$work/busy.err"; fail "busy: over before it was asked"; }
wait $first
first=$?
[ $first -eq 75 ] || { cat "$work/busy.err"; fail "busy: exit $first, not 75"; }
[ $code -eq 2 ] && grep -q "in use" "$work/second.err" || { cat "$work/second.err"; fail "the lock"; }
echo "ok: lock"
