#!/bin/sh
# Tries README's two commands on a fresh machine of another release, as far as a directory can be one.
set -eu

usage() {
    cat <<'TEXT'
launch/trial.sh RELEASE [--keep] [--services] [--tests "NAME ..."]

Makes a fresh root of a Debian or Ubuntu release (bookworm, trixie, forky, jammy, noble, ...) with
debootstrap, and runs launch/setup.sh and launch/test.sh in it, from a clean clone of this checkout's
last commit. The last line counts the tests; the one before it is a row of README's table of what was
tried where.

  --keep       keeps the root, and takes the one that was kept, with the packages it has by then
  --services   installs what the trials of batch jobs, of several hosts and of hostile files need
               (trial_packages in launch/packages.sh); they skip without it
  --tests      only these: unit, numeric, system, or the names of single tests

It must be run as root: another release's root is made by root alone. What is mounted in it is mounted
for its own processes only, and ends with them. Roots lie in $LAE_TRIALS (default: /var/tmp/lae_trials).
Packages come from $LAE_MIRROR or else from where apt on this machine gets its own, or from the public
servers of Debian and Ubuntu.
Exit code: launch/test.sh's; 77 where no trial can be made.

Examples: launch/trial.sh trixie
          launch/trial.sh noble --keep --tests "unit numeric stop ranks"
TEXT
}

me=launch/trial.sh
refuse() {
    echo "$me: $*; see --help" >&2
    exit 2
}

release="" keep=no services=no tests=""
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage; exit 0 ;;
    --keep) keep=yes ;;
    --services) services=yes ;;
    --tests)
        [ -n "${2:-}" ] || refuse "--tests needs names"
        tests=$2
        shift
        ;;
    "" | *[!a-z]*) refuse "unknown argument \"$1\"" ;;
    *)
        [ -z "$release" ] || refuse "one release at a time, not $release and $1"
        release=$1
        ;;
    esac
    shift
done
[ -n "$release" ] || refuse "which release?"

skip() {
    echo "skipped: no trial of $release: $*"
    exit 77
}

cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" -eq 0 ] || skip "only root may make another release's root"
for tool in debootstrap unshare wget git; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
unshare --mount --pid --fork mount -t proc proc /proc 2>/dev/null ||
    skip "nothing may be mounted here, as in most containers"

trials=${LAE_TRIALS:-/var/tmp/lae_trials}
mkdir -p "$trials"
trials=$(cd "$trials" && pwd -P)
kept=$trials/$release
root=$(mktemp -d "$trials/$release.XXXXXX")
chmod 755 "$root"
made=no   # whether the root is whole
inside="" # the process that waits for those in the root

# Ends what runs in the root: all of it, as its first process ends.
end_inside() {
    [ -n "$inside" ] || return 0
    # shellcheck disable=SC2046
    kill -KILL $(cat "/proc/$inside/task/$inside/children" 2>/dev/null || echo "$inside") 2>/dev/null
    wait "$inside" 2>/dev/null
}

# Removes a root; not, however, where anything is mounted, though nothing of it is seen out here.
remove() {
    if grep -q " $1/" /proc/self/mountinfo; then
        echo "$me: something is mounted in $1; it stays" >&2
    else
        rm -rf --one-file-system "$1"
    fi
}

end() {
    trap '' INT TERM HUP
    end_inside || :
    if [ $keep = yes ] && [ $made = yes ] && [ ! -e "$kept" ]; then
        mv "$root" "$kept"
    else
        remove "$root"
    fi
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# apart COMMAND...: with mounts and processes of its own.
apart() {
    unshare --mount --pid --fork --kill-child "$@" </dev/null &
    inside=$!
    code=0
    wait $inside || code=$?
    inside=""
    return $code
}

# Where apt gets this machine's own release.
own_mirrors() {
    command -v apt-get >/dev/null || return 0
    own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n "s|^$own ||p" | sort -u
}

# has_release MIRROR: sets `origin` to who made it.
has_release() {
    case $1 in
    file:*) about=$(cat "${1#file:}/dists/$release/Release" 2>/dev/null) || return 1 ;;
    http:* | https:*) about=$(wget -q -T 20 -t 2 -O - "$1/dists/$release/Release") || return 1 ;;
    *) return 1 ;;
    esac
    origin=$(echo "$about" | sed -n 's/^Origin: *//p' | head -n 1)
}

# Sets `mirror` and `origin`.
find_mirror() {
    for mirror in ${LAE_MIRROR:-$(own_mirrors) http://deb.debian.org/debian http://archive.ubuntu.com/ubuntu}; do
        mirror=${mirror%/}
        has_release "$mirror" && return 0
    done
    skip "${LAE_MIRROR:-no mirror within reach} does not have it"
}

# apt's proxy here is debootstrap's, and apt's in there; so is what this machine asks of a mirror's age:
# one that stands still is past its own date.
check_until=""
if command -v apt-config >/dev/null; then
    eval "$(apt-config shell http_proxy Acquire::http::Proxy check_until Acquire::Check-Valid-Until)"
    [ -z "${http_proxy:-}" ] || export http_proxy
fi

# debootstrap knows a release by a script of that name, and one that is younger than itself by its
# elders'. Packages that nobody has signed do not come in.
bootstrap() {
    find_mirror
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    options="--variant=minbase --force-check-gpg" script=sid
    if [ "$origin" = Ubuntu ]; then
        keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg
        options="$options --components=main,universe" script=gutsy
    fi
    [ ! -e "/usr/share/debootstrap/scripts/$release" ] || script=$release
    [ -e $keyring ] || skip "$keyring is missing, by which $origin's packages are checked"
    case $mirror in https:*) options="$options --include=ca-certificates" ;; esac
    echo "A root of $origin $release, from $mirror"
    # shellcheck disable=SC2086
    apart debootstrap $options --keyring=$keyring "$release" "$root" "$mirror" \
        "/usr/share/debootstrap/scripts/$script" >"$root/log" 2>&1 ||
        skip "debootstrap fails: $(tail -n 3 "$root/log")"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # no package starts a service
    chmod 755 "$root/usr/sbin/policy-rc.d"
    made=yes
}

# What is not of the release: the machine's name and its way out.
settle() {
    cp -L /etc/hosts /etc/resolv.conf "$root/etc/"
    uname -n >"$root/etc/hostname"
    [ -z "${http_proxy:-}" ] ||
        echo "Acquire::http::Proxy \"$http_proxy\";" >"$root/etc/apt/apt.conf.d/proxy"
    [ -z "$check_until" ] ||
        echo "Acquire::Check-Valid-Until \"$check_until\";" >"$root/etc/apt/apt.conf.d/until"
}

# The last commit, as others get it. Root is told that it may read another user's checkout.
clone() {
    printf '[safe]\n\tdirectory = *\n' >"$root/root/.gitconfig"
    export GIT_CONFIG_GLOBAL="$root/root/.gitconfig"
    rm -rf --one-file-system "$root/root/lae_mpi"
    git clone -q --no-hardlinks "$PWD" "$root/root/lae_mpi" || skip "git cannot clone $PWD"
    [ -z "$(git status --porcelain)" ] || echo "What is not committed here is not tried."
}

# Run by the first process of the root: mounts what a system has, and goes in. $1: the root, which is
# mounted itself, for a system's root is a place of that kind.
# shellcheck disable=SC2016
enter='
set -eu
root=$1
shift
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
exec chroot "$root" "$@"'

# in_root SCRIPT [ARGUMENT...]: lines of shell in the checkout there, in a login's environment.
in_root() {
    script=$1
    shift
    apart sh -c "$enter" "$me" "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LANG=C.UTF-8 TERM=dumb ${http_proxy:+http_proxy="$http_proxy"} \
        sh -c "set -eu; cd /root/lae_mpi; $script" sh "$@"
}

# The release, and the versions that matter, as its packages have them: "1.2.3+dfsg" is 1.2.3.
# shellcheck disable=SC2016
row='
version() {
    dpkg-query -W -f "\${source:Upstream-Version}" "$1" 2>/dev/null | sed "s/[+~].*//" | grep . || echo none
}
printf "| %s " "$1" "$(gcc -dumpfullversion)"
for package in openmpi-bin libopenblas-dev libhdf5-dev libdnnl-dev libpng-dev meson; do
    printf "| %s " "$(version $package)"
done
echo "| $2 |"'

if [ $keep = yes ] && [ -d "$kept" ]; then
    rmdir "$root"
    mv "$kept" "$root"
    made=yes
else
    bootstrap
fi
settle
clone
in_root launch/setup.sh
if [ $services = yes ]; then
    # shellcheck disable=SC2016
    in_root '. launch/packages.sh; install_missing $trial_packages'
fi
status=0
# shellcheck disable=SC2086
in_root 'launch/test.sh "$@" >/root/tests.out 2>&1 || exit $?' $tests || status=$?
cat "$root/root/tests.out"
counts=$(tail -n 1 "$root/root/tests.out")
in_root "$row" "$release" "$counts" || :
echo "$counts"
exit $status
