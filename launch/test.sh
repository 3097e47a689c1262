#!/bin/sh
# Builds and runs the tests: the second command of README. Its last line counts them.
set -eu

usage() {
    cat <<'TEXT'
launch/test.sh [--sanitize | --all]

Installs what is missing (as root, or with sudo), builds in build/ and runs all tests.

  --sanitize   instead builds in build-sanitize/ and runs the unit and numeric tests under
               AddressSanitizer and UndefinedBehaviorSanitizer
  --all        both
TEXT
}

parts=plain
for word in "$@"; do
    case $word in
    --help | -h) usage; exit 0 ;;
    --sanitize) parts=sanitize ;;
    --all) parts="plain sanitize" ;;
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
    meson test -C "$directory" --print-errorlogs "$@" >"$directory/tests.out" 2>&1 || status=1
    cat "$directory/tests.out"
    before=$passed
    count "$directory/tests.out"
    [ $passed -gt "$before" ] || status=1 # no test has run
    # Skipped tests say why on a line of their own.
    grep -h '^skipped:' "$directory"/meson-logs/testlog.txt || true
}

status=0
for part in $parts; do
    if [ $part = plain ]; then
        configure build
        ninja -C build
        run_tests build
    else
        configure build-sanitize -Db_sanitize=address,undefined -Dbuildtype=debugoptimized -Db_lundef=false
        ninja -C build-sanitize
        run_tests build-sanitize --suite unit --suite numeric
    fi
done
[ $failed -eq 0 ] || status=1
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
