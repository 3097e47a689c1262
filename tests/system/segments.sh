#!/bin/sh
# Shared memory of ranks is known to all users by its name in /dev/shm. The program takes the names away
# and gives them back for MPI to remove: what somebody has put there meanwhile, a link, a file, a
# directory, a pipe, is neither followed, written nor waited for, and the run ends well.
. "$(dirname "$0")/common.sh"
need mpirun timeout
[ -d /dev/shm ] && [ -w /dev/shm ] || skip "there is no /dev/shm"

# Whatever is left of what was planted goes with the test.
clear_up() {
    while read -r name; do rm -rf "$name"; done <"$work/planted"
}
: >"$work/planted"
trap 'clear_up; rm -rf "$work"' EXIT

for what in link file directory fifo; do
    echo mine >"$work/victim"
    rm -rf "$runs"
    : >"$work/planted"
    (
        export LD_PRELOAD="$LAE_PLANTED_SEGMENT" LAE_PLANT=$what LAE_PLANTED="$work/planted"
        export LAE_PLANT_VICTIM="$work/victim"
        train 3 $what run.tasks=1
    ) &
    launched=$!
    await 120 "$what: the run ends" has_ended $launched
    wait $launched || { cat "$work/$what.err"; fail "$what: exit $?"; }
    [ -e "$runs/$what/task_00.h5" ] || fail "$what: nothing was learned"
    [ -s "$work/planted" ] || { echo "skipped: this MPI has no segments of a name in /dev/shm"; exit 77; }
    [ "$(cat "$work/victim")" = mine ] || fail "$what: what the link led to was written into"
    while read -r name; do
        case $what in
        file) [ ! -e "$name" ] || [ "$(cat "$name")" = theirs ] || fail "their file was written into" ;;
        esac
    done <"$work/planted"
    clear_up
    echo "ok: a $what in the way"
done
