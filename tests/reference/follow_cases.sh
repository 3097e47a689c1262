# Sourced: the cases of make_follow_fixtures.sh and tests/system/follow.sh.

# NAME ATTN MLP MERGE, a line each.
cases() {
    cat <<'TEXT'
adapter adapter none ema
conv_adapter conv_adapter conv_adapter ema
lora lora adapter ema
prefix prefix conv_adapter ema
ties adapter adapter ties
mean adapter none mean
TEXT
}

# ATTN MLP MERGE -> the program's keys. Images in file order, not augmented, nothing dropped.
program_settings() {
    echo "data.dataset=cifar100 data.path=$PWD/follow data.image_size=16 data.mean=0.5 data.std=0.5
        data.classes_per_task=50 data.augment=none data.shuffle=false
        model.weights=$PWD/weights/timm-f32.safetensors model.heads=2 pet.blocks=0,1
        pet.attn.type=$1 pet.attn.dropout=0 pet.mlp.type=$2 pet.mlp.dropout=0 merge.method=$3
        merge.decay=0.9 train.epochs=3 train.freeze_epochs=1 train.batch_size=6"
}

# ATTN MLP MERGE -> the reference's arguments.
reference_settings() {
    echo "--attn $1 --mlp $2 --merge $3 --decay 0.9"
}
