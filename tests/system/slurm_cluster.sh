# Sourced by slurm.sh, after common.sh: a SLURM of the test's own, of two nodes that are both this
# machine. Its configuration, state, sockets, key and logs lie in the test's directory, its ports
# are free ones, and nothing of it is left when the test ends, however it ends.
#
# Both nodes share /dev/shm and the machine's name, by which Open MPI names what ranks of one node
# share: tests start either several ranks on one node or one on each of the two.
cluster=$work/slurm
daemons=""

# Takes the cluster down: jobs first, which are let save and go, then the daemons, then by force
# what is left. All of it, unlike anything else, works in the test's directory.
end_cluster() {
    [ -n "$daemons" ] || return 0
    scancel --quiet --user="$(id -un)" 2>/dev/null
    tries=0
    while squeue --noheader 2>/dev/null | grep -q . && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    # shellcheck disable=SC2086
    kill $daemons 2>/dev/null
    sleep 0.5
    for process in /proc/[0-9]*; do
        case $(readlink "$process/cwd") in
        "$work" | "$work"/*) kill -KILL "${process#/proc/}" 2>/dev/null ;;
        esac
    done
    # shellcheck disable=SC2086
    wait $daemons 2>/dev/null
    daemons=""
}
trap 'end_cluster; rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# daemon NAME COMMAND...: starts one that stays in the foreground, and works in the cluster's
# directory.
daemon() {
    name=$1
    shift
    (cd "$cluster" && exec "$@") >"$cluster/$name.out" 2>&1 </dev/null &
    daemons="$daemons $!"
}

# next_port: sets `port` to the next that nobody uses.
port=$((20000 + $$ % 10000))
next_port() {
    port=$((port + 1))
    while grep -qs ":$(printf %04X $port) " /proc/net/tcp /proc/net/tcp6; do
        port=$((port + 1))
    done
}

# cred_expire is also how long a requeued job must wait (5 s is the least; 120 are usual). Each node
# has a directory for temporary files, as PMIx's would collide.
write_configuration() {
    host=$(uname -n)
    host=${host%%.*}
    next_port
    cat >"$cluster/slurm.conf" <<TEXT
ClusterName=lae_test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$cluster/munge.socket,cred_expire=5
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool-%n
TmpFS=$cluster/tmp-%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd-%n.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd-%n.log
SlurmctldDebug=debug
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
MpiDefault=pmix
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=bf_interval=1,sched_interval=2,batch_sched_delay=0
MinJobAge=86400
ReturnToService=2
PartitionName=test Nodes=n1,n2 Default=YES State=UP
TEXT
    # No control groups, which SLURM 23.11 and later set up even for linuxproc; those before do not
    # know the word.
    version=$(slurmd -V | sed 's/[^0-9]*\([0-9]*\)\.\([0-9]*\).*/\1\2/')
    [ "$version" -lt 2311 ] || echo "CgroupPlugin=disabled" >"$cluster/cgroup.conf"
    for node in n1 n2; do
        next_port
        echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$port CPUs=2" \
            >>"$cluster/slurm.conf"
        mkdir "$cluster/spool-$node" "$cluster/tmp-$node"
    done
}

# Starts the cluster and waits for its nodes; skips the test where that cannot be.
begin_cluster() {
    [ "$(id -u)" -eq 0 ] || skip "only root can start a SLURM of the test's own"
    need munged slurmctld slurmd sbatch srun scancel scontrol squeue sinfo
    mkdir "$cluster" "$cluster/state"
    write_configuration
    export SLURM_CONF="$cluster/slurm.conf"
    # Open MPI 5 asks the kernel for the way from one node to the other, which leads nowhere here.
    export OMPI_MCA_reachable=weighted
    dd if=/dev/urandom of="$cluster/munge.key" bs=128 count=1 2>/dev/null
    chmod 600 "$cluster/munge.key"
    # Forced, as the directory is closed to others, whom munge would serve too.
    daemon munged munged --foreground --force --socket="$cluster/munge.socket" \
        --key-file="$cluster/munge.key" --pid-file="$cluster/munge.pid" \
        --log-file="$cluster/munge.log" --seed-file="$cluster/munge.seed"
    daemon slurmctld slurmctld -D
    daemon n1 slurmd -D -N n1
    daemon n2 slurmd -D -N n2
    tries=0
    while [ "$(sinfo --noheader --format=%T 2>/dev/null)" != idle ]; do
        tries=$((tries + 1))
        [ $tries -lt 150 ] || {
            tail -n 20 "$cluster"/*.out
            fail "the test's own SLURM does not come up"
        }
        sleep 0.2
    done
    srun --mpi=list 2>&1 | grep -q pmix || skip "this SLURM has no PMIx"
}
