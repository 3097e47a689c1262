#!/bin/sh
# Threads: a rank with several learns, bit by bit, what a rank with one learns, with each kind of
# module and merge that has steps of its own for them. Under ThreadSanitizer (launch/test.sh
# --sanitize=thread) these are the trainings that are searched for races.
. "$LAE_TEST_SOURCE/tests/system/common.sh"
need h5diff

# compare WHAT KEY=VALUE...: one thread against three, two tasks.
compare() {
    what=$1
    shift
    for threads in 1 3; do
        train 1 "$what-$threads" run.tasks=2 "$@" compute.threads=$threads || {
            cat "$work/$what-$threads.err"
            fail "$what: the training with $threads thread(s)"
        }
    done
    same "$what-1" "$what-3" task_01.h5
}

compare ties pet.attn.type=conv_adapter pet.mlp.type=adapter merge.method=ties
compare ema pet.attn.type=lora merge.method=ema eval.every=epoch
compare mean pet.attn.type=prefix merge.method=mean checkpoint.every_steps=2

# Ranks that are bound to fewer cores than they might have hear of it; by themselves they take all.
cores=$(env -u OMP_NUM_THREADS nproc) # which would believe OMP_NUM_THREADS
if [ "$cores" -gt 1 ]; then
    first=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*\([0-9]*\).*/\1/p' /proc/self/status)
    printf '#!/bin/sh\nexec taskset -c %s "%s" "$@"\n' "$first" "$LAE_MPI" >"$work/bound"
    chmod +x "$work/bound"
    LAE_MPI=$work/bound train 1 bound run.tasks=1 compute.threads=auto || fail "a bound rank"
    grep -q "only 1 of this host's $cores cores are used" "$work/bound.err" ||
        fail "a bound rank is not told so"
    train 1 unbound run.tasks=1 compute.threads=auto || fail "an unbound rank"
    ! grep -q "cores are used" "$work/unbound.err" || fail "an unbound rank leaves cores idle"
    same bound unbound task_00.h5
else
    echo "skipped: one core: there is none to leave idle"
fi
