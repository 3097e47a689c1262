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

# hand_on SIGNAL: asks the ranks to finish their step, save and exit 75; at a second INT or TERM, to
# end at once.
hand_on() {
    request=USR1
    case $1,$asked in
    USR1,*) asked=${asked:-USR1} ;;
    *, | *,USR1)
        asked=$1
        echo "$me: stopping after this step; once more to end at once" >&2
        ;;
    *) request=TERM ;;
    esac
    kill -$request "$launcher" 2>/dev/null || : # it may have ended by now
}

# launch COMMAND...: runs the ranks' launcher, handing signals on to it. Leaves its exit code in
# `code` and in `asked` what came: nothing, USR1, or (which says more) the first INT or TERM.
# The shell looks at signals only between commands and in `wait`, so the launcher is not waited for
# in the foreground; and `wait` is over with a signal, so it is called again.
launch() {
    asked=""
    "$@" </dev/null &
    launcher=$!
    for signal in INT TERM USR1; do
        # shellcheck disable=SC2064
        trap "hand_on $signal" $signal
    done
    while :; do
        wait $launcher && code=0 || code=$?
        kill -0 $launcher 2>/dev/null || break
    done
    trap - INT TERM USR1
}
