#!/bin/sh
# Builds and runs the tests: the second command of README. Its last line counts them.
set -eu

usage() {
    cat <<'TEXT'
launch/test.sh [--sanitize | --sanitize=thread | --valgrind | --all | NAME ...]

Installs what is missing (as root, or with sudo), builds in build/ and runs all tests.

  NAME ...           only these: unit, numeric, system, or the names of single tests
  --sanitize         instead builds in build-sanitize/ and runs the unit and numeric tests and the
                     system tests threads, ties and tools under AddressSanitizer, LeakSanitizer and
                     UndefinedBehaviorSanitizer
  --sanitize=thread  builds in build-thread/ and runs the unit and numeric tests and trainings with
                     several threads under ThreadSanitizer
  --valgrind         runs the unit and numeric tests of build/ under valgrind's memcheck (the system
                     test memcheck, a training under it, is always run where valgrind is there)
  --all              all four
TEXT
}

parts=plain suites="" names=""
for word in "$@"; do
    case $word in
    --help | -h) usage; exit 0 ;;
    --sanitize | --sanitize=address) parts=sanitize ;;
    --sanitize=thread) parts=thread ;;
    --valgrind) parts=valgrind ;;
    --all) parts="plain valgrind sanitize thread" ;;
    unit | numeric | system) parts=chosen suites="$suites --suite $word" ;;
    [a-z]*) parts=chosen names="$names $word" ;;
    *) echo "launch/test.sh: unknown argument $word; see --help" >&2; exit 2 ;;
    esac
done

cd "$(dirname "$0")/.."
. launch/packages.sh
# shellcheck disable=SC2086
install_missing $build_packages $test_packages

passed=0 failed=0 skipped=0

# Adds the counts that meson printed into the file $1.
count() {
    number() { sed -n "s/^$1: *\([0-9][0-9]*\).*/\1/p" "$2" | tail -n 1 | grep . || echo 0; }
    passed=$((passed + $(number Ok "$1")))
    skipped=$((skipped + $(number Skipped "$1")))
    failed=$((failed + $(number Fail "$1") + $(number Timeout "$1") + $(number 'Unexpected Pass' "$1")))
}

# Sets up build directory $1, or, where the program was built before the tests could be, once more.
configure() {
    directory=$1
    shift
    if [ -f "$directory/build.ninja" ]; then
        meson configure "$directory" -Dtests=enabled
    else
        meson setup "$directory" -Dtests=enabled "$@" >/dev/null
    fi
}

# Runs the tests in build directory $1 with the meson arguments that follow.
run_tests() {
    directory=$1
    shift
    # Signals do what they usually do, though whoever runs this ignores some, as nohup(1) does.
    env --default-signal meson test -C "$directory" --print-errorlogs "$@" >"$directory/tests.out" 2>&1 || status=1
    cat "$directory/tests.out"
    before=$passed
    count "$directory/tests.out"
    [ $passed -gt "$before" ] || status=1 # no test has run
    # Skipped tests say why on a line of their own.
    grep -h '^skipped:' "$directory"/meson-logs/testlog.txt || true
}

# Builds with sanitizers $1 in directory $2. Under them gcc warns of what is not so; what is so, the
# plain build refuses.
build_sanitized() {
    configure "$2" -Db_sanitize="$1" -Dbuildtype=debugoptimized -Db_lundef=false -Dwerror=false
    ninja -C "$2"
}

# Under AddressSanitizer and UndefinedBehaviorSanitizer; of the system tests those that try every
# module, merge and command without starting the program dozens of times. Stacks are unwound slowly, as
# Open MPI's libraries have no frame pointers and are told by their frames; a test's preloaded
# library may come before the sanitizer's.
test_addresses() {
    build_sanitized address,undefined build-sanitize
    ASAN_OPTIONS=fast_unwind_on_malloc=0:verify_asan_link_order=0
    LSAN_OPTIONS=suppressions=$PWD/tests/tools/lsan.supp:print_suppressions=0
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
    LAE_SANITIZED=address
    export ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS LAE_SANITIZED
    run_tests build-sanitize --timeout-multiplier 6 --suite unit --suite numeric
    run_tests build-sanitize --timeout-multiplier 6 mutations threads ties tools
    unset ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS LAE_SANITIZED
}

# Threads are this program's own affair: what Open MPI, HDF5 and BLAS, which are not instrumented,
# do among themselves is not looked at.
test_threads() {
    build_sanitized thread build-thread
    TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1:second_deadlock_stack=1
    LAE_SANITIZED=thread
    export TSAN_OPTIONS LAE_SANITIZED
    run_tests build-thread --timeout-multiplier 6 --suite unit --suite numeric
    run_tests build-thread --timeout-multiplier 6 threads
    unset TSAN_OPTIONS LAE_SANITIZED
}

# Those named on the command line.
test_chosen() {
    configure build
    ninja -C build
    known=$(meson test -C build --list 2>/dev/null)
    for name in $names; do
        echo "$known" | grep -q "[ /:]$name\$" || {
            echo "launch/test.sh: there is no test \"$name\"; meson test -C build --list shows all" >&2
            exit 2
        }
    done
    # shellcheck disable=SC2086
    [ -z "$suites" ] || run_tests build $suites
    # shellcheck disable=SC2086
    [ -z "$names" ] || run_tests build $names
}

test_valgrind() {
    install_missing valgrind
    configure build
    ninja -C build
    run_tests build --timeout-multiplier 20 --suite unit --suite numeric \
        --wrap "valgrind --quiet --error-exitcode=9 --leak-check=full"
}

status=0
for part in $parts; do
    case $part in
    plain)
        configure build
        ninja -C build
        run_tests build
        ;;
    chosen) test_chosen ;;
    sanitize) test_addresses ;;
    thread) test_threads ;;
    valgrind) test_valgrind ;;
    esac
done
[ $failed -eq 0 ] || status=1
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
