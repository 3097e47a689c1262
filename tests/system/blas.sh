#!/bin/sh
# OpenBLAS's pthread, openmp and serial builds give the same bits (on one core type).
. "$(dirname "$0")/common.sh"
need mpirun h5diff h5dump

first=
for build in pthread openmp serial; do
    directory=$(ls -d /usr/lib/*/openblas-$build 2>/dev/null | head -n 1)
    [ -n "$directory" ] || { echo "not installed: OpenBLAS $build"; continue; }
    LD_LIBRARY_PATH=$directory train 2 $build pet.attn.type=conv_adapter pet.mlp.type=adapter \
        merge.method=ties compute.threads=2 || { cat "$work/$build.err"; fail "OpenBLAS $build"; }
    h5dump -a /provenance/fingerprint "$runs/$build/task_00.h5" | grep '(0)' | tee "$work/$build.print"
    if [ -z "$first" ]; then
        first=$build
        continue
    fi
    cmp -s "$work/$first.print" "$work/$build.print" && fail "$build: the same library was loaded"
    same $first $build task_02.h5
    echo "ok: $build as $first"
    second=$build
done
[ -n "${second:-}" ] || skip "fewer than two builds of OpenBLAS are installed"
