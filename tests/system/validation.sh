#!/bin/sh
# data.validation_share: evaluated is on training images that are held out, and no test image has any
# influence. Two data sets that differ in their test images alone give the same checkpoints.
. "$(dirname "$0")/common.sh"
need mpirun h5diff h5dump h5ls

for seed in 1 2; do
    lae 1 synth "$work/images$seed" data.synthetic.classes=100 data.synthetic.train=5 \
        data.synthetic.test=2 data.synthetic.seed=$seed 2>"$work/synth.err" ||
        { cat "$work/synth.err"; fail "synth"; }
done
cp "$work/images1/train.bin" "$work/images2/train.bin"

# learn NP NAME IMAGES KEY=VALUE...
learn() {
    np=$1 name=$2 images=$3
    shift 3
    train "$np" "$name" data.dataset=cifar100 data.path="$work/$images" data.classes_per_task=40 \
        run.tasks=2 train.lr=0.02 "$@" || { cat "$work/$name.err"; fail "training $name"; }
}

learn 1 a images1 data.validation_share=0.4
learn 2 b images1 data.validation_share=0.4 compute.threads=2
learn 3 c images2 data.validation_share=0.4
learn 1 other images1 data.validation_share=0.2
learn 1 test1 images1
learn 2 test2 images2
for task in task_00.h5 task_01.h5; do
    same a b $task
    same a c $task
done
differ --exclude-path /provenance "$runs/test1/task_01.h5" "$runs/test2/task_01.h5" ||
    fail "other test images make no difference where they are evaluated on"
differ "$runs/a/task_01.h5" "$runs/other/task_01.h5" /online ||
    fail "another share is held out, but the same is learned"
grep -q "300 training and 200 validation images" "$work/a.err" || fail "the run does not say so"
[ "$(grep -c "test images are not touched" "$work/a.err")" -eq 2 ] || fail "nor at its end"
grep -q "test images are not touched" "$work/test1.err" && fail "said of a run that touches them"
echo "ok: test images have no influence"

# The commands that look at the checkpoint keep to it.
lae 2 evaluate "$runs/a" data.path="$work/images2" >"$work/out" 2>"$work/err" || fail "evaluate"
grep -q "^the same as stored in the file$" "$work/out" || fail "evaluate: other numbers"
grep -q "80 of 100 classes seen, validation images" "$work/err" || fail "evaluate: does not say so"
lae 2 predict "$runs/a" "$work/v.h5" 2>"$work/err" || { cat "$work/err"; fail "predict"; }
lae 1 predict "$runs/a" "$work/w.h5" --split validation 2>"$work/err" || fail "predict validation"
lae 1 predict "$runs/a" "$work/t.h5" --split train 2>"$work/err" || fail "predict train"
cmp "$work/v.h5" "$work/w.h5" || fail "other predictions"
h5dump -a /split "$work/v.h5" | grep -q '"validation"' || fail "/split"
h5ls "$work/v.h5" | grep -q "online *Dataset {200, 80}" || fail "shape of validation"
h5ls "$work/t.h5" | grep -q "online *Dataset {300, 80}" || fail "shape of train"
for part in v t; do
    h5dump -y -w 1 -d /index "$work/$part.h5" | tr -d ' ,' | grep -E '^[0-9]+$'
done | sort -n | uniq >"$work/numbers"
seq 0 499 | cmp - "$work/numbers" || fail "the parts' images are not all training images"
lae 1 predict "$runs/a" "$work/q.h5" --split test 2>"$work/err"
[ $? -eq 2 ] && grep -q "touches no test image" "$work/err" || fail "--split test is not refused"
[ ! -e "$work/q.h5" ] || fail "a file of what was refused"
echo "ok: evaluate and predict"
