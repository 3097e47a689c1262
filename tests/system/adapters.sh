#!/bin/sh
# What convert writes of a task file: PyTorch loads it, with every kind of module, and comes to the
# logits that predict wrote. The file's own words are looked at first; this needs no PyTorch.
. "$(dirname "$0")/common.sh"
need mpirun h5dump od

# header FILE: the JSON of a .safetensors file.
header() {
    tail -c +9 "$1" | head -c "$(od -A n -t u8 -N 8 "$1" | tr -d ' ')"
}

refused() { # PATTERN ARGUMENTS...
    pattern=$1
    shift
    "$LAE_MPI" convert "$@" 2>"$work/err"
    code=$?
    [ $code -eq 2 ] || fail "exit $code instead of 2: convert $*"
    grep -Eq -- "$pattern" "$work/err" || { cat "$work/err"; fail "no \"$pattern\""; }
}

"$LAE_MPI" synth "$work/images" data.synthetic.classes=100 data.synthetic.train=4 \
    data.synthetic.test=2 >"$work/out" 2>&1 || fail "synth"
learn() { # NAME ATTN MLP MERGE
    train 2 "$1" data.dataset=cifar100 data.path="$work/images" data.classes_per_task=40 run.tasks=2 \
        train.lr=0.02 pet.attn.type="$2" pet.mlp.type="$3" merge.method="$4" \
        eval.heads=linear,ncm,lda,aligned,ridge heads.features=40 ||
        { cat "$work/$1.err"; fail "training $1"; }
}
learn adapter adapter conv_adapter ties
learn lora lora adapter ema
learn prefix prefix none none

a=$work/a.safetensors
"$LAE_MPI" convert "$runs/adapter" "$a" 2>"$work/err" || { cat "$work/err"; fail "convert"; }
header "$a" >"$work/header"
for text in '"online.blocks.0.attn.adapter.down.weight":{"dtype":"F32","shape":\[5,16\]' \
    '"offline.blocks.1.mlp.conv_adapter.conv.weight":{"dtype":"F32","shape":\[8,8,3,3\]' \
    '"head.weight":{"dtype":"F32","shape":\[80,16\]' '"head.bias":{"dtype":"F32","shape":\[80\]' \
    'merge:\\n  method: ties' '"class_order":"\[0,1,2' '"task":"1"' '"precision":"fp32"' '"mean":"\[0.5,0.5,0.5\]"' \
    '"heads.lda_offline.weight":{"dtype":"F32","shape":\[80,16\]' '"heads.ridge_init.weight":{"dtype":"F32","shape":\[80,40\]' '"modules":"online, offline"' \
    "\"weights_digest\":\"$(sha256sum "$tiny" | cut -d' ' -f1)\""; do
    grep -q "$text" "$work/header" || { cat "$work/header"; fail "the header lacks $text"; }
done
"$LAE_MPI" convert "$runs/adapter/task_00.h5" "$work/b.safetensors" --module offline 2>/dev/null ||
    fail "convert --module"
header "$work/b.safetensors" >"$work/header"
grep -q '"blocks.0.attn.adapter.scale":{"dtype":"F32","shape":\[\]' "$work/header" || fail "a name without prefix"
grep -q '"head.bias":{"dtype":"F32","shape":\[40\]' "$work/header" || fail "task 0's classes alone"
grep -q 'online\.' "$work/header" && fail "the other module, too"
# The bits are the checkpoint's: the last 4 * 80 bytes of the whole file, in order of the header.
h5dump -d /head/task_01/bias -b LE -o "$work/bias" "$runs/adapter/task_01.h5" >/dev/null || fail "h5dump"
tail -c 160 "$a" | cmp - "$work/bias" || fail "head.bias does not end with task 1's"
echo "ok: what is in the file"

cp "$a" "$work/before"
refused "that ending is wanted" "$runs/adapter" "$work/c.h5"
refused "no offline module" "$runs/prefix" "$work/c.safetensors" --module offline
refused "neither online nor offline" "$runs/prefix" "$work/c.safetensors" --module ensemble
refused "has no modules" "$tiny" "$work/c.safetensors" --module online
refused "no good task_NN.h5|holds 2 weight files" "$work/images" "$work/c.safetensors"
refused "there is no directory" "$runs/adapter" "$work/nowhere/c.safetensors"
refused "no module|is no weight file|names? no|unknown|not known|no tensor" "$a" "$work/c.safetensors"
[ ! -e "$work/c.safetensors" ] && [ ! -e "$work/c.h5" ] || fail "a refused command wrote its file"
cmp "$a" "$work/before" || fail "a refused command changed a file"
echo "ok: refusals"

python=
for candidate in python3 /usr/bin/python3; do
    if [ -z "$python" ] && $candidate -c 'import torch, h5py, PIL' 2>/dev/null; then python=$candidate; fi
done
[ -n "$python" ] || skip "no PyTorch, h5py and Pillow: the file is right, loading it was not tried"
for name in adapter lora prefix; do
    "$LAE_MPI" convert "$runs/$name" "$a" 2>/dev/null || fail "convert $name"
    "$LAE_MPI" predict "$runs/$name" "$work/p.h5" >/dev/null 2>&1 || fail "predict $name"
    load() {
        $python "$LAE_TEST_SOURCE/data/load_adapters.py" "$tiny" "$1" --images "$work/images/test.bin" \
            --predictions "$work/p.h5"
    }
    load "$a" >"$work/loaded" || { cat "$work/loaded"; fail "the logits of $name"; }
    cat "$work/loaded"
    grep -q "^online: 64 images, 80 classes" "$work/loaded" || fail "online was not compared"
    for head in ncm_init lda_init aligned_init ridge_init; do
        [ $name = prefix ] || grep -q "^$head: 64 images" "$work/loaded" || fail "$head was not compared"
    done
done
# bf16: the file says so, and what that explains; other backbones are refused, .h5 is read.
"$LAE_MPI" convert "$tiny" "$work/tiny.h5" 2>/dev/null && "$LAE_MPI" convert "$tiny" "$work/tiny.safetensors" 2>/dev/null ||
    fail "convert the backbone"
if train 1 bf16 data.dataset=cifar100 data.path="$work/images" data.classes_per_task=40 run.tasks=2 \
    train.lr=0.02 model.precision=bf16; then
    "$LAE_MPI" convert "$runs/bf16" "$a" 2>/dev/null && "$LAE_MPI" predict "$runs/bf16" "$work/p.h5" >/dev/null 2>&1
    load "$a" >"$work/loaded" || { cat "$work/loaded"; fail "the logits of bf16"; }
    cat "$work/loaded"
    grep -q "; bf16; heads ncm_init" "$work/loaded" || fail "bf16 is not told"
fi
"$LAE_MPI" convert "$runs/adapter" "$a" 2>/dev/null && "$LAE_MPI" predict "$runs/adapter" "$work/p.h5" >/dev/null 2>&1
for backbone in "$work/tiny.h5" "$work/tiny.safetensors"; do
    $python "$LAE_TEST_SOURCE/data/load_adapters.py" "$backbone" "$a" --images "$work/images/test.bin" \
        --predictions "$work/p.h5" >"$work/loaded" 2>&1 || { cat "$work/loaded"; fail "$backbone"; }
done
not_loaded() { # PATTERN BACKBONE
    $python "$LAE_TEST_SOURCE/data/load_adapters.py" "$2" "$a" >"$work/loaded" 2>&1 && fail "loaded: $2"
    [ "$(wc -l <"$work/loaded")" -eq 1 ] && grep -q -- "$1" "$work/loaded" || { cat "$work/loaded"; fail "no \"$1\" in one line"; }
}
not_loaded "another backbone" "$LAE_TEST_SOURCE/data/demo_vit.safetensors"
not_loaded "names are not timm's" "${tiny%/*}/transformers.safetensors"
not_loaded "neither .safetensors nor .h5" "$LAE_TEST_SOURCE/README.md"
not_loaded "no backbone that lae_mpi wrote" "$work/p.h5"
# The check can fail: another run's modules.
"$LAE_MPI" convert "$runs/lora" "$a" 2>/dev/null
load "$a" >/dev/null 2>&1 && fail "another run's modules pass"
exit 0
