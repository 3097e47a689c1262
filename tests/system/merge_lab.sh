#!/bin/sh
# The merge lab: what other merges make of a run, from the online modules that its tasks left. Its
# files are those that training with that merge writes, to the bit, at any number of ranks.
. "$(dirname "$0")/common.sh"
need mpirun h5diff h5ls

# learn NAME KEY=VALUE...: a run whose modules move enough for merges to differ.
learn() {
    name=$1
    shift
    train 2 "$name" train.lr=0.02 train.epochs=6 "$@" || { cat "$work/$name.err"; fail "$name"; }
}

# merged CODE NP ARGUMENTS...: the command, its words in $work/out and $work/err.
merged() {
    wanted=$1
    ranks=$2
    shift 2
    lae "$ranks" merge "$@" >"$work/out" 2>"$work/err"
    code=$?
    [ $code -eq "$wanted" ] && return
    cat "$work/out" "$work/err"
    fail "exit $code instead of $wanted: $*"
}

says() {
    grep -Eq -- "$1" "$work/out" || { cat "$work/out"; fail "the output lacks \"$1\""; }
}
warns() {
    grep -Eq -- "$1" "$work/err" || { cat "$work/err"; fail "the messages lack \"$1\""; }
}

# refused PATTERN ARGUMENTS...: exit 2 with one message that holds PATTERN.
refused() {
    pattern=$1
    shift
    "$LAE_MPI" merge "$@" >"$work/out" 2>"$work/err"
    code=$?
    [ $code -eq 2 ] || { cat "$work/out" "$work/err"; fail "exit $code instead of 2: $*"; }
    [ "$(grep -c '^lae_mpi: ' "$work/err")" -eq 1 ] || { cat "$work/err"; fail "not one message"; }
    warns "$pattern"
    echo "ok: $pattern"
}

# like TRAINED WRITTEN: a written run's files are those of the run that was trained so.
like() {
    for task in 0 1 2; do
        alike --exclude-path /provenance "$runs/$1/task_0$task.h5" "$2/task_0$task.h5" ||
            { cat "$work/h5diff.out"; fail "task_0$task.h5 of $1 and of $2 differ"; }
    done
}

learn ties merge.method=ties
learn tasks merge.method=ties merge.vectors=tasks merge.base=previous merge.density=0.3
learn dare merge.method=dare merge.vectors=tasks merge.base=first merge.density=0.5
learn mean merge.method=mean
learn ema merge.method=ema merge.decay=0.9
learn none merge.method=none
learn upper merge.method=mean pet.blocks=[1] stats.modules=none eval.heads=linear
learn onward merge.method=ema_task merge.decay=0.5 train.start_from=offline
find "$runs" -type f -exec sha256sum {} + | sort >"$work/before"

# The run's own merge, and those of runs that were trained with other merges.
for np in 1 3; do
    out=$work/out-$np
    merged 0 $np "$runs/ties" --method ties --json "$work/own.json" --write "$out/own"
    says "the same as it stored"
    grep -q '"own": true' "$work/own.json" || fail "the run's own merge is not marked"
    like ties "$out/own/01_ties"
    merged 0 $np "$runs/ties" --method ties,dare,mean --vectors tasks --base first,previous \
        --density 0.3,0.5 --write "$out/all" --json "$work/all-$np.json"
    says "^ *-\* ties  *pair  *init "
    like tasks "$out/all/03_ties"
    like dare "$out/all/06_dare"
    like mean "$out/all/09_mean"
    merged 0 $np "$runs/none" --method ties --density 0.2 --write "$out/none"
    like ties "$out/none/01_ties"
    grep -q "^ *-\*" "$work/out" && fail "a run without offline module shows one"
    merged 0 $np "$runs/ema" --method ema,ties --write "$out/ema"
    says "the same as it stored"
    like ema "$out/ema/01_ema"
    like ties "$out/ema/02_ties"
    echo "ok: $np ranks"
done
for np in 1 3; do
    grep -Ev '"(seconds|directory)"' "$work/all-$np.json" >"$work/all-$np.txt"
done
cmp "$work/all-1.txt" "$work/all-3.txt" || fail "other accuracies at three ranks"

# Where blocks are below the modules, what they make of an image is computed once: the second row's
# accuracies, of a run of its own, are the stored ones. Heads need nothing that the run gathered.
merged 0 2 "$runs/upper" --method ties,mean eval.heads=linear,lda,ridge heads.features=16
says "^ *2\* mean"
says "the same as it stored"
says " lda_offline  *ridge_offline$"

# What is written is a run: it can be evaluated, and goes on as the one that was trained so.
lae 2 evaluate "$work/out-1/all/03_ties" >"$work/out" 2>"$work/err" || fail "evaluate"
says "^the same as stored in the file"
grep -q "method: ties" "$work/out-1/all/03_ties/config.yaml" || fail "config.yaml"
h5ls "$work/out-1/all/03_ties/run.h5" | grep -q task_02 || fail "run.h5"
merged 0 2 "$runs/ties/task_01.h5" --method ties --vectors tasks --base previous --density 0.3 \
    --write "$work/part"
says "^ *1 "
alike --exclude-path /provenance "$runs/tasks/task_01.h5" "$work/part/01_ties/task_01.h5" ||
    fail "merged up to task 1"
mv "$work/part/01_ties" "$runs/grown"
learn grown merge.method=ties merge.vectors=tasks merge.base=previous merge.density=0.3
same tasks grown task_02.h5
rm -r "$runs/grown"
echo "ok: a written run"

# Without options: the run's own and one or more of each other method.
merged 0 2 "$runs/ties"
for row in " 1\* ties" mean ema_task task_arithmetic "ties, vectors tasks, base previous" dare; do
    says "^ *[0-9]*.? *$row(,|$)"
done
for scorer in online ncm_init lda_init; do
    says "^  $scorer  *[0-9.]+  *[0-9.]+  *[0-9.]+$"
done
says " ncm_offline  *lda_offline$"
says "the same as it stored"
shown=$(awk '$1 == "1*" && $2 ~ /^[0-9]/ { print $(NF - 6), $(NF - 5), $(NF - 3), $(NF - 2); exit }' "$work/out")
stored=$(awk '
    /^last accuracy/ { offline = $4; ensemble = $5 }
    /^average incremental/ { print $5, offline, $6, ensemble }' "$work/ties.out")
[ -n "$shown" ] && [ "$shown" = "$stored" ] || fail "the run's own: $shown shown, $stored trained"
echo "ok: no options"

# Options without methods: those that read them; what does not go together is told.
merged 0 2 "$runs/ties" --density 0.1,0.4 eval.heads=linear
grep -q "lda\|ncm" "$work/out" && fail "heads that were not asked for"
rows=$(grep -oE '^ *[0-9]+ +(ties|dare) +[0-9.]+' "$work/out" | sort -u)
[ "$(echo "$rows" | wc -l)" -eq 4 ] || { cat "$work/out"; fail "not the readers of density"; }
merged 0 2 "$runs/ties" --method ties --vectors pair,tasks --base init,previous
warns "1 combination is left out: merge.base is previous, which needs merge.vectors=tasks"
merged 0 2 "$runs/ties" --method ties,mean eval.heads=lda
says "^ *#  *method  *average  *last  *forgotten  *seconds"
says "the same as it stored"
merged 0 2 "$runs/onward" --method ema_task,mean
warns "warning: train.start_from is offline"
says "the same as it stored"

# A file whose neighbours are gone has what it remembers.
mkdir "$work/alone"
cp "$runs/tasks/task_02.h5" "$work/alone/task_02.h5"
merged 0 2 "$work/alone/task_02.h5" --method mean --write "$work/remembered"
like mean "$work/remembered/01_mean"
cp "$runs/mean/task_02.h5" "$work/alone/task_02.h5"
refused "no good task_00.h5 of the same run" "$work/alone"
cp "$runs/ties/task_00.h5" "$work/alone/task_02.h5"
refused "one task is finished" "$work/alone/task_02.h5"

refused "merge.method is \"tie\"" "$runs/ties" --method tie
refused "density.*it must be a number above 0" "$runs/ties" --method ties --density 0.2,2
refused "none of the methods \(ties,mean\) reads it" "$runs/ties" --method ties,mean --decay 0.5
refused "no method reads all of --density, --decay" "$runs/ties" --density 0.1 --decay 0.5
refused "follows online after every" "$runs/ties" --method ema
refused "follows online after every" "$runs/ema" --method ema --decay 0.5
refused "needs merge.vectors=tasks" "$runs/ties" --method ties --base previous
refused "none makes no offline module" "$runs/ties" --method none
refused "is too long for a value" "$runs/ties" --density "0.$(printf '%0100d' 1)"
refused "no good task_NN.h5" "$work"
refused "there is no directory" "$runs/ties" --json "$work/nowhere/a.json"
mkdir "$work/clash"
cp -r "$work/out-1/own/01_ties" "$work/clash/02_mean"
refused "02_mean was begun with another configuration" "$runs/ties" --method dare,mean \
    --write "$work/clash"
refused "takes 1 argument" --method ties

find "$runs" -type f -exec sha256sum {} + | sort >"$work/after"
cmp "$work/before" "$work/after" || fail "looking at the runs changed them"

# Asked to stop, it shows what is done and ends with 75.
many=$(awk 'BEGIN { for (i = 1; i <= 4000; i++) printf "%s%g", (i > 1 ? "," : ""), i / 4000 }')
"$LAE_MPI" merge "$runs/ties" --method ties --density "$many" --json "$work/stopped.json" \
    >"$work/out" 2>"$work/err" &
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    grep -q "^merge  *2/4000" "$work/err" && break
    sleep 0.2
done
kill -TERM $!
wait $!
code=$?
[ $code -eq 75 ] || { tail -3 "$work/err"; fail "exit $code instead of 75"; }
warns "stopped on request after [0-9]+ of 4000 merges"
says "^ *2 .*ties"
[ ! -e "$work/stopped.json" ] || fail "a stopped comparison wrote its JSON"
echo "ok: a request to stop"
