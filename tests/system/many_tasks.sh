#!/bin/sh
# Of a thousand tasks: a task's file holds what is known and no more, HDF5's tools see a matrix as
# ever, the memory that will be needed is announced, and the run is gone on with and looked at.
. "$LAE_TEST_SOURCE/tests/system/common.sh"
need mpirun h5dump

tasks=1000
settings="data.synthetic.classes=$tasks data.classes_per_task=1 data.synthetic.train=1
    data.synthetic.test=1 train.batch_size=1 train.epochs=1 train.freeze_epochs=0"
# shellcheck disable=SC2086
train 1 many $settings run.tasks=3 || { cat "$work/many.err"; fail "three tasks of $tasks"; }

# Seven scorers' matrices of doubles would be 112 MB.
for task in 00 01 02; do
    size=$(wc -c <"$runs/many/task_$task.h5")
    [ "$size" -lt 600000 ] || fail "task_$task.h5: $size bytes for ${task#0} tasks"
done
echo "ok: a task's file has $size bytes"

kept=$(tr -s ' \n' ' ' <"$runs/many/log.txt" | sed -n 's/.*, \([0-9]*\) MB at rank 0 .*/\1/p')
[ "${kept:-0}" -ge 100 ] && [ "$kept" -lt 200 ] || fail "memory: \"$kept\" MB are announced"
echo "ok: $kept MB are announced"

# A thousand files of a thousand tasks come to
#     1000 first + 1000^2 / 2 growth,
# where growth is what a further task adds to every file after it: its classifier, its classes' means
# through two views, its accuracies. Here of the demonstration's features, 128 wide. Beside them
# metrics.jsonl has a line of all tasks' accuracies for each task, and event files have none that
# grow. thousand NAME MB KEY=VALUE...: the run's directory would be less than that.
thousand() {
    name=$1 most=$2
    shift 2
    lae 1 train run.root="$runs" run.name="$name" data.synthetic.classes=$tasks data.classes_per_task=1 \
        data.synthetic.train=4 data.synthetic.test=1 train.batch_size=4 train.epochs=1 \
        train.freeze_epochs=0 compute.threads=1 run.tasks=40 "$@" >"$work/out" 2>&1 ||
        { cat "$work/out"; fail "$name: forty tasks"; }
    first=$(wc -c <"$runs/$name/task_01.h5")
    growth=$((($(wc -c <"$runs/$name/task_39.h5") - $(wc -c <"$runs/$name/task_19.h5")) / 20))
    line=$((($(evaluation 39 | wc -c) - $(evaluation 19 | wc -c)) / 20))
    megabytes=$((($first * 1000 + (growth + line) * 500000) / 1000000 + $(bytes_of_events) / 40000))
    [ "$megabytes" -lt "$most" ] || fail "$name: a thousand such files would be $megabytes MB"
    echo "ok: $name: $first bytes and $growth a task, $line in metrics.jsonl, $megabytes MB for a thousand"
}

evaluation() {
    grep "\"event\":\"evaluation\",\"task\":$1," "$runs/$name/metrics.jsonl"
}

bytes_of_events() {
    cat "$runs/$name"/events/* 2>/dev/null | wc -c
}

# With one class a task there is nothing to learn: the modules do not move, so that both views have
# the same statistics. In the second run they do, in its first task.
thousand alone 800
thousand moved 1000 data.first_classes=4
grep -q accuracy_task "$runs"/moved/events/* && fail "event files have curves of a thousand single tasks"
last=$runs/moved/task_39.h5
h5dump -H -d /head/weight "$last" | grep -q 'SIMPLE { ( 43, 128 )' || fail "h5dump does not find the classifiers"
differ "$last" "$last" /stats/init/mean /stats/offline/mean || fail "the views are the same where modules move"
alike "$runs/alone/task_39.h5" "$runs/alone/task_39.h5" /stats/init/mean /stats/offline/mean ||
    fail "the views differ where modules do not move"
echo "ok: h5dump sees classifiers and statistics"

# row FIRST COUNT: of what is stored after the last task.
row() {
    h5dump -y -d /metrics/ncm_init/accuracy -s "$1" -c "1,$2" "$runs/many/task_02.h5" |
        sed -n '/DATA {/,/}/s/^ *\([-n0-9].*\)/\1/p' | tr -d ' '
}
h5dump -H -d /metrics/ncm_init/accuracy "$runs/many/task_02.h5" | grep -q "SIMPLE { ( $tasks, $tasks )" ||
    fail "the matrix is not $tasks by $tasks"
row 2,0 5 | grep -Eq '^[0-9]+,[0-9]+,[0-9]+,nan,nan$' || fail "row 2 is $(row 2,0 5)"
[ "$(row 999,998 2)" = nan,nan ] || fail "row 999 is $(row 999,998 2)"
said=$(sed -n 's/.*"task": *2.*"ncm_init": *{[^}]*"tasks": *\[\([^]]*\)\].*/\1/p' "$runs/many/metrics.jsonl" |
    tail -n 1 | tr -d ' ' | sed 's/\.0//g')
[ "$(row 2,0 3)" = "$said" ] || fail "stored is $(row 2,0 3), said was $said"
echo "ok: h5dump sees the matrix"

# Interrupted or not, and at any number of ranks.
# shellcheck disable=SC2086
train 2 parts $settings run.tasks=2 && train 1 parts $settings run.tasks=3 ||
    { cat "$work/parts.err"; fail "the run in parts"; }
same many parts task_02.h5
echo "ok: the same in parts"

lae 1 evaluate "$runs/many" >"$work/evaluated" 2>&1 || { cat "$work/evaluated"; fail "evaluate"; }
grep -q "the same as stored" "$work/evaluated" || { tail "$work/evaluated"; fail "other accuracies"; }
lae 1 report "$runs/many" >"$work/report" 2>&1 || { cat "$work/report"; fail "report"; }
echo "ok: evaluate and report"
