#!/bin/sh
# Libraries may change the rules of arithmetic, or bring another logarithm: the first changes no bit,
# the second shows in the fingerprint.
. "$(dirname "$0")/common.sh"
need mpirun h5diff h5dump

# The fingerprint that a run's file has.
fingerprint() {
    h5dump -a /provenance/fingerprint "$runs/$1/task_00.h5" | grep '(0)'
}

train 1 plain || { cat "$work/plain.err"; fail "the plain run"; }
LD_PRELOAD=$LAE_OTHER_ARITHMETIC train 1 rules compute.threads=2 ||
    { cat "$work/rules.err"; fail "with other rules"; }
for task in task_00.h5 task_01.h5 task_02.h5; do same plain rules $task; done
[ "$(fingerprint plain)" = "$(fingerprint rules)" ] || fail "the same bits, another fingerprint"
echo "ok: flush to zero and rounding, set by a library"

LD_PRELOAD=$LAE_OTHER_ARITHMETIC LAE_OTHER_LOG=1 train 1 log run.tasks=1 ||
    { cat "$work/log.err"; fail "with another logarithm"; }
[ "$(fingerprint plain)" != "$(fingerprint log)" ] || fail "another logarithm, one fingerprint"
echo "ok: another mathematical library is another fingerprint"
