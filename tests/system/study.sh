#!/bin/sh
# launch/study.py: cells are trained once, their accuracies are those of metrics.jsonl, the table's
# means and differences are right; what is wrong is said.
. "$(dirname "$0")/common.sh"
need mpirun python3
export LAE_MPI
study="python3 $LAE_TEST_SOURCE/launch/study.py"

# What `train` in common.sh trains.
small="data.dataset=synthetic model.heads=2 data.image_size=16 data.mean=0.5 data.std=0.5
    data.class_order=null data.classes_per_task=4 data.synthetic.classes=12 data.synthetic.train=7
    data.synthetic.test=5 train.batch_size=11 train.epochs=1 train.freeze_epochs=0 pet.blocks=0,1
    run.tasks=2 compute.threads=1"
# cells WHICH [OPTION]
# shellcheck disable=SC2086
cells() {
    $study run --data "$work" --weights "$tiny" --out "$work/out" --cells "$1" ${2---no-merges} $small \
        >"$work/study.out" 2>&1
}

[ "$($study list | wc -l)" -eq 135 ] || fail "the study has not 9 x 5 x 3 cells"
cells 1-2 || { cat "$work/study.out"; fail "two cells"; }
[ "$(ls "$work/out/cells")" = "adapter-none-ema-order1-seed1.json
adapter-none-ema-order2-seed2.json" ] || { ls "$work/out/cells"; fail "cells of other names"; }
touch "$work/mark"
cells 1-2 || fail "cells that are done"
[ -z "$(find "$work/out" -newer "$work/mark" -type f)" ] || fail "a cell that is done is run again"

python3 - "$work/out" <<'PYTHON' || fail "accuracies that are not the run's"
import json, sys
out, name = sys.argv[1], "adapter-none-ema-order1-seed1"
rows = {each["scorer"]: each for each in json.load(open(f"{out}/cells/{name}.json"))["rows"]}
for line in open(f"{out}/runs/{name}/metrics.jsonl"):
    event = json.loads(line)
    if event["event"] == "task":
        last = event
for scorer in "online", "ensemble", "lda_init":
    assert rows[scorer]["average"] == last[scorer]["average_incremental"], scorer
    assert rows[scorer]["last"] == last[scorer]["last"], scorer
PYTHON

# A cell whose merges were left for later is not trained again; whose were compared, left as it is.
cells 6 || fail "a cell without its merges"
touch "$work/mark"
cells 6 "" || { cat "$work/study.out"; fail "the merges of a cell that is trained"; }
[ -z "$(find "$work/out/runs" -newer "$work/mark" -name 'task_*.h5')" ] || fail "trained again for its merges"
python3 - "$work/out" <<'PYTHON' || fail "not the merges' accuracies"
import json, sys
out, name = sys.argv[1], "adapter-none-ties-order1-seed1"
rows = json.load(open(f"{out}/cells/{name}.json"))["rows"]
found = {(each["merge"], each["scorer"]): each["average"] for each in rows}
merges = {}
for each in json.load(open(f"{out}/merges/{name}.json"))["merges"]:
    merges.setdefault(each["method"], each["scores"])  # of ties the first, which is the run's own
assert found["mean", "ensemble"] == merges["mean"]["ensemble"]["average"], found
assert found["ties", "ncm_offline"] == merges["ties"]["ncm_offline"]["average"], found
assert ("ties vectors=pair base=init density=0.2", "ncm_offline") not in found, found
assert ("ties", "online") in found and not any(merge != "ties" and scorer == "online" for merge, scorer in found)
PYTHON
touch "$work/mark"
cells 6 "" || fail "a cell that is compared"
[ -z "$(find "$work/out" -newer "$work/mark" -type f)" ] || fail "a cell that is compared is run again"

# Pairs of numbers whose mean, deviation and interval are known: 2 +- 12.706 * sqrt(2) / sqrt(2), and
# 2 +- 12.706 * 0.1, which is not 0.
python3 - >"$work/two.jsonl" <<'PYTHON'
import json
for seed, (base, other, wired) in enumerate([(60.0, 61.0, 61.9), (62.0, 65.0, 64.1)], 1):
    for attn, merge, values in ("adapter", "ema", (base, other)), ("conv", "ties", (wired, other)):
        cell = {"name": "", "attn": attn, "mlp": "none", "merge": merge, "seed": seed, "order": 1}
        rows = [{"merge": merge, "scorer": scorer, "average": value, "last": value, "forgetting": 0.0}
                for scorer, value in zip(("ensemble", "lda_offline"), values)]
        if attn == "conv":
            rows.append({**rows[0], "merge": "mean", "average": wired + seed})
        print(json.dumps({"cell": cell, "rows": rows,
                          "cost": {"seconds": 1, "images_per_s": 1, "last_file_bytes": 1000}}))
PYTHON
$study table "$work/two.jsonl" >"$work/table" || fail "a table"
for row in '| lda_offline | 2 | 63.0 ± 2.8 | 63.0 ± 2.8 | 0.0 ± 0.0 | +2.0 ± 12.7 |' \
    'average (n = 2):' '| adapter | none | ema | 61.0 ± 1.4 | 63.0 ± 2.8 |' \
    '| conv | none | ties | 63.0 ± 1.6 | 63.0 ± 2.8 |' '| conv | none | ties | +2.0 ± 1.3 * | +0.0 ± 0.0 |' \
    '| conv | none | mean | +1.5 ± 6.4 |  |' 'without 0: 1 of 3; where' '| conv | none | 1 | 1 | 1 |'; do
    grep -qF -- "$row" "$work/table" || { cat "$work/table"; fail "no row $row"; }
done

! $study table "$work/none" >"$work/study.out" 2>&1 || fail "a table of nothing"
grep -q "$work/none" "$work/study.out" || fail "a table of nothing does not say of what"
for wrong in 9-x 0 136 5-2; do
    cells $wrong
    [ $? -eq 2 ] || fail "--cells $wrong is taken"
    grep -q -- "--cells $wrong: " "$work/study.out" || fail "--cells $wrong is not explained"
done
echo "{" >"$work/broken.jsonl"
$study table "$work/broken.jsonl" >"$work/study.out" 2>&1
[ $? -eq 2 ] && grep -q "is not what cells leave" "$work/study.out" || fail "a table of nonsense"

# Requests to stop that come again and again, faster than they can be handled, until the study has ended: it
# hands them on, and its exit code is its launcher's.
cat >"$work/launcher" <<'TEXT'
#!/bin/sh
trap 'exit 75' USR1
: >"$LISTENS"
while :; do sleep 0.1; done
TEXT
chmod +x "$work/launcher"
export LISTENS="$work/listens"
for try in 1 2 3 4 5; do
    rm -f "$LISTENS"
    (trap '' USR1 && exec $study run --data "$work" --weights "$tiny" --out "$work/stopped" --cells 1 \
        --launcher "$work/launcher" $small) >"$work/study.out" 2>&1 &
    running=$!
    i=0
    while [ ! -e "$LISTENS" ] && [ $((i += 1)) -lt 600 ]; do sleep 0.1; done
    [ -e "$LISTENS" ] || fail "the study has not begun: $(cat "$work/study.out")"
    for sender in 1 2 3; do
        while kill -USR1 $running 2>/dev/null; do :; done &
    done
    wait $running
    code=$?
    [ $code -eq 75 ] || { cat "$work/study.out"; fail "asked to stop it ends with $code, not 75 (try $try)"; }
done
echo "ok: launch/study.py"
