#!/bin/sh
# Weights that are known to want other pixels than the configuration makes: one warning that says which,
# and none where somebody has said what pixels are to be, or where the weights want what they get.
. "$(dirname "$0")/common.sh"
need mpirun

# beside MEAN STD: the tiny weights in a folder, with the file that says what pixels they were trained on.
beside() {
    mkdir -p "$work/model"
    cp "$tiny" "$work/model/model.safetensors"
    printf '{"image_mean": [%s, %s, %s], "image_std": [%s, %s, %s]}' "$1" "$1" "$1" "$2" "$2" "$2" \
        >"$work/model/preprocessor_config.json"
}

# warnings N NAME KEY=VALUE...: a run of two ranks gives so many.
warnings() {
    wanted=$1 name=$2
    shift 2
    lae 2 train run.root="$runs" run.name="$name" data.dataset=synthetic model.weights="$work/model" \
        model.heads=2 data.image_size=16 data.classes_per_task=4 data.synthetic.classes=4 \
        data.synthetic.train=3 data.synthetic.test=1 train.epochs=1 pet.blocks=0 compute.threads=1 "$@" \
        >"$work/out" 2>"$work/err" || { cat "$work/err"; fail "$name"; }
    found=$(grep -c "^warning: data.mean, data.std: not given" "$work/err")
    [ "$found" -eq "$wanted" ] || { cat "$work/err"; fail "$name: $found warnings of pixels, not $wanted"; }
}

beside 0.5 0.25
warnings 1 default
grep -q "(preprocessor_config.json): data.mean=0.5,0.5,0.5 data.std=0.25,0.25,0.25" "$work/err" ||
    { cat "$work/err"; fail "it does not say who wants which pixels"; }
grep -q "data.mean=0.5,0.5,0.5" "$runs/default/log.txt" || fail "not in the log"
warnings 0 said data.mean=0 data.std=1
warnings 0 right data.mean=0.5 data.std=0.25
printf 'data: {mean: 0, std: 1}\n' >"$work/said.yaml"
warnings 0 file --config "$work/said.yaml"
beside 0 1
warnings 0 same
rm "$work/model/preprocessor_config.json"
warnings 0 unknown
echo "ok: pixels that weights want"
