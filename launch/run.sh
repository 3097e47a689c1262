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
Signals: INT (control-C), TERM and USR1 ask the program to finish its step, save and exit 75; the same
command then goes on from there. A second INT or TERM ends it at once.
Exit code: the program's.

Examples: launch/run.sh 8
          launch/run.sh 2 --config configs/lae_conv_adapter_ties.yaml train.epochs=1
TEXT
}

case ${1:-} in
--help | -h) usage; exit 0 ;;
"") usage >&2; exit 2 ;;
*[!0-9]* | 0) echo "launch/run.sh: NP is the number of ranks, not \"$1\"; see --help" >&2; exit 2 ;;
esac
ranks=$1
shift

me=launch/run.sh
here=$(dirname "$0")
. "$here/start.sh"
find_program "$here/.."
prepare_environment
# nproc would take OMP_NUM_THREADS for the number of cores.
if [ "$ranks" -gt "$(env -u OMP_NUM_THREADS nproc)" ]; then
    export OMPI_MCA_mpi_yield_when_idle=1
fi

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
launch setsid "${MPIRUN:-mpirun}" $options ${MPIRUN_ARGUMENTS:-} "$program" "$@"
exit $code
