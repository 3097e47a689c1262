# Sourced by setup.sh, test.sh and the container recipes: installs Debian or Ubuntu packages that are
# missing.

# Programs that the installed program and launch/run.sh call.
run_packages="openmpi-bin openssh-client gnuplot-nox"
build_packages="$run_packages gcc libc6-dev meson ninja-build pkg-config libopenmpi-dev libopenblas-dev
    libhdf5-dev libyaml-dev libarchive-dev libjansson-dev libssl-dev zlib1g-dev libpng-dev libjpeg-dev librandom123-dev libdnnl-dev libseccomp-dev
    libprotobuf-c-dev protobuf-c-compiler"
test_packages="libcmocka-dev hdf5-tools libxml2-utils libopenblas0-pthread libopenblas0-openmp libopenblas0-serial
    valgrind curl procps"
# For the trials of batch jobs, of several hosts and of other releases, and for fuzzing, which skip
# without them: some of them bring services.
trial_packages="slurmctld slurmd slurm-client munge openssh-server iproute2 clang libclang-rt-dev
    debootstrap git"

install_missing() {
    missing=""
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" ||
            missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    if ! command -v apt-get >/dev/null; then
        echo "These packages are missing, and there is no apt-get here:$missing" >&2
        echo "Install what they hold by other means; README lists the libraries." >&2
        return 0
    fi
    sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "These packages are missing; install them as root:$missing" >&2
            return 1
        }
        sudo=sudo
    fi
    echo "Installing:$missing"
    $sudo apt-get update -qq
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        $missing >/dev/null
}

# packages_of PROGRAM: the packages that its shared libraries are in, under this release's names. A
# library's file may be listed without the /usr that links in / lead to.
packages_of() {
    ldd "$1" | sed -n 's|.*=> \(/[^ ]*\) .*|\1|p' | while read -r library; do
        file=$(readlink -f "$library")
        dpkg-query -S "$file" 2>/dev/null || dpkg-query -S "${file#/usr}"
    done | sed 's/:.*//' | sort -u
}
