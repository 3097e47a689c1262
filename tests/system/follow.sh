#!/bin/sh
# The program's parameters follow PyTorch's step by step: two tasks with freeze epochs, every PET
# module, every merge; relative difference of the moved vector at most 1e-3.
. "$(dirname "$0")/common.sh"
need mpirun
cd "$LAE_TEST_SOURCE/tests/reference" || exit 1
. ./follow_cases.sh

cases >"$work/cases"
[ "$(wc -l <"$work/cases")" -ge 4 ] || fail "there are no cases"
while read -r case attn mlp merge; do
    # shellcheck disable=SC2046
    lae 2 run.root="$runs" run.name="$case" $(program_settings "$attn" "$mlp" "$merge") \
        >"$work/$case.out" 2>"$work/$case.err" </dev/null || { cat "$work/$case.err"; fail "$case"; }
    echo "$case:"
    "$LAE_COMPARE_MOVED" "$runs/$case" "follow/$case.h5" 2 1e-3 || fail "$case does not follow"
done <"$work/cases"

# The comparison must be able to fail: the same with another learning rate.
# shellcheck disable=SC2046
lae 1 run.root="$runs" run.name=other $(program_settings adapter none ema) train.lr=0.003 \
    >/dev/null 2>"$work/other.err" || fail "another learning rate"
"$LAE_COMPARE_MOVED" "$runs/other" follow/adapter.h5 2 1e-3 >/dev/null && fail "it cannot fail"
exit 0
