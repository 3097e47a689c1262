# Sourced by the system tests. The build gives them LAE_MPI (the program) and LAE_TEST_SOURCE.
set -u

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
runs=$work/runs
tiny=$LAE_TEST_SOURCE/tests/reference/weights/timm-f32.safetensors

[ "$(id -u)" -ne 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 LAE_HOME=$LAE_TEST_SOURCE

# Of the tests' own files none may be missing: a test that skips for that would be none.
[ -s "$tiny" ] || { echo "FAILED: $tiny is not there" >&2; exit 1; }

skip() {
    echo "skipped: $*"
    exit 77
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null || skip "$tool is not installed"
    done
}

# How the command line of this test's launchers begins, for pkill: Open MPI 5's mpirun becomes prterun.
launcher="^(mpirun|prterun) .*$work/"

# ranks_of NAME: the processes of its ranks, in the order they were started; without those that ranks
# start themselves, to read files. (All is seen in one look: such a reader may end at any moment.)
ranks_of() {
    ps -eo pid=,ppid=,args= | awk -v program="$LAE_MPI " -v place="$work/" -v name=" run.name=$1 " '
        {
            pid = $1; parent = $2; line = $0 " "
            sub(/^ *[0-9]+ +[0-9]+ /, "", line)
            if (index(line, program) == 1 && index(line, place) && index(line, name)) {
                parent_of[pid] = parent; order[++count] = pid
            }
        }
        END {
            for (i = 1; i <= count; i++)
                if (!(parent_of[order[i]] in parent_of)) { print order[i]; found = 1 }
            exit !found
        }'
}

# await SECONDS WHAT COMMAND...: until the command succeeds; fails, saying what was waited for.
await() {
    patience=$(($1 * 20)) awaited=$2
    shift 2
    until "$@"; do
        patience=$((patience - 1))
        [ $patience -gt 0 ] || fail "waited in vain: $awaited"
        sleep 0.05
    done
}

# is_newer NAME FILE: whether a file of the run is newer than $work/mark, as is what this start wrote.
is_newer() {
    [ -n "$(find "$runs/$1" -maxdepth 1 -name "$2" -newer "$work/mark" 2>/dev/null)" ]
}

has_ended() { # PROCESS
    ! kill -0 "$1" 2>/dev/null
}

# listens PROCESS: whether it has handlers for SIGUSR1 (bit 9) and SIGTERM (bit 14) by now.
listens() {
    caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status")
    [ $((0x${caught:-0} >> 9 & 0x21)) -eq 33 ]
}

# begun_or_ended NAME FILE: the run of `launched` has written the file anew, or is over.
begun_or_ended() {
    is_newer "$1" "$2" || has_ended "$launched"
}

has_no_ranks() { # NAME
    ! ranks_of "$1" >/dev/null
}

# lae NP ARGUMENTS...: the program with NP ranks.
lae() {
    ranks=$1
    shift
    mpirun --oversubscribe --bind-to none -np "$ranks" "$LAE_MPI" "$@"
}

# train NP NAME KEY=VALUE...: a small run on drawn images and a tiny random backbone.
train() {
    ranks=$1
    name=$2
    shift 2
    lae "$ranks" train run.root="$runs" run.name="$name" data.dataset=synthetic \
        model.weights="$tiny" model.heads=2 data.image_size=16 data.mean=0.5 data.std=0.5 \
        data.classes_per_task=4 data.synthetic.classes=12 data.synthetic.train=7 \
        data.synthetic.test=5 train.batch_size=11 train.epochs=3 train.freeze_epochs=1 \
        pet.blocks=0,1 compute.threads=1 "$@" >"$work/$name.out" 2>"$work/$name.err"
}

# alike, differ FILE1 FILE2 [OPTION|OBJECT...]: what h5diff says, which is nothing where they are alike. (Its
# exit code is 0, too, where it cannot compare two shapes.)
alike() {
    h5diff "$@" >"$work/h5diff.out" 2>&1
    told=$?
    [ $told -le 1 ] || { cat "$work/h5diff.out"; fail "cannot be compared: $*"; }
    [ $told -eq 0 ] && [ ! -s "$work/h5diff.out" ]
}
differ() { ! alike "$@"; }

# same A B TASK: nothing but provenance differs between two runs' files of a task.
same() {
    alike --exclude-path /provenance "$runs/$1/$3" "$runs/$2/$3" || {
        cat "$work/h5diff.out"
        fail "$3 of $1 and of $2 differ"
    }
}
