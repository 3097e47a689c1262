#!/bin/sh
# launch/run.sh: requests at any moment are heard, a closed terminal and a killed script leave no ranks
# behind, a rank that dies is named, ranks that no machine holds are refused, and a checkout may lie
# anywhere.
. "$(dirname "$0")/common.sh"
need mpirun setsid

mkdir "$work/a b"
cp -R "$LAE_TEST_SOURCE/launch" "$LAE_TEST_SOURCE/configs" "$work/a b"
script="$work/a b/launch/run.sh"
export LAE_MPI

# start NAME KEY=VALUE...: two ranks by the script, in the background: `launched`. `screen`: where all that
# is said goes, instead of to files.
screen=""
start() {
    name=$1
    shift
    "$script" 2 train run.root="$runs" run.name="$name" data.dataset=synthetic \
        model.weights="$tiny" model.heads=2 data.image_size=16 data.mean=0.5 data.std=0.5 \
        data.classes_per_task=4 data.synthetic.classes=12 data.synthetic.train=7 \
        data.synthetic.test=5 train.batch_size=11 train.epochs=4000 pet.blocks=0,1 \
        compute.threads=1 checkpoint.every_steps=3 "$@" \
        >"${screen:-$work/$name.out}" 2>"${screen:-$work/$name.err}" &
    launched=$!
}

# Waits until the run has saved a state of its own.
await_state() {
    await 60 "$1 saves a state" test -e "$runs/$1/resume.h5"
}

# gone NAME: no rank of it is left, soon.
gone() {
    await 30 "$1's ranks end" has_no_ranks "$1"
}

# ended CODE NAME
ended() {
    wait $launched
    code=$?
    [ $code -eq "$1" ] || { cat "$work/$2.err" 2>/dev/null; fail "$2: exit $code, not $1"; }
    gone "$2"
}

for pause in 0 0.07 0.15 0.3 0.6; do
    start "early$pause"
    await 10 "the script listens" listens $launched # before, no shell could hear a request
    sleep $pause
    kill -USR1 $launched
    ended 75 "early$pause"
done
echo "ok: a request in the first second"

# A launcher or ranks that the request finds before they listen: it ends them, and is what was asked for.
cat >"$work/newborn" <<TEXT
#!/bin/sh
touch "$work/born.\$\$"
exec env --default-signal=USR1 sleep 60
TEXT
chmod +x "$work/newborn"
are_born() {
    [ "$(find "$work" -name 'born.*' | wc -l)" -eq "$1" ]
}
ask_newborn() { # COUNT NAME
    await 30 "$2" are_born "$1"
    kill -USR1 $launched
    ended 75 "$2"
    rm "$work"/born.*
}
MPIRUN=$work/newborn start newborn_launcher
ask_newborn 1 newborn_launcher
LAE_MPI=$work/newborn start newborn_ranks
ask_newborn 2 newborn_ranks
echo "ok: a request before anything listens"

# A launcher that ends while the script hears a request: the exit code is the launcher's, not the signal's.
cat >"$work/hearing" <<'TEXT'
. "$1/launch/start.sh"
hand_on() {
    asked=$1
    sleep 2
}
listen
launch sh -c 'touch "$0"; sleep 1; exit 3' "$2"
exit "$code"
TEXT
sh "$work/hearing" "$LAE_TEST_SOURCE" "$work/launched" &
launched=$!
await 30 "the launcher begins" test -e "$work/launched"
kill -USR1 $launched
ended 3 hearing
echo "ok: a launcher that ends while a request is heard"

for signal in HUP TERM; do
    start "asked$signal"
    await_state "asked$signal"
    kill -$signal $launched
    [ $signal != HUP ] || kill -$signal $launched # as terminals do
    ended 75 "asked$signal"
    grep -q "stopped on request" "$runs/asked$signal/log.txt" || fail "$signal: not said in the log"
done
echo "ok: a closed terminal"

start killed
await_state killed
kill -KILL $launched || fail "killed: over before it was killed"
wait $launched 2>/dev/null
gone killed
start lost
await_state lost
kill -KILL "$(ranks_of lost | tail -n 1)"
ended 137 lost
[ "$(grep -c "^lae_mpi: rank [01] on .* was ended by signal KILL" "$work/lost.err")" -eq 1 ] ||
    { cat "$work/lost.err"; fail "not said which rank was killed"; }
start crashed
await_state crashed
kill -SEGV "$(ranks_of crashed | head -n 1)"
wait $launched
grep -q "^lae_mpi: rank [01] on .* was ended by signal SEGV\|Signal: Segmentation" "$work/crashed.err" ||
    { cat "$work/crashed.err"; fail "not said which rank has crashed"; }
gone crashed
echo "ok: killed ranks, and a killed script"

# A rank that ends before MPI has begun, or halfway, as others wait for it in MPI_Init.
# dies NAME CODE TEXT COMMAND: what rank 1 does in place of the program.
dies() {
    cat >"$work/early" <<TEXT
#!/bin/sh
[ "\${OMPI_COMM_WORLD_RANK:-}" != 1 ] || { $4; }
exec env LD_PRELOAD="$LAE_SHORT_ALARM" "$program" "\$@"
TEXT
    chmod +x "$work/early"
    LAE_MPI=$work/early start "$1"
    await 60 "$1 ends" has_ended $launched
    ended "$2" "$1"
    [ "$(grep -c "^lae_mpi: .*$3" "$work/$1.err")" -eq 1 ] ||
        [ -z "$3" ] || { cat "$work/$1.err"; fail "$1: not one message of \"$3\""; }
    [ ! -e "$runs/$1" ] || fail "$1: a run was begun"
}
program=$LAE_MPI
dies unborn_kill 137 "rank 1 on .* was ended by signal KILL" 'kill -KILL $$'
dies unborn_segv 139 "rank 1 on .* was ended by signal SEGV" 'kill -SEGV $$'
dies half_begun 137 "rank 1 on .* was ended by signal KILL" \
    "exec env LD_PRELOAD='$LAE_HALF_BEGUN' '$program' \"\$@\""
dies unborn_exit 3 "" "exit 3"
dies unborn_fine 1 "MPI has not begun after" "exit 0"
echo "ok: ranks that do not come"

# Nobody reads any more; the script has a message of its own when it is asked.
mkfifo "$work/screen"
head -n 1 "$work/screen" >"$work/piped.err" &
reader=$!
screen=$work/screen
start piped
screen=""
await_state piped
wait $reader
kill -TERM $launched || fail "piped: over before it was asked"
ended 75 piped
[ -s "$work/piped.err" ] || fail "piped: nothing was said to the reader"
echo "ok: nobody reads any more"

for ranks in 100000 99999999999999999999 0 00 -1 1.5 two ""; do
    "$script" "$ranks" train run.root="$runs" run.name=none >"$work/o" 2>"$work/e"
    code=$?
    [ $code -eq 2 ] && [ -s "$work/e" ] && [ ! -e "$runs/none" ] ||
        { cat "$work/e"; fail "NP \"$ranks\": exit $code"; }
done
echo "ok: numbers of ranks"

# A batch script is found with its rest, also where a directory on the way there has a slurm.sh.
mkdir "$work/bin" "$work/spool"
echo 'echo "sourced another"; exit 9' >"$work/slurm.sh"
cp "$work/slurm.sh" "$work/start.sh"
for name in lae array; do
    cat >"$work/bin/scontrol" <<TEXT
#!/bin/sh
echo "JobId=7 JobName=$name"
echo "   Command=$work/a b/launch/$name.sbatch train --config x.yaml run.name=c d"
TEXT
    chmod +x "$work/bin/scontrol"
    cp "$work/a b/launch/$name.sbatch" "$work/spool/slurm_script"
    (cd "$work/spool" && PATH=$work/bin:$PATH SLURM_JOB_ID=7 SLURM_SUBMIT_DIR=$work/spool \
        SLURM_JOB_NODELIST=here MPIRUN_ARGUMENTS="--oversubscribe -np 1" \
        sh ./slurm_script --print-config) >"$work/o" 2>"$work/e"
    code=$?
    [ $code -eq 0 ] && grep -q "^  name:" "$work/o" ||
        { cat "$work/o" "$work/e"; fail "$name.sbatch in a directory with a blank: exit $code"; }
done
echo "ok: a directory with a blank"
