#!/bin/sh
# Directories of runs that somebody else changed: report, inspect and merge either do their work or
# refuse it with one message, whatever lines, numbers, names and texts are in the files; they take no
# more memory for it, and a page stays a page. LAE_TEST_MUTATIONS=1000 for more of them.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm # hundreds of small files, each of them flushed
. "$(dirname "$0")/common.sh"
need mpirun xmllint h5copy h5unjam

mutations=${LAE_TEST_MUTATIONS:-25}
first=${LAE_TEST_MUTATIONS_FROM:-1}

train 1 whole merge.method=ties train.epochs=1 report.every_steps=1 || { cat "$work/whole.err"; fail "training"; }

# judge ARGUMENTS...: what the program makes of the changed run.
judge() {
    (
        # A sanitizer reserves more than any limit.
        [ -n "${LAE_SANITIZED:-}" ] || ulimit -v 4000000
        timeout 120 "$LAE_MPI" "$@" >"$work/out" 2>"$work/err"
    )
    code=$?
    counts="$counts $1:$code"
    if grep -Eq 'Sanitizer|runtime error' "$work/err"; then
        cat "$work/err"
        fail "change $seed: a sanitizer's complaint: $*"
    fi
    messages=$(grep -c '^lae_mpi: ' "$work/err")
    case $code/$messages in
    0/0 | 2/1) ;;
    *) cat -v "$work/err"; fail "change $seed ($(cat "$work/what")): exit $code, $messages message(s): $*" ;;
    esac
    LC_ALL=C grep -nqP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$work/out" "$work/err" &&
        { cat -v "$work/out" "$work/err"; fail "change $seed: what controls a terminal: $*"; }
    return 0
}

# An earlier task's file has more tensors than the newest, which say what room there is.
seed=none
echo "a tensor more in task_00.h5" >"$work/what"
cp -r "$runs/whole" "$work/changed"
h5unjam -i "$runs/whole/task_00.h5" -o "$work/changed/task_00.h5" --delete 2>/dev/null
h5copy -i "$work/changed/task_00.h5" -o "$work/changed/task_00.h5" -s /online/blocks/0 -d /online/blocks/9 ||
    fail "no tensor can be added"
counts=
judge inspect "$work/changed"
[ "$code" -eq 2 ] && grep -q "task_00.h5" "$work/err" || { cat "$work/err"; fail "inspect ends with $code"; }
for command in report merge; do
    judge $command "$work/changed"
done
echo "ok: a tensor more in an earlier task"

counts=
seed=$first
while [ "$seed" -lt $((first + mutations)) ]; do
    rm -rf "$work/changed" "$work/page"
    cp -r "$runs/whole" "$work/changed"
    "$LAE_MUTATE_RUN" "$work/changed" "$seed" >"$work/what" || fail "change $seed cannot be made"
    judge report "$work/changed" "$runs/whole" --output "$work/page"
    if [ -e "$work/page/report.html" ]; then
        xmllint --noout "$work/page/report.html" || fail "change $seed: the page is not well formed"
        [ "$(wc -c <"$work/page/report.html")" -lt 20000000 ] || fail "change $seed: a page of that size"
    fi
    judge inspect "$work/changed"
    judge merge "$work/changed" --method mean
    seed=$((seed + 1))
done
for command in report inspect merge; do
    for code in 0 2; do
        count=$(echo "$counts" | tr ' ' '\n' | grep -c "^$command:$code$")
        echo "$command ended $count times with $code"
        [ "$count" -gt 0 ] || [ "$mutations" -lt 10 ] || fail "the changes try too little"
    done
done
echo "ok: $mutations changed runs"
exit 0
