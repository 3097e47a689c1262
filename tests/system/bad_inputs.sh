#!/bin/sh
# Hundreds of bad inputs, each a run of the program: exit 2 and one message that says what and
# where, or exit 0 and a warning where there is something to go back to; what is there already stays
# as it was; nothing hangs. LAE_TEST_KEEP=1 keeps the directories of what went wrong.
. "$(dirname "$0")/common.sh"
need mpirun h5diff h5unjam

[ -z "${LAE_TEST_KEEP:-}" ] || { trap - EXIT; echo "kept: $work"; }
"$LAE_BAD_INPUTS" "$work" "$@" || fail "bad inputs"
