#!/bin/sh
# Checkpoints open with HDF5's own tools, and a whole run is listed through run.h5.
. "$(dirname "$0")/common.sh"
need mpirun h5ls h5dump h5diff

train 2 run pet.attn.type=lora pet.mlp.type=conv_adapter merge.method=ties ||
    { cat "$work/run.err"; fail "training"; }
cd "$runs/run" || exit 1
for name in config.yaml log.txt metrics.jsonl lock run.h5 task_00.h5 task_01.h5 task_02.h5; do
    [ -s $name ] || fail "$name is missing or empty"
done
[ -z "$(ls -A | grep tmp)" ] || fail "temporary files are left"

h5ls -rE run.h5 >"$work/list" || fail "h5ls"
for path in /task_02/online/blocks/0/attn/lora/key/A /task_00/offline/blocks/1/mlp/conv_adapter/conv/weight \
    /task_02/head/task_01/weight /task_01/metrics/ensemble/accuracy /task_01/class_order /task_02/config; do
    grep -q "^$path  *Dataset" "$work/list" || fail "h5ls does not list $path"
done
grep -q "^/task_01/merge/blocks/0/attn/lora/key/A" "$work/list" || fail "no merge statistics"

h5dump -a /classes_seen task_01.h5 | grep -q '(0): 8' || fail "classes_seen"
h5dump -a /format task_00.h5 | grep -q 'lae-checkpoint' || fail "format"
h5dump -d /config task_00.h5 | grep -q 'method: ties' || fail "config"
h5dump -d /online/blocks/0/attn/lora/key/scale task_00.h5 | grep -q 'SCALAR' || fail "a scalar"
h5dump -a /provenance/fingerprint task_00.h5 | grep -q 'OpenBLAS' || fail "fingerprint"
head -c 512 task_00.h5 | tr -d '\0' | grep -Eq '^lae-checkpoint 1 sha256 [0-9a-f]{64}$' || fail "user block"
[ "$(tail -c +513 task_00.h5 | sha256sum | cut -d' ' -f1)" = \
    "$(head -c 512 task_00.h5 | tr -d '\0' | cut -d' ' -f4)" ] || fail "the digest is another"

# Results come after what was told before them, through one pipe as well.
lae 2 evaluate "$runs/run" 2>&1 | cat >"$work/joined"
grep -q "^the same as stored" "$work/joined" || { cat "$work/joined"; fail "evaluate through one pipe"; }
told=$(grep -nE "passed over|classes seen" "$work/joined" | tail -n 1)
result=$(grep -nE "^(online|offline|ensemble|the same)" "$work/joined" | head -n 1)
case $told in *"classes seen"*) ;; *) cat "$work/joined"; fail "what is evaluated is not told last" ;; esac
[ "${told%%:*}" -lt "${result%%:*}" ] || { cat "$work/joined"; fail "order"; }
lae 2 evaluate "$runs/run" 2>/dev/null | grep -q "^the same as stored" || fail "evaluate's output"

lae 1 convert "$tiny" "$work/w.h5" 2>"$work/e" || { cat "$work/e"; fail "convert to HDF5"; }
lae 1 convert "$work/w.h5" "$work/w.safetensors" 2>"$work/e" || fail "convert back"
h5ls -r "$work/w.h5" | grep -q "/blocks/1/attn/qkv/weight" || fail "converted weights"
train 1 converted model.weights="$work/w.safetensors" pet.attn.type=lora pet.mlp.type=conv_adapter \
    merge.method=ties || { cat "$work/converted.err"; fail "training from converted weights"; }
same run converted task_02.h5

lae 2 --print-config merge.method=ties pet.blocks=1,2 >"$work/a.yaml" 2>/dev/null || fail "--print-config"
lae 1 train --config "$work/a.yaml" --print-config >"$work/b.yaml" || fail "loading it back"
cmp "$work/a.yaml" "$work/b.yaml" || fail "the printed configuration loads back to another"
echo "ok"
