#!/bin/sh
# Fetches what the real experiment needs: CIFAR-100 and the weights of ViT-B/16.
set -eu

usage() {
    cat <<'TEXT'
launch/get-data.sh [cifar100] [weights] [--into DIRECTORY]

Fetches both if none is named, into DIRECTORY, or where the program looks for "data/...": $LAE_DATA, else ./data
where there is one, else data/ of the checkout that this script is part of, else, as when it is installed, the
user's data directory ($XDG_DATA_HOME/lae_mpi or ~/.local/share/lae_mpi):

  cifar100   cifar-100-binary.tar.gz (169 MB) from the dataset's home page, checked by its MD5
  weights    ViT-B_16.npz, ViT-B/16 pretrained on ImageNet-21k, from Google's storage, checked by
             the MD5 that the storage tells

What is there and whole is left alone; what was cut off goes on where it stopped. Without a network
it says what to fetch elsewhere; files copied in by hand are checked like those fetched.

Environment: LAE_CIFAR100_URL, LAE_CIFAR100_MD5, LAE_WEIGHTS_URL, LAE_WEIGHTS_MD5 for a mirror.
Exit codes: 0 all is there and whole, 1 something is not, 2 wrong arguments.
TEXT
}

me=launch/get-data.sh
cifar100_url=${LAE_CIFAR100_URL:-https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz}
cifar100_md5=${LAE_CIFAR100_MD5:-03b5dce01913d631647c71ecec9e9cb8}
weights_url=${LAE_WEIGHTS_URL:-https://storage.googleapis.com/vit_models/imagenet21k/ViT-B_16.npz}
weights_md5=${LAE_WEIGHTS_MD5:-}
into=""
wanted=""
tries=5

# Where the program looks for data (src/cmd/data_home.c).
usual_place() {
    root=$(dirname "$0")/..
    if [ -n "${LAE_DATA:-}" ]; then
        echo "$LAE_DATA"
    elif [ -d data ]; then
        echo data
    elif [ -f "$root/meson.build" ]; then
        echo "$root/data"
    else
        echo "${XDG_DATA_HOME:-$HOME/.local/share}/lae_mpi"
    fi
}

placed=true
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage; exit 0 ;;
    cifar100 | weights) wanted="$wanted $1" ;;
    --into)
        [ $# -gt 1 ] || { echo "$me: --into needs a directory" >&2; exit 2; }
        into=$2 placed=false
        shift
        ;;
    *) echo "$me: unknown argument $1; see --help" >&2; exit 2 ;;
    esac
    shift
done
[ -n "$wanted" ] || wanted="cifar100 weights"

command -v curl >/dev/null || {
    echo "$me: curl is missing; install it, or fetch $cifar100_url and $weights_url into $into" >&2
    exit 1
}
[ -n "$into" ] || into=$(usual_place)
mkdir -p "$into"
into=$(cd "$into" && pwd)
[ -w "$into" ] || { echo "$me: cannot write into $into" >&2; exit 1; }

md5_of() { md5sum "$1" | cut -d' ' -f1; }

# The MD5 that Google's storage tells of a file, in hexadecimal digits; nothing where it does not.
told_md5() {
    curl -fsSIL --connect-timeout 20 "$1" 2>/dev/null | tr -d '\r' |
        sed -n 's/^[xX]-[gG]oog-[hH]ash:.*md5=\([A-Za-z0-9+/=]*\).*/\1/p' | tail -n 1 |
        base64 -d 2>/dev/null | od -An -v -tx1 | tr -d ' \n'
}

# without_network URL: what to do where nothing can be reached.
without_network() {
    cat >&2 <<TEXT
$me: cannot fetch $1 (curl's words are above).
Without a network, fetch it on another machine:
    curl -LO $1
copy the file into $into
and run this again, which checks it. The demonstration needs no download: launch/run.sh 8
TEXT
}

# download URL PART: fetches, or goes on with, PART. A server that cannot go on in the middle (curl's
# code 33) is asked for the whole.
download() {
    try=1
    while :; do
        if [ -s "$2" ]; then
            echo "going on after $(wc -c <"$2") bytes: $1"
        else
            echo "fetching $1"
        fi
        curl -fL --connect-timeout 20 --speed-time 60 --speed-limit 1 -C - -o "$2" \
            "$([ -t 2 ] && echo --progress-bar || echo -sS)" "$1" && return 0
        code=$?
        [ $code -ne 33 ] || rm -f "$2"
        case $code in
        18 | 28 | 33 | 52 | 55 | 56 | 92) ;; # the connection was lost, or must begin again
        *) return 1 ;;
        esac
        try=$((try + 1))
        [ $try -le $tries ] || return 1
        sleep "${LAE_RETRY_SECONDS:-3}"
    done
}

# name_of URL OTHERWISE: what to call what comes from there. Questions to the server are no part of a
# name; a link without an ending that is known has another.
name_of() {
    name=${1%%[?#]*}
    name=${name##*/}
    case $name in
    ?*.tar.gz | ?*.tgz | ?*.tar | ?*.tar.xz | ?*.tar.bz2 | ?*.zip | ?*.npz | ?*.safetensors | ?*.h5 | ?*.pth | ?*.bin)
        echo "$name" ;;
    *) echo "$2" ;;
    esac
}

# begins_with FILE HEXADECIMAL
begins_with() { head -c 8 "$1" | od -An -v -tx1 | tr -d ' \n' | grep -q "^$2"; }

# What FILE (to be called NAME) is where it is not what its name says; nothing where it may be that.
wrong_content() {
    if head -c 1024 "$1" | tr -d '\000\n' | grep -qiE '^[^a-z]*<(!doctype|html|head|\?xml)'; then
        echo "a page for a browser"
        return
    fi
    case $2 in
    *.tar.gz | *.tgz) gzip -t "$1" 2>/dev/null || echo "no whole gzip archive" ;;
    *.npz | *.zip)
        begins_with "$1" 504b0304 && tail -c 65558 "$1" | od -An -v -tx1 | tr -d ' \n' |
            grep -q 504b0506 || echo "no whole zip archive" ;;
    *.tar.xz) begins_with "$1" fd377a585a00 || echo "no xz archive" ;;
    *.tar.bz2) begins_with "$1" 425a68 || echo "no bzip2 archive" ;;
    *.h5) begins_with "$1" 894844460d0a1a0a || echo "no HDF5 file" ;;
    esac
}

# fetch URL MD5 NAME: the file of that URL, whole, in $into, as NAME unless the URL has a name of its
# own. MD5 empty: it is told by its content alone.
fetch() {
    url=$1 md5=$2 name=$(name_of "$1" "$3")
    file=$into/$name part=$into/$name.part
    if [ -f "$file" ]; then
        if [ -z "$md5" ]; then
            wrong=$(wrong_content "$file" "$name")
            if [ -n "$wrong" ]; then
                echo "$me: $file is $wrong. Remove it and run this again." >&2
                return 1
            fi
            echo "$file is there, and what its name says (its digest is not known here)"
            return 0
        fi
        [ "$(md5_of "$file")" != "$md5" ] || { echo "$file is there and whole"; return 0; }
        echo "$me: $file is damaged or another file: its MD5 is $(md5_of "$file")," \
            "not $md5. Remove it and run this again." >&2
        return 1
    fi
    # A part of the right digest only lacks its name.
    if [ ! -s "$part" ] || [ -z "$md5" ] || [ "$(md5_of "$part")" != "$md5" ]; then
        download "$url" "$part" || { without_network "$url"; return 1; }
    fi
    if [ -n "$md5" ] && [ "$(md5_of "$part")" != "$md5" ]; then
        wrong=$(wrong_content "$part" "$name")
        rm -f "$part"
        echo "$me: what came from $url is damaged (its MD5 is not $md5${wrong:+; it is $wrong})" \
            "and has been removed; run this again." >&2
        return 1
    fi
    wrong=""
    [ -n "$md5" ] || wrong=$(wrong_content "$part" "$name")
    if [ -n "$wrong" ]; then
        rm -f "$part"
        echo "$me: what came from $url is $wrong and has been removed; look at the address in a" \
            "browser, and give that of the file itself." >&2
        return 1
    fi
    mv "$part" "$file"
    echo "$file is whole$([ -n "$md5" ] || echo " by its content; no digest is known")"
}

failed=0
for name in $wanted; do
    case $name in
    cifar100) fetch "$cifar100_url" "$cifar100_md5" cifar-100-binary.tar.gz || failed=1 ;;
    weights)
        [ -n "$weights_md5" ] || weights_md5=$(told_md5 "$weights_url")
        fetch "$weights_url" "$weights_md5" ViT-B_16.npz || failed=1
        ;;
    esac
done
[ $failed -eq 0 ] || exit 1
case $wanted in
*cifar100*weights* | *weights*cifar100*)
    places=""
    $placed ||
        places=" data.path='$into/cifar-100-binary.tar.gz' model.weights='$into/ViT-B_16.npz'"
    echo "The next step: launch/run.sh $(nproc) --config lae_conv_adapter_ties.yaml$places" ;;
esac
