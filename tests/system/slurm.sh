#!/bin/sh
# The SLURM scripts, in a SLURM of the test's own: a job that its time limit cuts goes on by itself
# and ends with the same bits; so does one that was cancelled and submitted again; an array's runs
# are apart from each other; srun starts the ranks as mpirun does; what has failed stays failed.
. "$(dirname "$0")/common.sh"
need mpirun h5diff pgrep
. "$(dirname "$0")/slurm_cluster.sh"
begin_cluster
echo "a SLURM of two nodes: $(srun --version)"
export LAE_MPI

# What `train` in common.sh trains, as a job's configuration.
cat >"$work/tiny.yaml" <<TEXT
run: {root: $runs}
data:
  {dataset: synthetic, image_size: 16, mean: 0.5, std: 0.5, classes_per_task: 4,
   synthetic: {classes: 12, train: 7, test: 5}}
model: {weights: $tiny, heads: 2}
pet: {blocks: [0, 1]}
train: {batch_size: 11, epochs: 100, freeze_epochs: 1}
merge: {method: ties}
TEXT
cat >"$work/class_orders.yaml" <<TEXT
forward: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
backward: [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
TEXT

# submit SCRIPT NAME OPTION... -- ARGUMENT...: sets `job`. The output goes to NAME.job, all pieces'.
# One rank on each of the two nodes, unless options say otherwise. `from`: where it is submitted.
from=$work
submit() {
    touch "$work/mark"
    script=$1 name=$2 options=""
    shift 2
    while [ "$1" != -- ]; do
        options="$options $1"
        shift
    done
    shift
    # shellcheck disable=SC2086
    job=$(cd "$from" && sbatch --parsable --nodes=2 --ntasks-per-node=1 --cpus-per-task=1 \
        --time=10 --output="$work/$name.job" $options \
        "$script" --config "$work/tiny.yaml" "$@") ||
        fail "$name: sbatch refuses"
}

# job_field JOB FIELD: what SLURM says of a job.
job_field() {
    scontrol show job "$1" | tr ' ' '\n' | sed -n "s/^$2=//p" | head -n 1
}

# show NAME: all that is known of a job that went wrong.
show() {
    cat "$work/$1.job"
    scontrol show job "$job"
    tail -n 20 "$cluster/slurmctld.log"
}

# await_job SECONDS NAME WHAT COMMAND...: as await; shows the job of that name where it is in vain.
await_job() {
    patience=$(($1 * 10)) name=$2 what=$3
    shift 3
    until "$@"; do
        patience=$((patience - 1))
        [ $patience -gt 0 ] || { show "$name"; fail "$name: $what"; }
        sleep 0.1
    done
}

is_over() {
    case $(job_field "$1" JobState) in
    COMPLETED | FAILED | CANCELLED | TIMEOUT) ;;
    *) false ;;
    esac
}
has_restarted() { [ "$(job_field "$1" Restarts)" -ge "$2" ]; }
has_marked() { [ -n "$(find "$runs/$1" -name "$2" -newer "$work/mark" 2>/dev/null)" ]; }
was_warned() {
    [ "$(grep -c "warning signal 10 to JobId=$1\$" "$cluster/slurmctld.log")" -ge "$2" ]
}

# freeze NAME: waits until the run learns, in the piece that is at work or will be, and lets its
# ranks stand still: however fast the machine is, they are not done before what follows.
freeze() {
    await_job 60 "$1" "does not begin to learn" has_marked "$1" metrics.jsonl
    # shellcheck disable=SC2046
    kill -STOP $(ranks_of "$1") || { show "$1"; fail "$1: has no ranks"; }
}

# thaw NAME: lets them go on.
thaw() {
    # shellcheck disable=SC2046
    kill -CONT $(ranks_of "$1") 2>/dev/null
}

# ended NAME STATE CODE RESTARTS: waits for the job's end, which must be this.
ended() {
    await_job 90 "$1" "does not end" is_over "$job"
    found="$(job_field "$job" JobState) $(job_field "$job" ExitCode) $(job_field "$job" Restarts)"
    case $found in
    "$2 $3:0 $4") ;;
    *) show "$1"; fail "$1: ended as $found, not $2 $3:0 $4" ;;
    esac
}

# whole NAME LIKE: all tasks' files are those of the other run.
whole() {
    for task in task_00.h5 task_01.h5 task_02.h5; do same "$2" "$1" $task; done
    [ ! -e "$runs/$1/resume.h5" ] || fail "$1: a state is left over"
}

lae_job=$LAE_TEST_SOURCE/launch/lae.sbatch
array_job=$LAE_TEST_SOURCE/launch/array.sbatch
lae 1 train --config "$work/tiny.yaml" run.name=calm compute.threads=1 \
    >"$work/calm.out" 2>"$work/calm.err" || { cat "$work/calm.err"; fail "the undisturbed run"; }

# cancelled LAUNCHER: a job that is cancelled saves its state, though that takes its time (SLURM and
# the launcher send SIGTERM more than once, and SIGKILL in the end); it stays cancelled; and
# submitted again it is whole with the same bits.
cancelled() {
    export LAE_LAUNCHER="$1" LAE_SLOW_SAVE=7
    run=cancelled_$1
    MPIRUN_ARGUMENTS="-x LD_PRELOAD=$LAE_SLOW_SAVE_LIBRARY" \
        SRUN_ARGUMENTS="--export=ALL,LD_PRELOAD=$LAE_SLOW_SAVE_LIBRARY" \
        submit "$lae_job" "$run" -- run.name="$run"
    freeze "$run"
    scancel "$job"
    thaw "$run"
    await_job 60 "$run" "does not end" is_over "$job"
    await_job 60 "$run" "leaves ranks" has_no_ranks "$run"
    [ "$(job_field "$job" JobState) $(job_field "$job" Restarts)" = "CANCELLED 0" ] &&
        [ -e "$runs/$run/resume.h5" ] && grep -q "ends: stopped on request" "$runs/$run/log.txt" ||
        { show "$run"; fail "$run: not cancelled with its state saved"; }
    unset LAE_SLOW_SAVE
    submit "$lae_job" "$run" -- run.name="$run"
    ended "$run" COMPLETED 0 0
    grep -q "^going on" "$work/$run.job" || { show "$run"; fail "$run: begun afresh"; }
    whole "$run" calm
    unset LAE_LAUNCHER
    echo "ok: cancelled, with $1, and submitted again"
}
cancelled mpirun
cancelled srun

export OMPI_MCA_odls_base_sigkill_timeout=2 # less than the script's, to be done sooner

# A minute is SLURM's shortest limit, and it warns up to a minute before it should: 20 s mean here
# that a piece gets between 10 and 40.
submit "$lae_job" limited --time=1 --signal=B:USR1@20 -- run.name=limited
for piece in 1 2; do
    freeze limited
    await_job 60 limited "is not warned" was_warned "$job" $piece
    thaw limited
    await_job 60 limited "is not requeued" has_restarted "$job" $piece
    touch "$work/mark"
done
await_job 120 limited "does not end" is_over "$job"
cuts=$(job_field "$job" Restarts)
ended limited COMPLETED 0 "$cuts"
if [ "$(grep -c '^lae_mpi: stopped on request in task' "$work/limited.job")" -ne "$cuts" ] ||
    [ "$(grep -c 'lae.sbatch: .* is requeued' "$work/limited.job")" -ne "$cuts" ] ||
    ! grep -q '^ranks  *2 on 2 hosts (.*), 1 thread each' "$work/limited.job"; then
    show limited
    fail "limited: the output of $cuts cuts"
fi
whole limited calm
echo "ok: cut $cuts times by its time limit, requeued by itself, whole with the same bits"

# A piece cut by hand, with srun; and two threads where a rank has two cores.
LAE_LAUNCHER=srun submit "$lae_job" by_srun --cpus-per-task=2 -- run.name=by_srun
freeze by_srun
scancel --batch --signal=USR1 "$job"
thaw by_srun
ended by_srun COMPLETED 0 1
grep -q "task 0: Exited with exit code 75" "$work/by_srun.job" &&
    grep -q '^ranks  *2 on 2 hosts (.*), 2 threads each' "$work/by_srun.job" ||
    { show by_srun; fail "by_srun: the output"; }
whole by_srun calm
echo "ok: srun, cut and requeued"

# An array: two orders with two seeds. Its last task, whose number is also that of the whole array,
# is cut: it alone is requeued.
LAE_ORDERS="forward backward" LAE_SEEDS="7 8" LAE_NAME=array submit "$array_job" array \
    --array=0-3 --nodes=1 --ntasks-per-node=2 --
array=$job
freeze array_backward_seed8
scancel --batch --signal=USR1 "${array}_3"
thaw array_backward_seed8
for index in 3 0 1 2; do
    job=${array}_$index
    ended array COMPLETED 0 $((index / 3))
done
for order in forward backward; do
    for seed in 7 8; do
        lae 1 train --config "$work/tiny.yaml" compute.threads=1 run.seed=$seed \
            data.class_order=$order run.name=alone_${order}_$seed >"$work/alone.out" 2>&1 ||
            { cat "$work/alone.out"; fail "order $order, seed $seed without SLURM"; }
        whole array_${order}_seed$seed alone_${order}_$seed
    done
done
[ "$(find "$runs" -maxdepth 1 -name 'array_*' | wc -l)" -eq 4 ] || fail "array: other runs"
echo "ok: an array of orders and seeds"

# The study's first two trainings, of which one is cut and goes on.
submit "$LAE_TEST_SOURCE/launch/study.sbatch" study --array=1-2 --nodes=1 --ntasks-per-node=2 -- \
    --data "$work" --weights "$tiny" --out "$work" data.dataset=synthetic data.class_order=null
array=$job
second=adapter-none-ema-order2-seed2
freeze $second
scancel --batch --signal=USR1 "${array}_2"
thaw $second
for index in 1 2; do
    job=${array}_$index
    ended study COMPLETED 0 $((index - 1))
done
[ "$(ls "$work/cells")" = "adapter-none-ema-order1-seed1.json
$second.json" ] || { cat "$work/study.job"; fail "the study's cells"; }
lae 1 train --config "$work/tiny.yaml" compute.threads=1 run.seed=2 merge.method=ema run.name=alone_study \
    eval.heads=linear,ncm,lda,ridge,aligned heads.features=1000 >"$work/alone.out" 2>&1 ||
    { cat "$work/alone.out"; fail "a cell of the study without SLURM"; }
whole $second alone_study
echo "ok: two cells of the study"

# A rank that a signal ends is named, once; the job has failed, and is not tried again.
lost() { # LAUNCHER SIGNAL
    export LAE_LAUNCHER="$1"
    run=lost_$1_$2
    submit "$lae_job" "$run" -- run.name="$run" train.epochs=4000
    freeze "$run"
    kill "-$2" "$(ranks_of "$run" | tail -n 1)" || { show "$run"; fail "$run: no rank to end"; }
    thaw "$run"
    await_job 90 "$run" "does not end" is_over "$job"
    [ "$(job_field "$job" JobState) $(job_field "$job" Restarts)" = "FAILED 0" ] ||
        { show "$run"; fail "$run: not failed"; }
    [ "$(grep -c "^lae_mpi: rank [01] on $(uname -n) was ended by signal $2" "$work/$run.job")" -eq 1 ] &&
        [ "$(grep -c "was ended by signal" "$work/$run.job")" -eq 1 ] ||
        { show "$run"; fail "$run: not said which rank was ended, and by what"; }
    await_job 60 "$run" "leaves ranks" has_no_ranks "$run"
    unset LAE_LAUNCHER
    echo "ok: a rank ended by $2, with $1"
}
lost mpirun KILL
lost srun KILL
lost srun ABRT

# What fails is not tried again, and says why.
submit "$lae_job" bad -- run.name=bad train.epoch=3
ended bad FAILED 2 0
grep -q "train.epochs" "$work/bad.job" || { show bad; fail "bad: not said"; }
submit "$array_job" beyond --array=9 -- run.name=bad
ended beyond FAILED 2 0
grep -q "array=0-8" "$work/beyond.job" || { show beyond; fail "beyond: not said"; }
LAE_MPI=$work/none submit "$lae_job" no_program -- run.name=bad
ended no_program FAILED 2 0
grep -q "no program $work/none" "$work/no_program.job" || { show no_program; fail "not said"; }
[ ! -e "$runs/bad" ] || fail "a refused job has begun a run"
echo "ok: what fails stays failed"

# SLURM runs a copy of the script; a user may, too, from the checkout's directory.
cp "$lae_job" "$work/mine.sbatch"
submit "$work/mine.sbatch" copied -- run.name=bad
ended copied FAILED 2 0
grep -q "submit it from the checkout" "$work/copied.job" ||
    { show copied; fail "copied: not said"; }
from=$LAE_TEST_SOURCE
submit "$work/mine.sbatch" copied -- --version
ended copied COMPLETED 0 0
echo "ok: a copy of the script"
