#!/bin/sh
# OpenBLAS's pthread, openmp and serial builds give the same bits (on one core type).
. "$(dirname "$0")/common.sh"
need mpirun h5diff h5dump

first=
prints=
for build in pthread openmp serial; do
    directory=$(ls -d /usr/lib/*/openblas-$build 2>/dev/null | head -n 1)
    [ -n "$directory" ] || { echo "not installed: OpenBLAS $build"; continue; }
    threads=2
    if [ $build = serial ]; then # not to be called by two threads at once: refused, not wrong
        LD_LIBRARY_PATH=$directory train 1 refused compute.threads=2
        [ $? -eq 2 ] && grep -q "serial build" "$work/refused.err" || fail "serial with two threads"
        threads=1
    fi
    LD_LIBRARY_PATH=$directory train 2 $build pet.attn.type=conv_adapter pet.mlp.type=adapter \
        merge.method=ties compute.backend=openblas compute.threads=$threads || { cat "$work/$build.err"; fail "OpenBLAS $build"; }
    print=$(h5dump -a /provenance/fingerprint "$runs/$build/task_00.h5" | grep '(0)')
    echo "$print"
    case $prints in *"$print"*) fail "$build: a library was loaded that was tried before" ;; esac
    prints="$prints $print"
    if [ -z "$first" ]; then
        first=$build
        continue
    fi
    same $first $build task_02.h5
    echo "ok: $build as $first"
    second=$build
done
[ -n "${second:-}" ] || skip "fewer than two builds of OpenBLAS are installed"
