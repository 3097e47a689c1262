#!/bin/sh
# The commands that look at what a run left. evaluate measures again what was stored, predict writes
# the probabilities behind it, inspect tells what is in files and what differs between them. All at
# any number of ranks, from the file alone, without changing anything of the run.
. "$(dirname "$0")/common.sh"
need mpirun h5dump h5diff h5ls h5unjam sha256sum awk

# A run whose modules move enough for online, offline and ensemble to be of different opinions.
learn() { # NP NAME KEY=VALUE...
    train "$@" train.lr=0.02 data.synthetic.train=20 data.synthetic.test=20 train.epochs=6 ||
        { cat "$work/$2.err"; fail "training $2"; }
}

# did CODE NP ARGUMENTS...: runs the program, its words in $work/out and $work/err.
did() {
    wanted=$1
    shift
    lae "$@" >"$work/out" 2>"$work/err"
    code=$?
    [ $code -eq "$wanted" ] && return
    cat "$work/out" "$work/err"
    fail "exit $code instead of $wanted: $*"
}

# says PATTERN: what the last command wrote to standard output; warns PATTERN: to standard error.
says() {
    grep -Eq -- "$1" "$work/out" || { cat "$work/out"; fail "the output lacks \"$1\""; }
}
warns() {
    grep -Eq -- "$1" "$work/err" || { cat "$work/err"; fail "the messages lack \"$1\""; }
}

# refused PATTERN NP ARGUMENTS...: exit 2 with one message that holds PATTERN.
refused() {
    pattern=$1
    shift
    did 2 "$@"
    [ "$(grep -c '^lae_mpi: ' "$work/err")" -eq 1 ] ||
        { cat "$work/err"; fail "not one message for: $*"; }
    warns "$pattern"
    echo "ok: $pattern"
}

# What the runs' directories hold, to see that it stays so.
list_runs() {
    find "$runs" -type f -exec sha256sum {} + | sort
}

# The values of all tensors of a group, one a line: values FILE GROUP.
values() {
    h5dump -y -w 1 -m %.9e -g "$2" "$1" | grep -E '^ *-?[0-9.]+e[-+][0-9]+,?$' | tr -d ' ,'
}

heads=linear,ncm,lda,aligned
learn 2 ties pet.attn.type=conv_adapter pet.mlp.type=adapter merge.method=ties eval.heads=$heads
learn 1 again pet.attn.type=conv_adapter pet.mlp.type=adapter merge.method=ties eval.heads=$heads
learn 1 none pet.attn.type=lora merge.method=none run.tasks=2
ties=$runs/ties
list_runs >"$work/before"

# ---- evaluate

for np in 1 2 3; do
    did 0 $np evaluate "$ties" compute.threads=$((np % 2 + 1))
    says "^the same as stored in the file$"
    cp "$work/out" "$work/table-$np"
    cmp -s "$work/table-1" "$work/table-$np" || fail "another table at $np ranks"
    did 0 $np evaluate "$ties/task_01.h5"
    says "^the same as stored in the file$"
    grep -q "classes 8 to 11" "$work/out" && fail "task 2 is in the table of task 1"
done
for scorer in online offline ensemble ncm_init ncm_offline lda_init lda_offline \
    aligned_init aligned_offline; do
    shown=$(awk -v scorer=$scorer '
        /^accuracy, %/ { column = 0; for (i = 3; i <= NF; i++) if ($i == scorer) column = i + 1 }
        /^all seen/ && column { print $column }' "$work/table-1")
    stored=$(h5dump -y -d "/metrics/$scorer/seen[2]" "$ties/task_02.h5" |
        awk '/^ *[0-9.]+$/ { printf "%.2f\n", $1 }')
    [ -n "$shown" ] && [ "$shown" = "$stored" ] ||
        fail "$scorer: $shown in the table, $stored in the file"
done
# What was asked for is no fault: other heads than the file's, told as such.
did 0 2 evaluate "$ties" heads.shrink=0.9
says "^as asked, with heads.shrink 0.9 \(0.1 in the file\)$"
says "number\(s\) of these heads differ from those stored$"
says "^all else is the same as stored in the file$"
grep -q "not as stored" "$work/out" && fail "what was asked for is taken for a fault"
did 0 1 evaluate "$ties" heads.shrink=0.1
says "^the same as stored in the file$"
# run.h5 stands for its run.
for command in evaluate merge inspect; do
    did 0 1 $command "$ties/run.h5"
done
did 0 1 predict "$ties/run.h5" "$work/index.h5"
did 0 1 convert "$ties/run.h5" "$work/index.safetensors"
did 0 2 evaluate "$runs/none"
says "^the same as stored in the file$"
grep -q offline "$work/out" && fail "an offline module where there is none"
echo "ok: evaluate"

# Images that lie elsewhere now, and others in their place.
for seed in 1 2; do
    did 0 1 synth "$work/images$seed" data.synthetic.classes=100 data.synthetic.train=3 \
        data.synthetic.test=4 data.synthetic.seed=$seed
done
mv "$work/images1" "$work/images"
train 1 files data.dataset=cifar100 data.path="$work/images" data.classes_per_task=20 run.tasks=1 \
    train.lr=0.02 || { cat "$work/files.err"; fail "training from files"; }
mv "$work/images" "$work/moved"
refused "data.path|$work/images" 2 evaluate "$runs/files"
did 0 2 evaluate "$runs/files" data.path="$work/moved"
says "^the same as stored in the file$"
grep -q "other images" "$work/err" && fail "the same images are taken for others"
did 0 2 evaluate "$runs/files" data.path="$work/images2"
warns "warning: data.path has other images"
says "number\(s\) are not as stored in the file, whose numbers are of other images$"
says "in the file$"
rm -r "$runs/files"
echo "ok: images"

# ---- predict

for task in ties/task_01 ties/task_02 none/task_01; do
    file=$runs/$task.h5
    for np in 1 3 13; do
        did 0 $np predict "$file" "$work/p$np.h5" compute.threads=$((np % 2 + 1))
        cmp "$work/p1.h5" "$work/p$np.h5" || fail "other predictions at $np ranks"
    done
    h5diff "$work/p1.h5" "$work/p3.h5" || fail "h5diff finds another difference than cmp"
    "$LAE_CHECK_PREDICTIONS" "$work/p1.h5" "$file" || fail "predictions of $task"
    h5dump -a /checkpoint_sha256 "$work/p1.h5" | grep -q "$(sha256sum "$file" | cut -d' ' -f1)" ||
        fail "/checkpoint_sha256"
done
h5ls "$work/p1.h5" | grep -q "ffline\|ensemble" && fail "an offline module where there is none"
did 0 1 predict "$ties" "$work/p2.h5"
h5dump -a /class_order "$work/p2.h5" | grep -q "(0): 0, 1, 2, 3, 4" || fail "/class_order"
h5ls "$work/p2.h5" | grep -q "ensemble *Dataset {240, 12}" || fail "shape"
[ "$(tail -c +513 "$work/p2.h5" | sha256sum | cut -d' ' -f1)" = \
    "$(head -c 512 "$work/p2.h5" | tr -d '\0' | cut -d' ' -f4)" ] || fail "the digest is another"
"$LAE_CHECK_PREDICTIONS" "$work/p2.h5" "$ties/task_01.h5" >/dev/null && fail "another task's file"
did 0 1 predict "$ties" "$work/f1.h5" --features
did 0 3 predict "$ties" "$work/f3.h5" --features
cmp "$work/f1.h5" "$work/f3.h5" || fail "other features at 3 ranks"
h5diff "$work/f1.h5" "$work/p2.h5" /ensemble /ensemble || fail "--features changes the scores"
[ "$(h5ls "$work/f1.h5/features" | tr -s ' ')" = "$(for view in init offline online; do
    echo "$view Dataset {240, 16}"
done)" ] || { h5ls "$work/f1.h5/features"; fail "/features"; }
"$LAE_CHECK_PREDICTIONS" "$work/f1.h5" "$ties/task_02.h5" | grep -q "features of 2 views agree" || fail "features"
did 0 2 predict "$ties/task_00.h5" "$work/train.h5" --split train
h5ls "$work/train.h5" | grep -q "online *Dataset {240, 4}" || fail "the training part"
h5dump -y -d /labels "$work/train.h5" | tr -d ' ' | grep -q '^-1,' || fail "classes not seen"
h5dump -a /split "$work/train.h5" | grep -q '"train"' || fail "/split"
echo "ok: predict"

# ---- inspect

did 0 1 inspect "$ties" --json "$work/a.json"
says "after task 2 of 0 to 2; 12 of 12 classes seen"
says "^  merge.method  *ties \(default ema\)"
says "^  np  *2$"
says "^  weights_digest  *$(sha256sum "$tiny" | cut -d' ' -f1)"
# The merge stored the norm of online's change, too.
tensor=blocks/1/attn/conv_adapter/down/weight
h5dump -m %.12g -a "/merge/$tensor/norm_online" "$ties/task_02.h5" |
    awk '/\(0\)/ { print $2 }' >"$work/stored"
awk -F'[:,]' -v name="\"$tensor\"" '$0 ~ name { here = 1 } here && /"from_init"/ { print $2; exit }' \
    "$work/a.json" >"$work/shown"
paste "$work/stored" "$work/shown" | awk 'NF == 2 && ($1 - $2)^2 < 1e-12 * $1^2 { good = 1 }
    END { exit !good }' || { cat "$work/stored" "$work/shown"; fail "the norm of a change"; }
h5dump -a "/merge/$tensor/kept_online" "$ties/task_02.h5" | awk '/\(0\)/ { print 100 * $2 }' \
    >"$work/stored"
awk -v module="${tensor%/down/weight}" '$1 ~ /^blocks/ { here = $1 == module }
    here && $1 == "down/weight" { print $(NF - 2) }' "$work/out" >"$work/shown"
paste "$work/stored" "$work/shown" | awk 'NF == 2 && ($1 - $2)^2 < 0.01 { good = 1 }
    END { exit !good }' || { cat "$work/stored" "$work/shown"; fail "what TIES kept"; }
# Signs of two tasks' changes, from the files' own numbers.
values "$ties/task_00.h5" /init >"$work/v0"
for task in 0 1 2; do values "$ties/task_0$task.h5" /online >"$work/v$((task + 1))"; done
share=$(paste "$work/v0" "$work/v1" "$work/v2" "$work/v3" | awk '
    { a = $2 - $1; b = $4 - $3; if (a * b != 0) { both++; if (a * b < 0) against++ } }
    END { printf "%.0f\n", 100 * against / both }')
[ "$(wc -l <"$work/v0")" -eq 2094 ] || fail "h5dump's values cannot be told from its frame"
row=$(sed -n '/^task  *0  *1  *2$/,$p' "$work/out" | awk '$1 == 0 { print $4 }')
[ -n "$row" ] && [ "$row" = "$share" ] || fail "opposite signs: $row shown, $share computed"
grep -q '"opposite": \[' "$work/a.json" || fail "no matrix in the JSON"
did 0 1 inspect "$runs/none/task_00.h5"
says "mlp none in 2 block\(s\); accumulated by none"
echo "ok: inspect a run"

did 0 1 inspect "$ties/task_02.h5" --diff "$runs/again/task_02.h5" --json "$work/b.json"
says " 0 difference\(s\)$"
says "^/provenance \(does not count\) np: 2 here, 1 there$"
grep -q '"equal": true' "$work/b.json" || fail "not equal in the JSON"
did 1 1 inspect "$ties/task_01.h5" --diff "$ties/task_02.h5" --json "$work/b.json"
grep -q '"equal": false' "$work/b.json" || fail "equal in the JSON"
says "^/head/task_02/weight  *only there$"
h5diff "$ties/task_01.h5" "$ties/task_02.h5" | awk '
    /^[a-z]*: </ { name = $1 == "dataset:" ? $2 : "" }
    /differences? found/ && $1 > 0 { print name }' | tr -d '<>' |
    grep -E '^/(init|online|offline|head)/' | sort >"$work/h5diff"
awk '/^\/(init|online|offline|head)\// && !/only/ { print $1 }' "$work/out" | sort >"$work/ours"
[ -s "$work/ours" ] && cmp "$work/h5diff" "$work/ours" || fail "h5diff finds other differences"
did 1 1 inspect "$ties" --diff "$runs/none"
says "^/config merge.method  *ties here, none there$"
echo "ok: inspect --diff"

weights=$LAE_TEST_SOURCE/tests/reference/weights
did 0 1 convert "$tiny" "$work/w.h5"
for file in "$tiny" "$weights/google.npz" "$weights/transformers.safetensors" "$work/w.h5"; do
    did 0 1 inspect "$file"
    says "2 blocks, width 16, .*MLP 32, patch 4, images of 12"
    says "^blocks/1/attn/qkv/weight  *\[48, 16\]$"
done
did 0 1 inspect "$tiny" --diff "$work/w.h5"
did 1 1 inspect "$tiny" --diff "$weights/google.npz" # the same tensors, but it tells the heads
says "^layer_norm_eps, heads  *2  *1 "
says " 1 difference\(s\)$"
cp "$tiny" "$work/changed.safetensors"
printf X | dd of="$work/changed.safetensors" bs=1 seek=20000 conv=notrunc 2>/dev/null
did 1 1 inspect "$tiny" --diff "$work/changed.safetensors"
says "^/[a-z0-9/]*/(weight|bias)  *[0-9]+  *1 "
says " 1 difference\(s\)$"
echo "ok: inspect weights"

# Without its digest a file is read with a warning.
h5unjam -i "$ties/task_01.h5" -o "$work/bare.h5" --delete >/dev/null || fail "h5unjam"
did 0 1 inspect "$work/bare.h5" --diff "$ties/task_01.h5"
warns "warning: .*has no digest"

list_runs >"$work/after"
cmp "$work/before" "$work/after" || fail "looking at the runs changed them"

# ---- refusals

other=$weights/transformers.safetensors
refused "another file than that" 2 evaluate "$ties" model.weights="$other"
refused "pet.attn.type cannot be set" 3 evaluate "$ties" pet.attn.type=lora
refused "train.lr cannot be set" 1 predict "$ties" "$work/q.h5" train.lr=0.1
refused "did you mean \"data.path\"" 2 evaluate "$ties" data.paht=x
refused "compute.threads" 2 evaluate "$ties" compute.threads=many
refused "configuration from the checkpoint" 1 evaluate "$ties" --config x.yaml
refused "takes 1 argument" 2 evaluate
refused "takes 2 argument" 1 predict "$ties"
refused "no good task_NN.h5" 2 evaluate "$work"
refused "No such file" 2 evaluate "$work/nothing.h5"
refused "not an HDF5 file" 1 evaluate "$tiny"
refused "neither test, validation nor train" 2 predict "$ties" "$work/q.h5" --split val
refused "holds no training images out" 2 predict "$ties" "$work/q.h5" --split validation
refused "features takes no value" 2 predict "$ties" "$work/q.h5" --features=all
refused "features: are written into an OUT.h5" 2 predict "$ties" "$work" --features
refused "neither a folder that exists" 2 predict "$ties" "$work/imags"
refused "there is no directory" 2 predict "$ties" "$work/nowhere/q.h5"
refused "is the checkpoint itself" 2 predict "$ties" "$ties/task_02.h5"
cp "$ties/task_00.h5" "$work/other_task.h5"
refused "shall not be overwritten" 2 predict "$ties" "$work/other_task.h5"
refused "shall not be overwritten" 1 convert "$tiny" "$work/other_task.h5"
refused "shall not be overwritten" 1 inspect "$ties" --json "$ties/run.h5"
refused "shall not be overwritten" 2 merge "$ties" --json "$work/other_task.h5"
cmp "$ties/task_00.h5" "$work/other_task.h5" || fail "a refused output was written"
refused "neither such a file here nor" 1 train --config lae_tise.yaml
did 0 1 train --config lae_ties --print-config
refused "two of a kind" 1 inspect "$ties" --diff "$tiny"
refused "is no weight file" 1 inspect "$LAE_TEST_SOURCE/README.md"
refused "lae-predictions" 1 inspect "$work/p1.h5"
cp "$ties/run.h5" "$work/run.h5"
refused "no good task_NN.h5" 1 inspect "$work/run.h5"
refused "did you mean \"evaluate\"" 1 evalute "$ties"
refused "did you mean \"--diff\"" 1 inspect "$ties" --dif "$ties"
refused "^lae_mpi: --method: merge.method is \"tie\"; it must be one of [a-z_, ]*; did you mean \"ties\"\?$" 1 merge "$ties" --method tie
refused "^lae_mpi: --density: merge.density is 2; it must" 1 merge "$ties" --density 0.1,2
for command in train evaluate predict merge inspect report convert synth bench; do
    "$LAE_MPI" $command --help | tail -n 1 | grep -q "^example: lae_mpi $command " || fail "no example of $command"
done
refused "there is no directory" 1 inspect "$ties" --json "$work/nowhere/a.json"
refused "takes no configuration" 1 inspect "$ties" run.seed=1
refused "unknown option --split" 1 inspect "$ties" --split test
[ ! -e "$work/q.h5" ] || fail "a refused command wrote its file"
list_runs >"$work/after"
cmp "$work/before" "$work/after" || fail "a refused command changed a run"

# A damaged newest file is passed over in a run, and refused by its own name.
cp -r "$ties" "$runs/damaged"
printf X | dd of="$runs/damaged/task_02.h5" bs=1 seek=3000 conv=notrunc 2>/dev/null
refused "task_02.h5: damaged" 2 evaluate "$runs/damaged/task_02.h5"
did 0 2 evaluate "$runs/damaged"
warns "task_02.h5: damaged.*going back"
says "task 1, classes 4 to 7"
says "^the same as stored in the file$"

# A state inside a task can be inspected, but has no metrics yet.
train 1 inside train.epochs=60000 checkpoint.every_steps=5 &
await 60 "a state inside a task is saved" test -s "$runs/inside/resume.h5"
kill -TERM "$(cut -d' ' -f2 "$runs/inside/lock")"
wait
cp "$runs/inside/resume.h5" "$work/resume.h5"
did 0 1 inspect "$work/resume.h5"
says "inside task 0 of 0 to 2, after [0-9]+ of its steps"
refused "state inside task 0" 2 evaluate "$work/resume.h5"
echo "ok: damage, and states inside a task"

# Asked to stop, predict ends with 75 and leaves nothing.
train 1 long data.synthetic.test=3000 run.tasks=1 || fail "training with many test images"
"$LAE_MPI" predict "$runs/long" "$work/long.h5" 2>"$work/err" &
await 60 "the program listens" listens $!
kill -TERM $!
wait $!
code=$?
[ $code -eq 75 ] || { cat "$work/err"; fail "exit $code instead of 75"; }
warns "stopped on request; nothing was written"
[ ! -e "$work/long.h5" ] && [ -z "$(find "$work" -maxdepth 1 -name '*.tmp')" ] ||
    fail "a stopped prediction left a file"
echo "ok: a request to stop"
