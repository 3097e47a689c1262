#!/bin/sh
# launch/get-data.sh against a server of our own on the loopback: whole files, connections that are
# cut off, servers that cannot go on in the middle, damage, and no server at all.
. "$(dirname "$0")/common.sh"
need curl python3 md5sum base64 od

script=$LAE_TEST_SOURCE/launch/get-data.sh
here=$(dirname "$0")
server=""
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
export LAE_RETRY_SECONDS=0

mkdir "$work/served"
head -c 300000 /dev/urandom >"$work/served/cifar-100-binary.tar.gz"
head -c 200000 /dev/urandom >"$work/served/ViT-B_16.npz"
LAE_CIFAR100_MD5=$(md5sum "$work/served/cifar-100-binary.tar.gz" | cut -d' ' -f1)
export LAE_CIFAR100_MD5

# serve ARGUMENTS...: (re)starts the server.
serve() {
    [ -z "$server" ] || kill "$server"
    rm -f "$work/port"
    python3 "$here/range_server.py" "$work/served" "$work/log" "$@" >"$work/port" &
    server=$!
    for _ in $(seq 100); do
        [ -s "$work/port" ] && break
        sleep 0.1
    done
    [ -s "$work/port" ] || fail "the server does not start"
    port=$(cat "$work/port")
    export LAE_CIFAR100_URL="http://127.0.0.1:$port/cifar-100-binary.tar.gz" \
        LAE_WEIGHTS_URL="http://127.0.0.1:$port/ViT-B_16.npz"
}

# get CODE ARGUMENTS...: runs the script, its words in $work/said.
get() {
    wanted=$1
    shift
    "$script" --into "$work/got" "$@" >"$work/said" 2>&1
    code=$?
    [ $code -eq "$wanted" ] || { cat "$work/said"; fail "exit $code instead of $wanted"; }
}
says() { grep -q -- "$1" "$work/said" || { cat "$work/said"; fail "it does not say \"$1\""; }; }
asked() { # FILE FIRST: how often that file was asked for from that byte on
    grep -c "^/$1 $2\$" "$work/log" || true
}
whole() {
    cmp "$work/served/cifar-100-binary.tar.gz" "$work/got/cifar-100-binary.tar.gz" &&
        cmp "$work/served/ViT-B_16.npz" "$work/got/ViT-B_16.npz" || fail "not what was served: $1"
    [ -z "$(find "$work/got" -name '*.part')" ] || fail "a part is left: $1"
    echo "ok: $1"
}

serve
get 0
whole "both files"
says "The next step"
get 0
says "cifar-100-binary.tar.gz is there and whole"
says "ViT-B_16.npz is there and whole"
[ "$(wc -l <"$work/log")" -eq 2 ] || { cat "$work/log"; fail "whole files are fetched again"; }

rm -r "$work/got"
serve --cut 100000
get 0
whole "connections cut off"
[ "$(asked cifar-100-binary.tar.gz 100000)" -eq 1 ] && [ "$(asked ViT-B_16.npz 100000)" -eq 1 ] ||
    { cat "$work/log"; fail "it does not go on where it was cut off"; }
[ "$(wc -l <"$work/log")" -eq 4 ] || { cat "$work/log"; fail "something is fetched twice"; }

# What an earlier call left, part of a file or all of it without its name.
rm -r "$work/got"
mkdir "$work/got"
head -c 12345 "$work/served/ViT-B_16.npz" >"$work/got/ViT-B_16.npz.part"
cp "$work/served/cifar-100-binary.tar.gz" "$work/got/cifar-100-binary.tar.gz.part"
serve
get 0
whole "parts left by an earlier call"
[ "$(cat "$work/log")" = "/ViT-B_16.npz 12345" ] || { cat "$work/log"; fail "parts are not used"; }

rm -r "$work/got"
serve --no-ranges --cut 100000
get 0
whole "a server without ranges"

printf x | dd of="$work/got/cifar-100-binary.tar.gz" bs=1 seek=999 conv=notrunc 2>/dev/null
get 1 cifar100
says "is damaged or another file"
get 0 weights
rm "$work/got/cifar-100-binary.tar.gz"
head -c 5000 /dev/urandom >"$work/got/cifar-100-binary.tar.gz.part" # of another file
serve
get 1 cifar100
says "is damaged (its MD5 is not"
[ -z "$(find "$work/got" -name 'cifar*')" ] || fail "damage is kept"
get 0
whole "damage is seen, and fetched anew"

rm "$work/got/cifar-100-binary.tar.gz"
mv "$work/served/cifar-100-binary.tar.gz" "$work/away"
get 1 cifar100
says "cannot fetch"
kill "$server"
server=""
get 1 cifar100
says "Without a network, fetch it on another machine"
says "copy the file into $work/got"
cp "$work/away" "$work/got/cifar-100-binary.tar.gz"
get 0 cifar100
says "is there and whole"
get 2 nonsense
echo "ok: no network, a copy by hand, bad usage"

# A mirror's link with questions to the server, without a digest: the name is the file's, and what
# came is looked at.
printf 'some images' | gzip >"$work/served/cifar-100-binary.tar.gz"
cp "$work/served/cifar-100-binary.tar.gz" "$work/served/download"
printf '\n<!DOCTYPE html>\n<html><body>Sign in</body></html>' >"$work/served/page.tar.gz"
head -c 15 "$work/served/cifar-100-binary.tar.gz" >"$work/served/cut.tgz"
serve
mirror() { # CODE PATH: gets CIFAR-100 from there
    rm -rf "$work/got"
    LAE_CIFAR100_URL="http://127.0.0.1:$port/$2" LAE_CIFAR100_MD5="" get "$1" cifar100
}
unset LAE_CIFAR100_MD5
without_digest() { # the script's own digest must not count
    sed "s/LAE_CIFAR100_MD5:-[0-9a-f]*/LAE_CIFAR100_MD5:-/" "$script" >"$work/launch/get-data.sh"
    chmod +x "$work/launch/get-data.sh"
    script=$work/launch/get-data.sh
}
mkdir -p "$work/launch" "$work/data"
without_digest
for path in "cifar-100-binary.tar.gz?download=true" "cifar-100-binary.tar.gz?a=b/c#d" "download?file=7"; do
    mirror 0 "$path"
    says "whole by its content"
    [ "$(ls "$work/got")" = cifar-100-binary.tar.gz ] || { ls "$work/got"; fail "$path: another name"; }
    LAE_CIFAR100_URL="http://127.0.0.1:$port/$path" get 0 cifar100
    says "is there, and what its name says"
done
mirror 1 page.tar.gz
says "is a page for a browser and has been removed"
[ -z "$(ls "$work/got")" ] || fail "a page is kept"
mirror 1 cut.tgz
says "is no whole gzip archive"
cp "$work/served/page.tar.gz" "$work/got/cifar-100-binary.tar.gz"
LAE_CIFAR100_URL="http://127.0.0.1:$port/cifar-100-binary.tar.gz" get 1 cifar100
says "cifar-100-binary.tar.gz is a page for a browser. Remove it"
echo "ok: a mirror without a digest"
