#!/bin/sh
# Stopping on request, and dying without one: SIGUSR1, SIGTERM and SIGINT at any rank save the state
# and exit 75; SIGKILL of a rank, of the launcher or of all costs at most what came after the last
# saved state. The run goes on at other rank and thread counts and ends with the same bits.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm # hundreds of states, each of them flushed
. "$(dirname "$0")/common.sh"
need mpirun h5diff pgrep pkill

touch "$work/started"
settings="merge.method=ties train.epochs=400 checkpoint.every_steps=3"
# shellcheck disable=SC2086
train 1 calm $settings || { cat "$work/calm.err"; fail "the undisturbed run"; }

# begin NP THREADS NAME: starts the run and waits until it has saved a state of its own, or is whole.
begin() {
    touch "$work/mark"
    # shellcheck disable=SC2086
    train "$1" "$3" $settings compute.threads="$2" &
    launched=$!
    await 60 "$3 saves a state" begun_or_ended "$3" resume.h5
}

# is_stopped WHAT: the run `asked` must exit 75 and say so, once, and keep its state. A task has 1,200
# steps and the state of its third was waited for: no machine is done with all tasks by now.
is_stopped() {
    wait $launched
    code=$?
    [ $code -eq 75 ] && [ "$(grep -c "^lae_mpi: stopped on request in task" "$work/asked.err")" -eq 1 ] &&
        [ -s "$runs/asked/resume.h5" ] ||
        { cat "$work/asked.err"; fail "$1: exit $code, not 75 with one message and a state"; }
}

begin 3 1 asked
kill -USR1 "$(ranks_of asked | tail -n 1)"
is_stopped "SIGUSR1 at one rank"
begin 2 2 asked
kill -TERM "$(ranks_of asked | tail -n 1)"
is_stopped "SIGTERM at one rank"
begin 1 2 asked
kill -INT "$(ranks_of asked | head -n 1)"
is_stopped "SIGINT at the only rank"
begin 2 1 asked
pkill -USR1 -f "$launcher.* run.name=asked " # the launcher hands it to all ranks, and 75 back
is_stopped "SIGUSR1 at the launcher"
# shellcheck disable=SC2086
train 5 asked $settings || { cat "$work/asked.err"; fail "after requests"; }
for task in task_00.h5 task_01.h5 task_02.h5; do same calm asked $task; done
echo "ok: stopped on request"

# warns_ranks: whether a launcher that is asked to end tells its ranks before it kills them, as Open MPI
# 4's and 5's do; that of 6 kills them at once.
warns_ranks() {
    rm -f "$work/listens"
    # shellcheck disable=SC2016
    mpirun --oversubscribe --bind-to none -np 1 sh -c 'trap "touch $1/warned; exit" TERM
        touch "$1/listens"
        while sleep 0.02; do :; done' warned_rank "$work" >"$work/warns.out" 2>&1 &
    launched=$!
    await 60 "a rank listens" [ -e "$work/listens" ]
    kill -TERM $launched
    wait $launched
    [ -e "$work/warned" ]
}

# A launcher that is asked to end gives its ranks a second (Open MPI 4) or a quarter of one (5). What
# takes longer to write is saved all the same, once it is begun; ranks that wait for a core in that
# time may not begin, and are tried again. The task is long: however fast the machine is, it is not
# done when the request comes. A launcher that tells its ranks nothing is asked by launch/run.sh.
slow="merge.method=ties train.epochs=4000 run.tasks=1"
hasty=$launcher
warns_ranks || warns_ranks || warns_ranks || {
    echo "mpirun does not tell its ranks that it is asked to end: launch/run.sh is asked in its place"
    hasty="launch/run.sh .*$work/"
}
# shellcheck disable=SC2086
train 1 calm_slow $slow || { cat "$work/calm_slow.err"; fail "the undisturbed long task"; }
press() {
    rm -rf "$runs/slow"
    (
        export LD_PRELOAD="$LAE_SLOW_SAVE_LIBRARY" LAE_SLOW_SAVE=4
        [ "$hasty" = "$launcher" ] || lae() { "$LAE_TEST_SOURCE/launch/run.sh" "$@"; }
        # shellcheck disable=SC2086
        train 2 slow $slow
    ) &
    launched=$!
    await 60 "slow begins to learn" grep -qs '"step":[0-9]' "$runs/slow/metrics.jsonl"
    pkill -TERM -f "$hasty.* run.name=slow " || fail "slow: over before it was asked"
    wait $launched
    await 60 "slow's ranks end" has_no_ranks slow
}
presses=0
until [ -e "$runs/slow/resume.h5" ]; do
    [ $presses -lt 5 ] || { cat "$work/slow.err"; fail "slow: not saved"; }
    presses=$((presses + 1))
    press
    left=$(find "$runs/slow" -name '*resume*.tmp')
    [ -z "$left" ] || fail "slow: ended while it saved: $left"
done
# shellcheck disable=SC2086
train 1 slow $slow || { cat "$work/slow.err"; fail "slow: going on"; }
grep -q "^going on in task" "$work/slow.err" || { cat "$work/slow.err"; fail "slow: begun afresh"; }
same calm_slow slow task_00.h5
echo "ok: saved, though the launcher was in haste"

# Every saved state keeps the one before: a damaged newest one is passed over, aloud.
begin 2 1 damaged
await 60 "damaged saves a second state" begun_or_ended damaged resume-previous.h5
pkill -KILL -f "^$LAE_MPI.*$work/.* run.name=damaged " || fail "damaged: over before it was killed"
wait $launched
[ -e "$runs/damaged/resume-previous.h5" ] || fail "no previous state"
printf 'X' | dd of="$runs/damaged/resume.h5" bs=1 seek=3000 conv=notrunc 2>/dev/null
# shellcheck disable=SC2086
train 3 damaged $settings || { cat "$work/damaged.err"; fail "with a damaged state"; }
grep -q "resume.h5.*going back to what was saved before" "$work/damaged.err" || fail "not said"
for task in task_00.h5 task_01.h5 task_02.h5; do same calm damaged $task; done
echo "ok: a damaged state"

# Kills of what is alive, at moments that differ from run to run; a run that was whole before begins
# anew. LAE_TEST_KILLS asks for more of them.
kills=${LAE_TEST_KILLS:-8}
round=0 met=0
while [ $met -lt "$kills" ]; do
    round=$((round + 1))
    [ $round -le $((3 * kills)) ] || fail "only $met of $round kills met a run that was alive"
    begin $((met % 3 + 1)) $((met % 2 + 1)) killed
    sleep "0.$((round * 37 % 10))"
    case $((met % 3)) in
    0) kill -KILL "$(ranks_of killed | tail -n 1)" 2>/dev/null ;;
    1) pkill -KILL -f "$launcher.* run.name=killed " ;;
    2) pkill -KILL -f "$work/.* run.name=killed " ;;
    esac && alive=yes || alive=no
    wait $launched
    code=$?
    case $alive/$code in
    yes/*) met=$((met + 1)) ;;
    no/0) ;;
    *) cat "$work/killed.err"; fail "killed: ended by itself with $code" ;;
    esac
    await 60 "killed's ranks end" has_no_ranks killed
    if [ -e "$runs/killed/task_02.h5" ]; then
        for task in task_00.h5 task_01.h5 task_02.h5; do same calm killed $task; done
        rm -r "$runs/killed"
    fi
done
# shellcheck disable=SC2086
train 2 killed $settings || { cat "$work/killed.err"; fail "after kills"; }
for task in task_00.h5 task_01.h5 task_02.h5; do same calm killed $task; done
echo "ok: survived $met kills in $round starts"

# A launcher whose exit code is 0 whatever its ranks ended with: launch/run.sh asks them, too.
mkdir "$work/tmp"
printf '#!/bin/sh\nmpirun "$@"\nexit 0\n' >"$work/lying"
chmod +x "$work/lying"
lae() { TMPDIR=$work/tmp MPIRUN=$work/lying "$LAE_TEST_SOURCE/launch/run.sh" "$@"; }
# not_believed CODE LEFT: what it made of a run that has exited with the code.
not_believed() {
    [ "$1" -eq 1 ] && grep -q "^launch/run.sh: the launcher ended as if all were well, but $2 of 2 " \
        "$work/lied.err" || { cat "$work/lied.err"; fail "a launcher is believed: exit $1"; }
}
begin 2 1 lied
kill -KILL "$(ranks_of lied | tail -n 1)" || fail "lied: over before it was killed"
wait $launched
not_believed $? "[12]"
train 2 lied train.epoch=3
not_believed $? 2
# shellcheck disable=SC2086
train 2 lied $settings || { cat "$work/lied.err"; fail "a run that is whole is called lost"; }
for words in --help --version "inspect $runs/lied/task_02.h5"; do
    # shellcheck disable=SC2086
    lae 2 $words >"$work/lied.out" 2>"$work/lied.err" && [ ! -s "$work/lied.err" ] ||
        { cat "$work/lied.err"; fail "$words is called lost"; }
done
[ -z "$(find "$work/tmp" -type f)" ] || { ls -lR "$work/tmp"; fail "a file is left behind"; }
echo "ok: no launcher is believed that lost a rank"

# Nothing of the killed stays in memory: no segment of theirs that no process has mapped.
for segment in $(find /dev/shm -maxdepth 1 -name '*_segment.*' -newer "$work/started" 2>/dev/null); do
    grep -qs "$segment" /proc/[0-9]*/maps || fail "$segment is left behind"
done
echo "ok: nothing is left in /dev/shm"
