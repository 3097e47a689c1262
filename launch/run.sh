#!/bin/sh
# Starts lae_mpi on this machine with a number of ranks.
set -eu

usage() {
    cat <<'TEXT'
launch/run.sh NP [COMMAND] [--config FILE] [KEY=VALUE ...]

Runs `mpirun -np NP lae_mpi ...` on this machine and takes care of what mpirun asks for:

  root            allowed, as containers have no other user
  more ranks      than cores: allowed (--oversubscribe); waiting ranks give their core away
  than cores
  binding         off: each rank may use all cores, and the program divides them among the ranks
                  (compute.threads sets the threads of a rank)
  BLAS threads    one: each thread of the program calls BLAS by itself

Environment: LAE_MPI    the program (default: build/lae_mpi beside this script, else the one in PATH)
             MPIRUN     the launcher (default: mpirun)
             MPIRUN_ARGUMENTS  further arguments for it, say "--hostfile hosts"
Signals: INT (control-C), TERM, HUP (a closed terminal) and USR1 ask the program to finish its step, save
and exit 75; the same command then goes on from there. A second INT or TERM ends it at once.
Exit code: the program's; 1 where a rank was lost, whatever mpirun makes of it.

Examples: launch/run.sh 8
          launch/run.sh 2 --config configs/lae_conv_adapter_ties.yaml train.epochs=1
TEXT
}

me=launch/run.sh
here=$(dirname "$0")
. "$here/start.sh"
listen

case ${1:-} in
--help | -h) usage; exit 0 ;;
"") usage >&2; exit 2 ;;
*[!0-9]* | 0 | 0[0-9]*) echo "$me: NP is the number of ranks, not \"$1\"; see --help" >&2; exit 2 ;;
esac
ranks=$1
shift
# nproc would take OMP_NUM_THREADS for the number of cores.
cores=$(env -u OMP_NUM_THREADS nproc)

# Refuses ranks that this machine would only drown in; with other hosts, that is for their owner to know.
check_ranks() {
    [ -z "${MPIRUN_ARGUMENTS:-}" ] || return 0
    memory=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
    most=$((${memory:-16384000} / 16384)) # of 16 MB, which none comes below
    [ $most -le $((64 * cores)) ] || most=$((64 * cores))
    [ $most -ge 8 ] || most=8
    if [ ${#ranks} -gt 9 ] || [ "$ranks" -gt $most ]; then
        echo "$me: $ranks ranks are more than this machine can hold ($cores cores," \
            "$((${memory:-0} / 1024)) MB free: at most $most); take one a core, $cores, or fewer" >&2
        exit 2
    fi
}
check_ranks
find_program "$here/.."
prepare_environment
[ "$ranks" -le "$cores" ] || export OMPI_MCA_mpi_yield_when_idle=1

# Should this shell be killed, mpirun is asked to end its ranks (setpriv is util-linux's).
tied="setpriv --pdeathsig TERM"
$tied true 2>/dev/null || tied=""

# What MPIRUN_ARGUMENTS says itself is not said here: Open MPI 5 refuses to be told twice.
options=""
for option in "--oversubscribe" "--bind-to none" "-np $ranks"; do
    case " ${MPIRUN_ARGUMENTS:-} " in
    *" ${option%% *} "*) ;;
    *) options="$options $option" ;;
    esac
done

# mpirun in a session of its own: an interrupt from the terminal comes here alone, and is handed on as
# a request to finish the step, save and stop (exit 75). A second one ends the job at once.
# shellcheck disable=SC2086
launch setsid $tied "${MPIRUN:-mpirun}" $options ${MPIRUN_ARGUMENTS:-} \
    sh -c "$watched_rank" lae_rank "$program" "$@"
exit "$code"
