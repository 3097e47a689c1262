#!/bin/sh
# Limits on a file's size, pipes that nobody reads any more, a full standard output: errors like
# others, one message and nothing left behind, and training goes on without its screen.
. "$(dirname "$0")/common.sh"
need mpirun h5diff

train 1 whole || { cat "$work/whole.err"; fail "the undisturbed run"; }

# alone NAME KEY=VALUE...: as train, in one process and without mpirun.
alone() {
    name=$1
    shift
    "$LAE_MPI" train run.root="$runs" run.name="$name" data.dataset=synthetic \
        model.weights="$tiny" model.heads=2 data.image_size=16 data.mean=0.5 data.std=0.5 \
        data.classes_per_task=4 data.synthetic.classes=12 data.synthetic.train=7 \
        data.synthetic.test=5 train.batch_size=11 train.epochs=3 train.freeze_epochs=1 \
        pet.blocks=0,1 compute.threads=1 "$@"
}

# nothing_left DIRECTORY: no temporary file.
nothing_left() {
    [ -z "$(find "$1" -name '.*.tmp')" ] || { find "$1"; fail "a temporary file is left"; }
}

# refused MESSAGE: the last command's exit code was 1, and this its one message.
refused() {
    [ $code -eq 1 ] && [ "$(grep -c "^lae_mpi: .*$1" "$work/e")" -eq 1 ] ||
        { cat "$work/e"; fail "exit $code, not one message of $1"; }
}

# Of 512 bytes each, as ulimit counts. MPI's own files have 4 MB; a task's has more here.
large="eval.heads=ridge heads.features=1100"
for blocks in 1 1000 8600; do
    # shellcheck disable=SC2086
    (ulimit -f $blocks && alone short $large) >"$work/o" 2>"$work/e"
    code=$?
    refused "\(File too large\|ulimit -f\)"
    nothing_left "$work"
done
# shellcheck disable=SC2086
alone short $large >"$work/o" 2>"$work/e" || { cat "$work/e"; fail "without the limit"; }
(ulimit -f 8600 && "$LAE_MPI" inspect "$runs/short" --json "$work/o.json" &&
    "$LAE_MPI" synth "$work/images" data.synthetic.train=200) >"$work/o" 2>"$work/e"
code=$?
refused "File too large"
nothing_left "$work"
echo "ok: ulimit -f"

# Of 1024 bytes. OpenBLAS finds no memory for its threads; with enough of it all is well.
for kilobytes in 400000 600000 660000 1500000; do
    (ulimit -v $kilobytes && timeout -s KILL 60 "$LAE_MPI" train run.root="$runs" \
        run.name="v$kilobytes" data.dataset=synthetic model.weights="$tiny" model.heads=2 \
        data.image_size=16 data.mean=0.5 data.std=0.5 data.classes_per_task=4 \
        data.synthetic.classes=12 data.synthetic.train=7 data.synthetic.test=5 \
        train.batch_size=11 train.epochs=3 pet.blocks=0,1 compute.threads=2) \
        >"$work/o" 2>"$work/e"
    code=$?
    [ $code -eq 0 ] || refused "memory"
    ! grep -q "task 1/3" "$work/e" || [ $code -eq 0 ] || fail "ulimit -v $kilobytes: too late"
done
[ $code -eq 0 ] || { cat "$work/e"; fail "ulimit -v $kilobytes: exit $code"; }
echo "ok: ulimit -v"

# The reader takes three lines and goes. Results have a pipe of their own, or the same.
{ alone piped checkpoint.every_steps=2 2>&1; echo $? >"$work/code"; } | head -n 3 >"$work/head"
[ "$(cat "$work/code")" -eq 0 ] || fail "| head: exit $(cat "$work/code")"
[ "$(wc -l <"$work/head")" -eq 3 ] || fail "| head: nothing came"
for task in task_00.h5 task_01.h5 task_02.h5; do same whole piped $task; done
{ alone closed run.tasks=1 2>&1 1>&3; echo $? >"$work/code"; } 3>&1 2>&1 | true
[ "$(cat "$work/code")" -eq 0 ] || fail "| true: exit $(cat "$work/code")"
{ train 2 ranks; echo $? >"$work/code"; } | true
[ "$(cat "$work/code")" -eq 0 ] || fail "two ranks: exit $(cat "$work/code")"
for command in "inspect $runs/whole" "inspect $runs/whole/task_00.h5" --help "train --help"; do
    # shellcheck disable=SC2086
    { "$LAE_MPI" $command 2>"$work/e"; echo $? >"$work/code"; } | head -n 1 >/dev/null
    [ "$(cat "$work/code")" -eq 0 ] && [ ! -s "$work/e" ] ||
        { cat "$work/e"; fail "$command | head: exit $(cat "$work/code")"; }
done
echo "ok: pipes that nobody reads"

# What is asked for and cannot be written is no success.
if [ -e /dev/full ]; then
    for command in "inspect $runs/whole" "train --help" --version "train --print-config"; do
        # shellcheck disable=SC2086
        "$LAE_MPI" $command >/dev/full 2>"$work/e"
        code=$?
        [ $code -eq 1 ] && grep -q "^lae_mpi: standard output: cannot be written" "$work/e" ||
            { cat "$work/e"; fail "$command >/dev/full: exit $code"; }
    done
    echo "ok: a full standard output"
fi
