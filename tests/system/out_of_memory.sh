#!/bin/sh
# Memory that runs out: one allocation of the program's own fails, at one rank of two, in run after
# run, each time another. All ranks end promptly with one message and exit 1, or get over it and end
# with the same bits. LAE_TEST_ALLOCATIONS asks for more of them (0: every one).
. "$(dirname "$0")/common.sh"
need mpirun h5diff pkill

# starved RANK NAME: a run whose allocation number LAE_FAIL_AT at that rank fails.
starved() {
    (
        # In this process and mpirun's own nothing fails: they have no rank.
        export LD_PRELOAD="$LAE_FAILING_MALLOC" LAE_FAIL_RANK="$1" LAE_FAIL_COUNT="$work/count"
        train 2 "$2" merge.method=ties train.epochs=1 train.freeze_epochs=0 data.synthetic.classes=8 \
            checkpoint.every_steps=2
    ) &
    launched=$!
    waited=0
    while kill -0 $launched 2>/dev/null; do
        waited=$((waited + 1))
        [ $waited -lt 600 ] || { pkill -KILL -f " run.name=$2 "; fail "allocation $LAE_FAIL_AT: hangs"; }
        sleep 0.1
    done
    wait $launched
}

# judge CODE RANK NAME
judge() {
    messages=$(grep -ac '^lae_mpi: ' "$work/$3.err")
    case $1 in
    0)
        same whole "$3" task_01.h5
        survived=$((survived + 1))
        ;;
    1)
        [ "$messages" -eq 1 ] && grep -aq "^lae_mpi: .*memory" "$work/$3.err" ||
            { cat "$work/$3.err"; fail "allocation $LAE_FAIL_AT of rank $2: $messages messages"; }
        ended=$((ended + 1))
        ;;
    *)
        cat "$work/$3.err"
        fail "allocation $LAE_FAIL_AT of rank $2: exit $1"
        ;;
    esac
}

LAE_FAIL_AT=0
export LAE_FAIL_AT
for rank in 0 1; do
    rm -rf "$runs/whole"
    starved $rank whole || { cat "$work/whole.err"; fail "with all its memory"; }
    total=$(cat "$work/count")
    wanted=${LAE_TEST_ALLOCATIONS:-12}
    [ "$wanted" -ne 0 ] || wanted=$total
    ended=0 survived=0 step=$(((total + wanted - 1) / wanted))
    LAE_FAIL_AT=1
    while [ $LAE_FAIL_AT -le "$total" ]; do
        starved $rank starved
        judge $? $rank starved
        rm -rf "$runs/starved"
        LAE_FAIL_AT=$((LAE_FAIL_AT + step))
    done
    echo "ok: rank $rank, every ${step}th of $total allocations: $ended ended, $survived got over it"
    [ $ended -gt 0 ] || fail "nothing failed"
    LAE_FAIL_AT=0
done
