#!/bin/sh
# Numbers that betray trouble: a loss that is not finite, or a gradient beyond the exact sum's range,
# stops all ranks with exit 1 and one message, the same at any number of ranks: which task, epoch,
# step and images, and what to try. What was saved before stays, and goes on to the same end.
. "$(dirname "$0")/common.sh"
need mpirun h5ls

# troubled NP NAME KEY=VALUE...: a run that must stop so; leaves its message in $work/NAME.said.
troubled() {
    train "$@"
    code=$?
    [ $code -eq 1 ] || { cat "$work/$2.err"; fail "exit $code instead of 1 for: $*"; }
    [ "$(grep -c '^lae_mpi: ' "$work/$2.err")" -eq 1 ] ||
        { cat "$work/$2.err"; fail "not one message for: $*"; }
    grep '^lae_mpi: ' "$work/$2.err" >"$work/$2.said"
    for word in "task 1, epoch " ", step " "training image" "train.lr" "model.weights" "data.mean"; do
        grep -q -- "$word" "$work/$2.said" || { cat "$work/$2.said"; fail "no \"$word\" for: $*"; }
    done
}

# Every step moves every parameter by about train.lr, so scores grow until the loss is beyond the
# sum's range; the states before it are saved.
settings="train.lr=1000 train.epochs=400 train.freeze_epochs=0 checkpoint.every_steps=1"
for ranks in 1 2 3; do
    # shellcheck disable=SC2086
    troubled $ranks wild$ranks $settings
    cmp -s "$work/wild1.said" "$work/wild$ranks.said" ||
        { cat "$work/wild1.said" "$work/wild$ranks.said"; fail "another message at $ranks ranks"; }
done
h5ls "$runs/wild2/resume.h5" >"$work/list" || fail "the saved state is not whole"
cp "$runs/wild2/resume.h5" "$work/kept.h5"
# shellcheck disable=SC2086
troubled 3 wild2 $settings
cmp -s "$work/wild1.said" "$work/wild2.said" || fail "going on ends elsewhere"
cmp -s "$work/kept.h5" "$runs/wild2/resume.h5" || fail "the saved state was changed"
echo "ok: $(cut -c 10-150 "$work/wild1.said")..."
