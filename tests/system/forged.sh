#!/bin/sh
# Files made to crash HDF5, sealed as good ones are: whoever reads them says so in one message and
# ends with 2; nothing crashes, hangs or is written. Without a forged file's own process HDF5 1.10
# dies by a signal on most of these, or goes round for ever.
. "$LAE_TEST_SOURCE/tests/system/common.sh"
need mpirun sha256sum

# forge FILE FORMAT OUT: FILE under a right seal.
forge() {
    digest=$(tail -c +513 "$1" | sha256sum | cut -d ' ' -f 1)
    { printf '%s 1 sha256 %s\n' "$2" "$digest" | dd bs=512 count=1 conv=sync 2>/dev/null
      tail -c +513 "$1"; } >"$3"
}

# refused COMMAND...: exit 2 and one message that names the file.
refused() {
    timeout 120 "$@" >"$work/out" 2>"$work/err"
    code=$?
    [ $code -eq 2 ] || { cat "$work/err"; fail "exit $code instead of 2: $*"; }
    [ "$(grep -c '^lae_mpi: ' "$work/err")" -eq 1 ] || { cat "$work/err"; fail "not one message: $*"; }
    grep -q "^lae_mpi: .*$name" "$work/err" || { cat "$work/err"; fail "the file is not named: $*"; }
}

# start KEY=VALUE...: refused, as a run to be begun.
start() {
    refused "$LAE_MPI" train run.root="$runs" run.name=new data.dataset=synthetic model.heads=2 \
        data.image_size=16 data.mean=0.5 data.std=0.5 data.synthetic.classes=4 \
        data.classes_per_task=2 data.synthetic.train=2 data.synthetic.test=1 compute.threads=1 "$@"
}

train 1 whole run.tasks=2 || { cat "$work/whole.err"; fail "a run to begin with"; }
mkdir "$runs/other"
cp "$runs/whole/config.yaml" "$runs/whole/metrics.jsonl" "$runs/other"
tried=0
for find in "$LAE_TEST_SOURCE"/tests/fuzz/finds/hdf5/*; do
    name=${find##*/}.h5
    case $(head -c 5 "$find") in lae-w) format=lae-weights ;; *) format=lae-checkpoint ;; esac
    forge "$find" $format "$work/$name"
    refused "$LAE_MPI" inspect "$work/$name"
    tried=$((tried + 1))
done
[ $tried -gt 5 ] || fail "there are no files to try"
echo "ok: $tried forged files, inspected"

# Every command that reads such files, with one of them.
name=forged.h5
forge "$LAE_TEST_SOURCE/tests/fuzz/finds/hdf5/crash-checkpoint-1" lae-checkpoint "$work/$name"
refused "$LAE_MPI" evaluate "$work/$name"
refused "$LAE_MPI" predict "$work/$name" "$work/predictions.h5"
refused "$LAE_MPI" convert "$work/$name" "$work/out.safetensors"
refused "$LAE_MPI" inspect "$runs/whole/task_00.h5" --diff "$work/$name"
start model.weights="$tiny" run.resume="$work/$name"
cp "$work/$name" "$runs/other/task_00.h5"
name=task_00.h5
refused "$LAE_MPI" report "$runs/other"
refused "$LAE_MPI" merge "$runs/other"
refused "$LAE_MPI" inspect "$runs/other"
name=weights.h5
forge "$LAE_TEST_SOURCE/tests/fuzz/finds/hdf5/crash-weights-1" lae-weights "$work/$name"
start model.weights="$work/$name"
refused "$LAE_MPI" convert "$work/$name" "$work/out.safetensors"
refused mpirun --oversubscribe --bind-to none -np 3 "$LAE_MPI" train run.root="$runs" run.name=new \
    data.dataset=synthetic model.weights="$work/$name"
[ ! -e "$work/out.safetensors" ] && [ ! -e "$work/predictions.h5" ] && [ ! -e "$runs/new/task_00.h5" ] ||
    fail "something was written"
echo "ok: every command"

# The processes that read end with the program.
left=$(ps -e -o args= | grep -c "[l]ae_mpi .*$work" || true)
[ "$left" -eq 0 ] || fail "$left processes are left"
echo "ok: no process is left"
