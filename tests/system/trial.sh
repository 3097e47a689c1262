#!/bin/sh
# launch/trial.sh where no trial can be made: it says why, exits 77 and leaves nothing behind. (The
# trials themselves take too long for a test: .ci/run makes one.)
. "$(dirname "$0")/common.sh"

export LAE_TRIALS="$work/trials" LAE_MIRROR="file:$work/nowhere"
trial=$LAE_TEST_SOURCE/launch/trial.sh

# ends CODE TEXT ARGUMENT...: the trial exits like that, and says that.
ends() {
    wanted=$1
    text=$2
    shift 2
    code=0
    "$trial" "$@" >"$work/out" 2>&1 || code=$?
    [ $code -eq "$wanted" ] && grep -q "$text" "$work/out" || {
        cat "$work/out"
        fail "launch/trial.sh $*: exit $code, not $wanted with \"$text\""
    }
}

ends 0 "launch/trial.sh RELEASE" --help
ends 2 "which release"
ends 2 "unknown argument \"--kept\"" trixie --kept
ends 2 "unknown argument \"../../etc\"" ../../etc
ends 2 "one release at a time" trixie bookworm
ends 2 "needs names" trixie --tests
ends 77 "^skipped: no trial of trixie: " trixie
ends 77 "^skipped: no trial of trixie: " trixie --keep --tests unit
[ -z "$(ls -A "$LAE_TRIALS" 2>/dev/null)" ] || fail "$(ls "$LAE_TRIALS") is left behind"
echo "ok"
