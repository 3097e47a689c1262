#!/bin/sh
# A small training of two ranks with two threads each, and its continuation, under valgrind: no
# invalid access, no use of what was never written, nothing lost.
. "$LAE_TEST_SOURCE/tests/system/common.sh"
[ -z "${LAE_SANITIZED:-}" ] || skip "valgrind cannot run a sanitized program"
need valgrind

# check NAME KEY=VALUE...: `train` with two ranks, each of them under valgrind.
check() {
    name=$1
    shift
    cat >"$work/lae_mpi" <<TEXT
#!/bin/sh
exec valgrind --quiet --error-exitcode=9 --leak-check=full --num-callers=40 \
    --suppressions="$LAE_TEST_SOURCE/tests/tools/valgrind.supp" \
    --log-file="$work/valgrind.%p" "$program" "\$@"
TEXT
    chmod +x "$work/lae_mpi"
    LAE_MPI=$work/lae_mpi
    train 2 "$name" data.synthetic.classes=8 data.synthetic.train=4 data.synthetic.test=2 \
        train.batch_size=8 train.epochs=2 compute.threads=2 "$@"
    code=$?
    cat "$work"/valgrind.* >"$work/report"
    rm -f "$work"/valgrind.*
    [ ! -s "$work/report" ] || {
        cat "$work/report"
        fail "$name: valgrind has complaints"
    }
    [ $code -eq 0 ] || {
        cat "$work/$name.err"
        fail "$name: exit code $code under valgrind"
    }
}

program=$LAE_MPI
check memcheck run.tasks=1
check memcheck run.tasks=0
