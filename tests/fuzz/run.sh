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
[ $# -gt 0 ] || set -- checkpoint config images npz safetensors
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
    for directory in "$build/tests/fuzz/seeds/$1" "tests/fuzz/corpus/$1" "tests/fuzz/finds/$1"; do
        [ -d "$directory" ] && echo "$directory"
    done
}

# fuzz TARGET SECONDS: one line about it, or its output when it failed.
#
# HDF5 asks for whatever memory a file claims before it looks whether the file has it, and copes
# with the refusal. So there malloc refuses what is large, as on a machine that has less.
fuzz() {
    target=$1
    log=$build/fuzz-$target.log
    options=allocator_may_return_null=0
    [ "$target" = checkpoint ] && options=allocator_may_return_null=1:max_allocation_size_mb=512
    mkdir -p "$build/corpus/$target" "$build/finds/$target"
    # shellcheck disable=SC2046
    ASAN_OPTIONS=$options TMPDIR=$scratch \
        "$build/tests/fuzz/fuzz_$target" -max_total_time="$2" -timeout=10 -rss_limit_mb=1024 \
        -max_len=65536 -dict="tests/fuzz/$target.dict" -print_final_stats=1 \
        -artifact_prefix="$build/finds/$target/" "$build/corpus/$target" $(corpora "$target") >"$log" 2>&1
    code=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    if [ $code -ne 0 ] || [ "${runs:-0}" -eq 0 ]; then
        tail -n 60 "$log"
        echo "FAILED: $target after ${runs:-0} inputs"
        return 1
    fi
    echo "ok: $target, $runs inputs, $covered edges covered"
}

build_targets "$@"
scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$scratch"' EXIT
share=$((seconds / $#))
[ $share -gt 0 ] || share=1
status=0
for target in "$@"; do
    fuzz "$target" $share || status=1
done
exit $status
