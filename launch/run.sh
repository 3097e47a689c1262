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

here=$(dirname "$0")
program=${LAE_MPI:-}
if [ -z "$program" ]; then
    if [ -x "$here/../build/lae_mpi" ]; then
        program=$here/../build/lae_mpi
    elif command -v lae_mpi >/dev/null; then
        program=$(command -v lae_mpi)
    else
        echo "launch/run.sh: lae_mpi is not built yet; run launch/setup.sh first" >&2
        exit 2
    fi
fi

if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
if [ "$ranks" -gt "$(nproc)" ]; then
    export OMPI_MCA_mpi_yield_when_idle=1
fi

# mpirun in a session of its own: an interrupt from the terminal comes here alone, and is handed on as
# a request to finish the step, save and stop (exit 75). A second one ends the job at once.
# shellcheck disable=SC2086
setsid "${MPIRUN:-mpirun}" --quiet --oversubscribe --bind-to none -np "$ranks" \
    ${MPIRUN_ARGUMENTS:-} "$program" "$@" </dev/null &
job=$!
asked=no
ask() {
    if [ $asked = no ]; then
        asked=yes
        echo "launch/run.sh: stopping after this step; once more to end at once" >&2
        kill -USR1 $job
    else
        kill -TERM $job
    fi
}
trap ask INT TERM
trap 'kill -USR1 $job' USR1

code=0
while :; do
    wait $job && code=0 || code=$?
    kill -0 $job 2>/dev/null || break # a signal to this script ends `wait`, too
done
exit $code
