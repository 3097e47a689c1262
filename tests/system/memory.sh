#!/bin/sh
# Memory is bounded: over a hundred tasks a process grows by what the method itself keeps and by
# nothing else, however many steps it makes. A task's classifier is kept, and written into all later
# checkpoints: with HDF5's records of it some 20 KiB of heap a task. A leak of 2 KiB a step would be
# 60 KiB a task here.
. "$LAE_TEST_SOURCE/tests/system/common.sh"
[ -r /proc/self/smaps_rollup ] || skip "/proc/PID/smaps_rollup is not there"
[ -z "${LAE_SANITIZED:-}" ] || skip "a sanitizer keeps what the program has freed"

tasks=100
settle=20  # tasks after which all that is there once is there
allowed=4096 # KiB, for the tasks from then on

# Anonymous memory of process $1 in KiB; nothing when it has ended.
anonymous() {
    sed -n 's/^Anonymous: *\([0-9]*\) kB$/\1/p' "/proc/$1/smaps_rollup" 2>/dev/null
}

# The process that holds the run's lock, once there is one.
holder() {
    for _ in $(seq 600); do
        cut -d ' ' -f 2 "$runs/$1/lock" 2>/dev/null | grep . && return
        kill -0 "$2" 2>/dev/null || return
        sleep 0.1
    done
}

# Each line of $work/samples: the tasks finished, the memory in KiB.
watch() {
    while kib=$(anonymous "$1") && [ -n "$kib" ]; do
        done=$(find "$runs/memory" -name 'task_*.h5' | wc -l)
        echo "$done $kib" >>"$work/samples"
        sleep 0.02
    done
}

# The smallest sample from $1 to $2 finished tasks: a checkpoint in the making takes more.
smallest() {
    awk -v from="$1" -v to="$2" '$1 >= from && $1 <= to && (!least || $2 < least) { least = $2 }
                                 END { if (least) print least }' "$work/samples"
}

# All threads allocate from one heap: none of a thread's own is new late in the run.
MALLOC_ARENA_MAX=1
export MALLOC_ARENA_MAX
train 1 memory data.synthetic.classes=$tasks data.classes_per_task=1 data.synthetic.train=10 \
    data.synthetic.test=1 train.batch_size=1 train.epochs=3 compute.threads=2 merge.method=ties &
starter=$!
: >"$work/samples"
process=$(holder memory $starter)
[ -z "$process" ] || watch "$process"
wait $starter || {
    cat "$work/memory.err"
    fail "the training of $tasks tasks: exit code $?"
}

early=$(smallest $((settle / 2)) $settle)
late=$(smallest $((tasks - settle)) $((tasks - 1)))
[ -n "$early" ] && [ -n "$late" ] || fail "no samples of the process's memory were taken in time"
echo "memory of the process: $early KiB after $settle tasks, $late KiB after $tasks"
[ $((late - early)) -le "$allowed" ] ||
    fail "it grew by $((late - early)) KiB in $((tasks - settle)) tasks; $allowed are allowed"
