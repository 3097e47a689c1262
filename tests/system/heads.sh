#!/bin/sh
# Class statistics and the heads made from them: computed again by another implementation; the same
# bits when the pass that gathers them is cut; evaluated and predicted from a file alone, also with
# other heads than it was learned with; left out where a file has no statistics.
. "$(dirname "$0")/common.sh"
need mpirun h5diff h5dump h5ls

all="stats.modules=init,online,offline eval.heads=linear,ncm,lda,aligned,ridge heads.features=24"

# ---- another implementation

train 2 all merge.method=ties train.lr=0.02 $all || { cat "$work/all.err"; fail "training"; }
mpirun -np 1 "$LAE_CHECK_HEADS" "$runs/all" 3 0.1 || fail "other statistics, or other accuracies"
mpirun -np 1 "$LAE_CHECK_HEADS" "$runs/all" 3 0.9 >/dev/null 2>&1 &&
    fail "the check cannot fail"
echo "ok: statistics and heads"

# ---- cut while statistics are gathered

# has_learned NAME: whether the merge after the second task is done, and statistics come next.
has_learned() {
    grep -q '"event":"merge","task":1' "$runs/$1/metrics.jsonl" 2>/dev/null
}

long="$all train.epochs=1 train.freeze_epochs=0 run.tasks=2 data.synthetic.train=300"
train 2 whole merge.method=ties $long || { cat "$work/whole.err"; fail "the whole run"; }
cut=no
for attempt in 1 2 3 4 5 6; do
    rm -rf "$runs/cut"
    train 3 cut merge.method=ties $long &
    launched=$!
    await 60 "cut learns and merges" has_learned cut
    kill -TERM "$(cut -d' ' -f2 "$runs/cut/lock")" 2>/dev/null
    wait $launched
    code=$?
    [ $code -eq 75 ] || [ $code -eq 0 ] || { cat "$work/cut.err"; fail "cut with exit $code"; }
    [ -s "$runs/cut/resume.h5" ] || continue
    h5dump -d "/stats/init/count" "$runs/cut/resume.h5" | grep -q '300, 300, 300, 300, 0' || continue
    h5dump -a /resume/merged "$runs/cut/resume.h5" | grep -q ': 1$' || continue
    cut=yes
    break
done
[ $cut = yes ] || fail "not once cut inside the pass"
train 1 cut merge.method=ties $long || { cat "$work/cut.err"; fail "going on in the pass"; }
same whole cut task_01.h5
echo "ok: cut inside the pass"

# ---- from the file alone

for np in 1 3; do
    lae $np evaluate "$runs/all" >"$work/out" 2>"$work/err" || { cat "$work/err"; fail "evaluate"; }
    grep -q "^the same as stored in the file$" "$work/out" || fail "evaluate: other numbers"
    lae $np evaluate "$runs/all" eval.heads=lda,ridge heads.shrink=0.5 heads.ridge=10 \
        >"$work/other-$np" 2>"$work/err" || { cat "$work/err"; fail "other heads"; }
    lae $np predict "$runs/all" "$work/p$np.h5" 2>"$work/err" || fail "predict"
done
cmp "$work/other-1" "$work/other-3" || fail "other numbers at 3 ranks"
cmp "$work/p1.h5" "$work/p3.h5" || fail "other predictions at 3 ranks"
grep -q "lda_offline" "$work/other-1" || fail "lda was asked for"
grep -Eq "ncm|ensemble" "$work/other-1" && fail "only lda and ridge were asked for"
"$LAE_CHECK_PREDICTIONS" "$work/p1.h5" "$runs/all/task_02.h5" >"$work/checked" ||
    { cat "$work/checked"; fail "predictions do not give the accuracies"; }
grep -q "^ridge_online:" "$work/checked" || fail "ridge was not predicted"
lae 1 inspect "$runs/all" --json "$work/a.json" >"$work/out" 2>&1 || fail "inspect"
grep -q "through offline/ridge: 84 images of 12 classes, 24 features, strength" "$work/out" ||
    { cat "$work/out"; fail "inspect tells no statistics"; }
grep -q '"init/ridge": {' "$work/a.json" || fail "no statistics in the JSON"
echo "ok: evaluate, predict, inspect"

# ---- without

train 1 without merge.method=ties stats.modules=none || fail "without statistics"
h5ls "$runs/without/task_02.h5" | grep -q stats && fail "statistics that nobody asked for"
h5ls "$runs/without/task_02.h5/metrics" | grep -q _ && fail "heads without statistics"
train 1 single merge.method=none || fail "without offline"
[ "$(h5ls "$runs/single/task_02.h5/stats")" = "init                     Group" ] ||
    fail "statistics of an offline module that there is not"

# refused PATTERN COMMAND...: exit 2 with one message that holds PATTERN.
refused() {
    pattern=$1
    shift
    lae 2 "$@" >"$work/out" 2>"$work/err"
    [ $? -eq 2 ] && [ "$(grep -c '^lae_mpi: ' "$work/err")" -eq 1 ] && grep -q "$pattern" "$work/err" ||
        { cat "$work/out" "$work/err"; fail "not refused: $*"; }
}
refused "has no /stats" evaluate "$runs/without" eval.heads=linear,ncm
refused "eval.heads has no linear" evaluate "$runs/without" eval.heads=ncm
refused "/stats/init/ridge is missing" evaluate "$runs/single" eval.heads=ridge
refused "merge.method cannot be set" evaluate "$runs/all" merge.method=ema

# What an older version wrote: no statistics. It goes on, with the same modules.
train 2 old merge.method=ties run.tasks=2 || fail "two tasks"
train 1 new merge.method=ties || fail "three tasks"
"$LAE_MUTATE_RUN" --without /stats "$runs/old/task_01.h5" || fail "statistics cannot be taken away"
lae 1 evaluate "$runs/old/task_01.h5" >"$work/out" 2>"$work/err" || { cat "$work/err"; fail old; }
grep -q "no heads but linear" "$work/err" || fail "it does not say why heads are missing"
grep -q "^the same as stored in the file$" "$work/out" || fail "an old file: other numbers"
refused "/stats/init is missing" evaluate "$runs/old/task_01.h5" eval.heads=lda
train 3 old merge.method=ties || { cat "$work/old.err"; fail "going on without statistics"; }
for group in online offline head; do
    alike "$runs/new/task_02.h5" "$runs/old/task_02.h5" /$group ||
        { cat "$work/h5diff.out"; fail "$group is another after an old file"; }
done
h5ls "$runs/old/task_02.h5" | grep -q stats && fail "statistics of the last task alone"
echo "ok: without statistics"
