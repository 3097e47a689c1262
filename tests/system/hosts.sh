#!/bin/sh
# Several hosts, and one of them lost. Two hosts are made on this machine, each with a name, processes,
# shared memory and a network of its own, joined by a virtual cable; mpirun reaches the second one by
# ssh. A run over both has the bits of a run on one; a job that is suspended for longer than the
# watchdog's limit goes on; a host that is stopped or cut off ends it, on both sides, and the run goes
# on from its last saved state. Needs root; nothing of it is seen outside, or stays.
. "$(dirname "$0")/common.sh"
[ "$(uname)" = Linux ] || skip "hosts are made of Linux's namespaces"
[ "$(id -u)" -eq 0 ] || skip "only root may make hosts"
need mpirun h5diff pgrep pkill unshare nsenter ip mount hostname ssh ssh-keygen
sshd=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v sshd) || skip "sshd is not installed"

network=10.231.7
settings="merge.method=ties train.epochs=400"
limit=8     # of the watchdog, in seconds
without=skip # what a machine that cannot make hosts means; `fail` once it could

# A host's first process: its end is the end of all others there. It takes care of orphans.
cat >"$work/first.sh" <<'TEXT'
hostname "$1" && mount -t tmpfs tmpfs /dev/shm && mount -t tmpfs tmpfs /run && mkdir /run/sshd &&
    ip link set lo up && : >"$2"
while :; do sleep 1 & wait $!; done
TEXT

# on HOST COMMAND...: there, in place of this shell; call it in a subshell.
on() {
    host=$1
    shift
    exec nsenter -a -r -w -t "$(cat "$work/$host.first")" -- "$@" # this may be a chroot
}

# start HOST: makes it and waits until it is there.
start() {
    rm -f "$work/$1.up"
    unshare --net --uts --ipc --mount --pid --fork --kill-child --mount-proc \
        sh "$work/first.sh" "$1" "$work/$1.up" 2>"$work/$1.err" &
    echo $! >"$work/$1.outer"
    tries=0
    while [ ! -e "$work/$1.up" ]; do
        tries=$((tries + 1))
        kill -0 "$(cat "$work/$1.outer")" 2>/dev/null && [ $tries -lt 100 ] ||
            $without "hosts cannot be made here: $(cat "$work/$1.err")"
        sleep 0.1
    done
    pgrep -P "$(cat "$work/$1.outer")" >"$work/$1.first"
}

# halt HOST: ends all that runs there; its network goes with it.
halt() {
    [ -e "$work/$1.outer" ] || return 0
    kill -KILL "$(cat "$work/$1.outer")" 2>/dev/null
    wait "$(cat "$work/$1.outer")" 2>/dev/null
    rm "$work/$1.outer"
}

halt_all() {
    halt lae-east
    halt lae-west
    rm -rf "$work"
}
trap halt_all EXIT
trap 'exit 1' INT TERM HUP

# join: the cable between the two, a new one.
join() {
    (on lae-east ip link delete east) 2>/dev/null
    ip link add east netns "$(cat "$work/lae-east.first")" type veth \
        peer name west netns "$(cat "$work/lae-west.first")" 2>"$work/join.err" ||
        $without "no virtual cables here: $(cat "$work/join.err")"
    (on lae-east ip address add $network.1/24 dev east)
    (on lae-west ip address add $network.2/24 dev west)
    (on lae-east ip link set east up)
    (on lae-west ip link set west up)
}

make_keys() {
    ssh-keygen -q -t ed25519 -N '' -f "$work/user_key"
    ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
    cat >"$work/sshd_config" <<TEXT
Port 2222
HostKey $work/host_key
AuthorizedKeysFile $work/user_key.pub
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
PidFile none
TEXT
    cat >"$work/ssh_config" <<TEXT
Host *
    Port 2222
    IdentityFile $work/user_key
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    BatchMode yes
    ConnectTimeout 20
TEXT
}

# serve: lets lae-east into lae-west. (This machine's own ssh settings do not matter.)
serve() {
    (on lae-west "$sshd" -f "$work/sshd_config" -E "$work/sshd.log")
    (on lae-east ssh -F "$work/ssh_config" $network.2 true) >"$work/ssh.err" 2>&1 ||
        $without "no way in by ssh: $(cat "$work/ssh.err" "$work/sshd.log")"
}

# Further arguments for mpirun: four ranks on two hosts. Those of two hosts share this machine's
# cores, of which a single host knows nothing.
over_both="--oversubscribe --bind-to none -np 4 --host $network.1:2,$network.2:2
    --mca btl_tcp_if_include $network.0/24 --mca oob_tcp_if_include $network.0/24
    --mca mpi_yield_when_idle 1 --mca orte_tmpdir_base /dev/shm -x LAE_HOME"

# lae NP ARGUMENTS... of common.sh, which `train` calls: where `hosts` is not empty, over both, by
# mpirun as it is or, if it says "launch", by launch/run.sh.
hosts=""
lae() {
    ranks=$1
    shift
    export OMPI_MCA_plm_rsh_agent="ssh -F $work/ssh_config" # Open MPI 4, and 5:
    export PRTE_MCA_plm_ssh_agent="$OMPI_MCA_plm_rsh_agent"
    # shellcheck disable=SC2086
    case $hosts in
    "") mpirun --oversubscribe --bind-to none -np "$ranks" "$LAE_MPI" "$@" ;;
    launch) (on lae-east env MPIRUN_ARGUMENTS="$over_both" LAE_MPI="$LAE_MPI" \
        "$LAE_TEST_SOURCE/launch/run.sh" 4 "$@") ;;
    *) (on lae-east mpirun $over_both "$LAE_MPI" "$@") ;;
    esac
}

# begin NAME KEY=VALUE...: starts the run over both hosts and waits until it has saved a state.
begin() {
    name=$1
    shift
    touch "$work/mark"
    # shellcheck disable=SC2086
    train 4 "$name" $settings checkpoint.every_steps=3 "$@" &
    launched=$!
    saved "$name"
}

# saved NAME: waits until the run has saved a state since the file `mark` was touched.
saved() {
    tries=0
    while [ -z "$(find "$runs/$1" -name resume.h5 -newer "$work/mark" 2>/dev/null)" ]; do
        tries=$((tries + 1))
        kill -0 $launched 2>/dev/null || { cat "$work/$1.err"; fail "$1: it has ended"; }
        [ $tries -lt 600 ] || { cat "$work/$1.err"; fail "$1: nothing is saved"; }
        sleep 0.1
    done
}

# ended NAME LEAST MOST: the job ends after LEAST to MOST seconds from now, with an error.
ended() {
    begun=$(date +%s)
    while kill -0 $launched 2>/dev/null; do
        [ $(($(date +%s) - begun)) -lt "$3" ] || { cat "$work/$1.err"; fail "$1: no end"; }
        sleep 0.2
    done
    took=$(($(date +%s) - begun))
    wait $launched && fail "$1: ended as if all were well"
    [ $took -ge "$2" ] || { cat "$work/$1.err"; fail "$1: ended after $took s already"; }
    echo "    ended after $took s"
}

# gone HOST SECONDS NAME...: no process of these names is there, at the latest then.
gone() {
    host=$1
    tries=$(($2 * 2))
    shift 2
    for program in "$@"; do
        while (on "$host" pgrep -a -x "$program") >"$work/left"; do
            tries=$((tries - 1))
            [ $tries -gt 0 ] || { cat "$work/left"; fail "left over on $host"; }
            sleep 0.5
        done
    done
}

# says NAME TEXT: exactly one line on standard error begins with that text (a pattern).
says() {
    [ "$(grep -c "^$2" "$work/$1.err")" -eq 1 ] || {
        cat "$work/$1.err"
        fail "$1: not said, or not once: $2"
    }
}

# signal SIGNAL HOST...: to the ranks there. (mpirun's command line holds the program's, too.)
signal() {
    signal=$1
    shift
    for there in "$@"; do (on "$there" pkill "-$signal" -f "^$LAE_MPI "); done
}

start lae-east
start lae-west
join
make_keys
serve
without=fail

# shellcheck disable=SC2086
train 2 calm $settings || { cat "$work/calm.err"; fail "the undisturbed run on one host"; }
train 1 one merge.method=ties train.epochs=200 || fail "a shorter one"
# Heartbeats that never get through are no reason to end. (Low ports stay: to them the resolver
# connects to learn its own address, without which Open MPI 5's daemon gives up.)
blocked=no
(on lae-west ip rule add pref 100 ipproto udp dport 1024-65535 prohibit) 2>/dev/null && blocked=yes
hosts=both
train 4 both merge.method=ties train.epochs=200 compute.watchdog_seconds=0.5 ||
    { cat "$work/both.err"; fail "the run on two hosts"; }
grep -q "^ranks *4 on 2 hosts " "$work/both.err" || fail "they are not taken for two hosts"
if [ $blocked = yes ]; then
    says both "warning: heartbeats from host lae-west do not get through"
    (on lae-west ip rule delete pref 100)
fi
for task in task_00.h5 task_01.h5 task_02.h5; do same one both $task; done
echo "ok: the same bits on two hosts"

begin lost compute.watchdog_seconds=$limit
signal STOP lae-east lae-west
sleep $((limit + 4))
touch "$work/mark"
signal CONT lae-east lae-west
saved lost
sleep 2
grep "^lae_mpi: " "$work/lost.err" && fail "a suspended job is ended"
kill -0 $launched 2>/dev/null || { cat "$work/lost.err"; fail "a suspended job has ended"; }
echo "ok: a job that is suspended and goes on"

(on lae-east ip link set east down)
ended lost $((limit - 1)) $((limit + 40))
says lost "lae_mpi: nothing heard from host lae-west for $limit s.* goes on from the last saved state"
gone lae-east 20 lae_mpi mpirun prterun
gone lae-west 20 lae_mpi
halt lae-west
(on lae-east pkill -x ssh)
start lae-west
join
serve
echo "ok: a host cut off, mpirun as it is"

hosts=launch
begin lost compute.watchdog_seconds=$limit
signal STOP lae-west
ended lost $((limit - 1)) $((limit + 40))
says lost "lae_mpi: nothing heard from host lae-west for $limit s"
gone lae-east 20 lae_mpi mpirun prterun orted prted ssh
gone lae-west 20 lae_mpi orted prted
echo "ok: a host stopped, launch/run.sh"

# Here mpirun notices by itself, before the watchdog's usual limit. Open MPI 4's ends in silence, that
# of 5 with exit code 0, of which launch/run.sh makes 1. (It may place three ranks on the other host.)
begin lost
(on lae-west ip link set west down)
ended lost 10 100
says lost "warning: nothing heard from host lae-west for 2[0-9] s.* goes on from the last saved state"
case $(mpirun --version) in
*"Open MPI) 4."*) ;;
*) says lost "launch/run.sh: the launcher ended as if all were well, but [12] of [12] ranks on this host" ;;
esac
gone lae-east 20 lae_mpi mpirun prterun orted prted ssh
gone lae-west 60 lae_mpi orted prted
echo "ok: a host cut off, launch/run.sh"

hosts=""
# shellcheck disable=SC2086
train 2 lost $settings || { cat "$work/lost.err"; fail "after losses"; }
grep -q "^going on" "$work/lost.err" || fail "it did not go on from a saved state"
for task in task_00.h5 task_01.h5 task_02.h5; do same calm lost $task; done
echo "ok: the same bits after losses"
