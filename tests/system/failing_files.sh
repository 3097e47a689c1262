#!/bin/sh
# Storage that fails: one call about a run's files, in run after run another one, finds no space, a full
# quota, a broken disk or a server of files that was started anew; that call alone, or all from then on.
# The program ends with one message that says where, or gets over it; the same command then goes on to the
# same bits, and nothing is left. LAE_TEST_CALLS asks for more of them (0: every one).
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm # hundreds of small files, each of them flushed
. "$(dirname "$0")/common.sh"
need h5diff h5ls timeout

# alone NAME [VARIABLE=VALUE...]: a small run in one process, without mpirun, in that environment.
alone() {
    name=$1
    shift
    env "$@" timeout -s KILL 60 "$LAE_MPI" train run.root="$runs" run.name="$name" \
        data.dataset=synthetic model.weights="$tiny" model.heads=2 data.image_size=16 data.mean=0.5 \
        data.std=0.5 data.classes_per_task=4 data.synthetic.classes=8 data.synthetic.train=3 \
        data.synthetic.test=1 train.batch_size=4 train.epochs=1 train.freeze_epochs=0 pet.blocks=0 \
        compute.threads=1 merge.method=ties checkpoint.every_steps=2 >"$work/$name.out" 2>"$work/$name.err"
}

wrong() { # WORDS...
    cat "$work/hit.err"
    fail "call $at of $total ($(cut -d ' ' -f 2 "$work/count")), $*"
}

# judge CODE: what became of the run whose call failed.
judge() {
    if grep -Eq 'Sanitizer|runtime error' "$work/hit.err"; then wrong "a sanitizer's complaint"; fi
    messages=$(grep -c '^lae_mpi: ' "$work/hit.err")
    case $1/$messages in
    0/0) survived=$((survived + 1)) ;;
    1/1 | 2/1)
        grep -q "^lae_mpi: .*$runs.*$word" "$work/hit.err" || wrong "the file or the reason is not said"
        ended=$((ended + 1))
        ;;
    *) wrong "exit $1, $messages message(s)" ;;
    esac
}

# What the run is before a call fails: not there, or a copy of the run that `begun` names.
begun=""
begin_anew() {
    rm -rf "$runs/hit"
    [ -z "$begun" ] || cp -r "$runs/$begun" "$runs/hit"
}

# try NAME ERRNO WORD [VARIABLE=VALUE...]: call after call fails with it.
try() {
    kind=$1 error=$2 word=$3 ended=0 survived=0 at=0
    shift 3
    set -- LD_PRELOAD="$LAE_FAILING_FILES" LAE_FAIL_BELOW="$runs/" LAE_FAIL_COUNT="$work/count" \
        LAE_FAIL_ERROR="$error" "$@"
    begin_anew
    alone hit "$@" || { cat "$work/hit.err"; fail "$kind: nothing fails yet"; }
    total=$(cut -d ' ' -f 1 "$work/count")
    [ "$total" -gt 20 ] || fail "$kind: there are only $total calls"
    wanted=${LAE_TEST_CALLS:-12}
    [ "$wanted" -ne 0 ] || wanted=$total
    step=$(((total + wanted - 1) / wanted))
    at=$((1 + round % step))
    round=$((round + 5))
    while [ $at -le "$total" ]; do
        begin_anew
        alone hit "$@" LAE_FAIL_AT=$at
        judge $?
        alone hit || wrong "the same command does not go on: $(cat "$work/hit.err")"
        for task in task_00.h5 task_01.h5; do same whole hit $task; done
        [ -z "$begun" ] || cmp -s "$runs/$begun/task_00.h5" "$runs/hit/task_00.h5" ||
            wrong "a task that was finished is learned again"
        [ "$(h5ls "$runs/hit/run.h5" | grep -c "^task_")" -eq 2 ] || wrong "run.h5 has not all tasks"
        [ -z "$(find "$runs/hit" -name '.*' -o -name '*resume*' -o -name '*.damaged')" ] ||
            wrong "left behind: $(ls -A "$runs/hit")"
        at=$((at + step))
    done
    echo "ok: $kind, every ${step}th of $total calls: $ended ended, $survived got over it"
    [ $ended -gt 0 ] || fail "$kind: nothing failed"
}

round=0
alone whole || { cat "$work/whole.err"; fail "with a disk that is well"; }
try ENOSPC 28 "No space left" LAE_FAIL_LASTS=1
try ENOSPC-once 28 "No space left"
try EDQUOT 122 "quota exceeded" LAE_FAIL_LASTS=1
try EIO 5 "Input/output error" LAE_FAIL_ALL=1
try ESTALE 116 "Stale file handle" LAE_FAIL_ALL=1
try ESTALE-lasting 116 "Stale file handle" LAE_FAIL_ALL=1 LAE_FAIL_LASTS=1

# A run that goes on inside its second task: what it does not come to see is not taken for not there.
alone inside LD_PRELOAD="$LAE_FAILING_FILES" LAE_FAIL_BELOW="$runs/inside/.task_01" LAE_FAIL_AT=1 LAE_FAIL_ERROR=28
[ -e "$runs/inside/task_00.h5" ] && [ -e "$runs/inside/resume.h5" ] && [ ! -e "$runs/inside/task_01.h5" ] ||
    { ls "$runs/inside"; fail "no run inside its second task"; }
begun=inside
try "ESTALE, going on" 116 "Stale file handle" LAE_FAIL_ALL=1
try "ENOSPC, going on" 28 "No space left" LAE_FAIL_LASTS=1
