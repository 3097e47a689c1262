#!/bin/sh
# Fuzzes what reads files: tests/fuzz/run.sh [SECONDS [TARGET ...]]
#
# Builds with clang in build-fuzz/ and gives each target its share of SECONDS (60), one after the
# other. Any crash, leak, wrong answer, input that takes 10 seconds or 1 GB is a failure; the input
# is left in build-fuzz/finds/TARGET/. What the targets have learnt stays in build-fuzz/corpus/, so
# that the next run begins where this one ended.
#
# A find is kept: mend what it found and put it into tests/fuzz/finds/TARGET/, which `meson test`
# replays with any compiler.
set -u
cd "$(dirname "$0")/../.." || exit 1

seconds=${1:-60}
[ $# -gt 0 ] && shift
case $seconds in
'' | *[!0-9]*) echo "tests/fuzz/run.sh [SECONDS [TARGET ...]]" >&2; exit 2 ;;
esac
[ $# -gt 0 ] || set -- checkpoint config hdf5 images jsonl npz pickle pictures report safetensors shards torch
build=${LAE_FUZZ_BUILD:-build-fuzz}

# skip WORDS...: says why there is nothing to do.
skip() {
    echo "skipped: $*"
    exit 77
}

# build_targets TARGETS...: the fuzzers and the seeds.
build_targets() {
    command -v clang >/dev/null || skip "fuzzing needs clang"
    echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d == 0 && n; }' |
        clang -x c -fsanitize=fuzzer,address,undefined -o /dev/null - 2>/dev/null ||
        skip "clang has no libFuzzer here (Debian: libclang-rt-14-dev or clang's own version of it)"
    [ -f "$build/build.ninja" ] ||
        CC=clang meson setup "$build" -Dfuzz=enabled -Dtests=enabled >/dev/null || exit 1
    # shellcheck disable=SC2046
    ninja -C "$build" $(printf 'tests/fuzz/fuzz_%s ' "$@") tests/fuzz/seeds.txt || exit 1
}

# corpora TARGET: the directories that it begins with.
corpora() {
    [ "$1" = config ] && echo configs
    [ "$1" = pictures ] && echo tests/unit/fixtures/images
    [ "$1" = torch ] && echo tests/reference/weights/torch
    for directory in "$build/tests/fuzz/seeds/$1" "tests/fuzz/corpus/$1" "tests/fuzz/finds/$1"; do
        [ -d "$directory" ] && echo "$directory"
    done
}

# start TARGET SECONDS OPTIONS...: libFuzzer, its output in the log.
#
# What HDF5 keeps for later looks like a leak to libFuzzer, which then searches all memory after every
# input: of reports, which write and read a file each, leaks are looked for in the end (`leaks`).
#
# HDF5 asks for whatever memory a file claims before it looks whether the file has it, and copes
# with the refusal. So there malloc refuses what is large, as on a machine that has less.
start() {
    target=$1
    share=$2
    shift 2
    memory=allocator_may_return_null=0
    patience=10
    [ "$target" != hdf5 ] || patience=100 # the process that reads has 5 seconds of a processor
    case $target in
    checkpoint | hdf5 | report) memory=allocator_may_return_null=1:max_allocation_size_mb=512 ;;
    esac
    [ "$target" != report ] || { memory=$memory:quarantine_size_mb=16 && set -- -detect_leaks=0 "$@"; }
    [ -f "tests/fuzz/$target.dict" ] && set -- "$@" -dict="tests/fuzz/$target.dict"
    mkdir -p "$build/corpus/$target" "$build/finds/$target"
    # shellcheck disable=SC2046
    ASAN_OPTIONS=$memory TMPDIR=$scratch "$build/tests/fuzz/fuzz_$target" "$@" \
        -max_total_time="$share" -timeout=$patience -rss_limit_mb=1024 -max_len=65536 \
        -print_final_stats=1 -artifact_prefix="$build/finds/$target/" \
        "$build/corpus/$target" $(corpora "$target") >"$build/fuzz-$target.log" 2>&1
}

# leaks TARGET: whether what was learnt leaks, each input by itself.
leaks() {
    [ "$1" = report ] || return 0
    ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=512 TMPDIR=$scratch \
        "$build/tests/fuzz/fuzz_$1" -runs=0 -timeout=60 -rss_limit_mb=1024 "$build/corpus/$1" \
        >"$build/fuzz-$1-leaks.log" 2>&1 || {
        tail -n 60 "$build/fuzz-$1-leaks.log"
        return 1
    }
}

# fuzz TARGET SECONDS: one line about it, or the end of its output when it failed.
fuzz() {
    log=$build/fuzz-$1.log
    start "$1" "$2"
    code=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    if [ $code -ne 0 ] || [ "${runs:-0}" -eq 0 ] || ! leaks "$1"; then
        tail -n 60 "$log"
        echo "FAILED: $1 after ${runs:-0} inputs"
        return 1
    fi
    echo "ok: $1, $runs inputs, $covered edges covered"
}

build_targets "$@"
scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$scratch"' EXIT
share_each=$((seconds / $#))
[ $share_each -gt 0 ] || share_each=1
status=0
for name in "$@"; do
    fuzz "$name" $share_each || status=1
done
exit $status
