# Sourced by lae.sbatch and array.sbatch. A job (or one task of an array) trains until its run is
# whole, in as many pieces as the time limit makes of it:
#
#     SLURM, --signal=B:USR1  ->  this shell  ->  launcher  ->  ranks: finish, save, exit 75
#     exit 75 after USR1      ->  scontrol requeue: the same job waits for its turn again
#     any other exit          ->  the job's exit code: 0 done, 2 bad input, 1 anything else
#
# `scancel` sends SIGTERM to all processes of the job, and SIGKILL after SLURM's KillWait (30 s):
# the state is saved and the job is over. `scancel --batch --signal=USR1 JOB` cuts a piece by hand.

# The job as scontrol wants it. The plain number of one task of an array is that of the whole array.
job=$SLURM_JOB_ID
[ -z "${SLURM_ARRAY_JOB_ID:-}" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID

# `scancel` sends SIGTERM to the launcher and its daemons as well as to the ranks. Open MPI 4's then
# kill their ranks after twice the seconds set here; by themselves one, in which a rank can hardly
# finish an image of a large backbone and save. PRRTE, in Open MPI 5, gives them a quarter of a
# second, whatever is set: it is started so that SIGTERM does not reach it (`deaf`), on this node and,
# as its daemons, on the others. The ranks get theirs all the same, and with them it ends.
spare_ranks() {
    export OMPI_MCA_odls_base_sigkill_timeout="${OMPI_MCA_odls_base_sigkill_timeout:-5}"
    deaf="env --block-signal=TERM"
    $deaf true 2>/dev/null || deaf="" # before coreutils 8.31
    case $("${MPIRUN:-mpirun}" --version 2>/dev/null) in
    *"Open MPI) 4."*) deaf="" ;;
    esac
    [ -z "$deaf" ] || tell_launcher prte_launch_agent "$deaf prted"
}

# start_ranks ARGUMENTS...: the program on all nodes of the job. Ranks are not bound to cores one by
# one: those that SLURM gives a node are divided among its ranks by the program itself.
start_ranks() {
    case ${LAE_LAUNCHER:-mpirun} in
    mpirun)
        spare_ranks
        case " ${MPIRUN_ARGUMENTS:-} " in
        *" --bind-to "*) binding="" ;; # Open MPI 5 refuses to be told twice
        *) binding="--bind-to none" ;;
        esac
        # shellcheck disable=SC2086
        launch $deaf "${MPIRUN:-mpirun}" $binding ${MPIRUN_ARGUMENTS:-} \
            sh -c "$watched_rank" lae_rank "$program" "$@"
        ;;
    srun) # which does not take --cpus-per-task from the job any more (since SLURM 22.05)
        # shellcheck disable=SC2086
        launch srun --mpi=pmix --kill-on-bad-exit=1 ${SLURM_CPUS_PER_TASK:+--cpus-per-task="$SLURM_CPUS_PER_TASK"} \
            ${SRUN_ARGUMENTS:-} sh -c "$watched_rank" lae_rank "$program" "$@"
        ;;
    *)
        echo "$me: LAE_LAUNCHER is mpirun or srun, not \"$LAE_LAUNCHER\"" >&2
        exit 2
        ;;
    esac
}

# Ends the script: with the program's exit code, or, stopped for want of time, by going on later.
requeue_or_exit() {
    if [ "$code" -ne 75 ] || [ "$asked" != USR1 ]; then
        exit "$code"
    fi
    trap '' TERM # which comes with the requeueing
    scontrol requeue "$job" || {
        echo "$me: job $job cannot be requeued; submit it again and it goes on" >&2
        exit "$code"
    }
    echo "$me: job $job is requeued and will go on from the saved state"
    exit "$code"
}

# run_job ARGUMENTS...: the whole job; --config is this checkout's default where none is named.
run_job() {
    root=$(dirname "$here")
    find_program "$root"
    prepare_environment
    case " $* " in
    *" --config"*) ;;
    *) set -- "$@" --config "$root/configs/lae_conv_adapter_ties.yaml" ;;
    esac
    echo "$me: job $job, piece $((${SLURM_RESTART_COUNT:-0} + 1)), on $SLURM_JOB_NODELIST"
    start_ranks "$@"
    requeue_or_exit
}
