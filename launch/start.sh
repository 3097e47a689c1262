# Sourced by run.sh and slurm.sh: what starting the program takes on any machine. A script that
# sources it has its own name, for messages, in `me`.

# find_program ROOT: sets `program` to what LAE_MPI names, else to the checkout's, else to PATH's.
find_program() {
    program=${LAE_MPI:-$1/build/lae_mpi}
    [ -n "${LAE_MPI:-}" ] || [ -x "$program" ] || program=lae_mpi
    if [ ! -x "$(command -v "$program")" ]; then
        echo "$me: no program ${LAE_MPI:-$1/build/lae_mpi, nor lae_mpi in PATH}; build it with" \
            "launch/setup.sh, or let LAE_MPI say where it is" >&2
        exit 2
    fi
}

# tell_launcher PARAMETER VALUE: Open MPI 4's mpirun reads such parameters from OMPI_MCA_..., that of
# 5, which is PRRTE's prterun, from PRTE_MCA_...; each passes over the other's. What the user has set
# stays, and counts for both.
tell_launcher() {
    eval "export OMPI_MCA_$1=\"\${OMPI_MCA_$1:-\${PRTE_MCA_$1:-\$2}}\""
    eval "export PRTE_MCA_$1=\"\${PRTE_MCA_$1:-\$OMPI_MCA_$1}\""
}

# Of a host that is lost mpirun hears nothing, and by itself it asks for the first time after five
# minutes. Like this it ends the job, with its daemons on both sides, 25 to 45 seconds after a loss:
# after the program has warned of it, and before it would end itself (compute.watchdog_seconds),
# which daemons cut off would outlive for a quarter of an hour.
notice_lost_hosts() {
    tell_launcher oob_tcp_keepalive_time 20
    tell_launcher oob_tcp_keepalive_intvl 5
    tell_launcher oob_tcp_keepalive_probes 5
}

# No lines of mpirun's own about signals and exit codes. (Open MPI 5 has a box for exit codes that
# nothing turns off, and does not know the --quiet of 4.)
hush_launcher() {
    tell_launcher orte_execute_quiet 1
    tell_launcher prte_execute_quiet 1
}

# mpirun refuses to be root, containers have no other user; and each of the program's threads calls
# BLAS by itself.
prepare_environment() {
    if [ "$(id -u)" -eq 0 ]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
    export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
    notice_lost_hosts
    hush_launcher
}

# hand_on SIGNAL: asks the ranks to finish their step, save and exit 75; at a second INT, TERM or QUIT,
# to end at once. (A terminal that is closed may send HUP twice.) Nobody may read the message.
hand_on() {
    request=USR1
    case $1,$asked in
    USR1,* | USR2,* | HUP,*)
        [ -n "$asked" ] || asked=$1
        [ "$asked" != USR2 ] || asked=USR1
        ;;
    *, | *,USR1 | *,HUP)
        asked=$1
        echo "$me: stopping after this step; once more to end at once" 2>/dev/null >&2 || :
        ;;
    *) request=TERM ;;
    esac
    [ -n "$launcher" ] || return 0
    kill -$request "$launcher" 2>/dev/null || : # it may have ended by now
    repeat_request
}

# A launcher that has no ranks yet hands nothing on, and a rank may be loading its libraries still: they
# are asked every second until they have ended.
repeat_request() {
    [ -z "$repeating" ] || return 0
    (while sleep 1 && kill -USR1 "$launcher"; do :; done) </dev/null >/dev/null 2>&1 &
    repeating=$!
}

# listen: requests to stop are noted from now on.
listen() {
    asked="" launcher="" repeating=""
    for signal in INT TERM HUP QUIT USR1 USR2; do
        # shellcheck disable=SC2064
        trap "interrupted=yes; hand_on $signal" $signal
    done
    trap interrupted=yes PIPE # messages to nobody
}

# One rank: says which it was where a signal ended it, which launchers keep to themselves, and ends with
# the program's exit code. Signals for the rank reach this shell as well. The two by which ranks are
# asked are ignored until the program listens, while its libraries load.
# shellcheck disable=SC2016
watched_rank='
asked=""
trap "asked=yes interrupted=yes" TERM INT HUP QUIT
trap "" USR1 USR2
"$@" &
code="" interrupted=yes
while [ -n "$interrupted" ]; do
    interrupted=""
    wait $! && ended=0 || ended=$?
    [ $ended -eq 127 ] && [ -n "$code" ] || code=$ended
done
if [ $code -gt 128 ] && [ -z "$asked" ]; then
    name=$(kill -l $((code - 128)) 2>/dev/null) || name=$((code - 128))
    [ "$name" != KILL ] || name="KILL (from somebody, or from the kernel where memory runs out: see dmesg)"
    echo "lae_mpi: rank ${OMPI_COMM_WORLD_RANK:-${PMIX_RANK:-${SLURM_PROCID:-?}}} on $(uname -n) was" \
        "ended by signal $name; the same command goes on from the last saved state" >&2
fi
exit $code'

# await_ranks: until those that began on this host have done their work, or a few seconds are over: a
# crashed launcher may leave them behind.
await_ranks() {
    patience=50
    while [ $patience -gt 0 ] &&
        [ "$(grep -c '^begun$' "$LAE_OUTCOME")" -gt "$(grep -c '^reached ' "$LAE_OUTCOME")" ]; do
        patience=$((patience - 1))
        sleep 0.1
    done
}

# believe_ranks: makes `code`, the launcher's, 1 where that is 0 though a rank that began on this host
# did not end with 0. Open MPI 5 has lost the connection to a host then. (Ranks elsewhere do not see
# the file, but all end well together.) Where the launcher itself crashed, though all ranks had done their
# work, it is theirs: Open MPI 4's does, at its end, where nobody reads what it passes on.
believe_ranks() {
    [ "$code" -ne 139 ] || await_ranks
    begun=$(grep -c '^begun$' "$LAE_OUTCOME") || :
    well=$(grep -c '^ended 0$' "$LAE_OUTCOME") || :
    reached=$(grep -c '^reached ' "$LAE_OUTCOME") || :
    theirs=$(sed -n 's/^reached //p' "$LAE_OUTCOME" | sort -u)
    rm -f "$LAE_OUTCOME"
    case $code/$theirs in
    139/*[!0-9]* | 139/) ;;
    139/*) [ "$begun" -ne "$reached" ] || code=$theirs ;;
    esac
    if [ "$code" -eq 0 ] && [ "$begun" -ne "$well" ]; then
        code=1
        echo "$me: the launcher ended as if all were well, but $((begun - well)) of $begun ranks on" \
            "this host did not; a host or a rank was lost, and the same command goes on" >&2 || :
    fi
}

# await_launcher: until it has ended; leaves its exit code in `code`. A signal ends `wait` as well, which is
# then called again; some shells have forgotten (127) the code of one that was waited for before.
await_launcher() {
    code="" interrupted=yes
    while [ -n "$interrupted" ]; do
        interrupted=""
        wait "$launcher" && ended=0 || ended=$?
        [ "$ended" -eq 127 ] && [ -n "$code" ] || code=$ended
    done
}

# launch COMMAND...: runs the ranks' launcher, handing signals on to it. Leaves its exit code in `code`
# and in `asked` what came: nothing, USR1, or (which says more) the first INT, TERM, QUIT or HUP.
# The shell looks at signals only between commands and in `wait`, so the launcher is not waited for
# in the foreground. Until the launcher listens, it must not be killed by what asks it to hand on.
launch() {
    if [ -n "$asked" ]; then # before anything was begun
        code=75
        return
    fi
    LAE_OUTCOME=$(mktemp)
    export LAE_OUTCOME
    (
        trap '' USR1 USR2 PIPE # that nobody reads is no reason to end
        trap - INT TERM HUP QUIT
        exec "$@"
    ) </dev/null &
    launcher=$!
    [ -z "$asked" ] || hand_on USR1 # it came in between
    await_launcher
    [ -z "$repeating" ] || kill "$repeating" 2>/dev/null || :
    believe_ranks
    # The request itself ends a launcher or a rank that does not listen yet, before it has begun anything.
    case $asked/$(kill -l "$code" 2>/dev/null) in ?*/USR[12]) code=75 ;; esac
    trap - INT TERM HUP QUIT USR1 USR2 PIPE
}
