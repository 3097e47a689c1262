#!/bin/sh
# Sets up, builds and runs the built-in demonstration: the first command of README.
set -eu

usage() {
    cat <<'TEXT'
launch/setup.sh [--no-demo]

Installs the Debian or Ubuntu packages that are missing (as root, or with sudo), builds the program
in build/ and trains the built-in demonstration with 8 ranks, which takes one to three minutes on two
cores. Results appear in runs/demo. A demonstration that is already there only shows its table.

  --no-demo   only install and build
TEXT
}

demo=yes
for word in "$@"; do
    case $word in
    --help | -h) usage; exit 0 ;;
    --no-demo) demo=no ;;
    *) echo "launch/setup.sh: unknown argument $word; see --help" >&2; exit 2 ;;
    esac
done

cd "$(dirname "$0")/.."
. launch/packages.sh
# shellcheck disable=SC2086
install_missing $build_packages
[ -f build/build.ninja ] || meson setup build
ninja -C build
if [ $demo = yes ]; then
    exec launch/run.sh 8
fi
echo "Built build/lae_mpi; the demonstration: launch/run.sh 8"
