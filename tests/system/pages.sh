#!/bin/sh
# What is written from the program's tables: the committed page is the program's, the man page is
# well formed, help and version are there for every command, and bash completes what there is.
. "$(dirname "$0")/common.sh"
need mpirun

"$LAE_DOCUMENT" page >"$work/page" || fail "the page"
cmp -s "$work/page" "$LAE_TEST_SOURCE/configs/README.md" || {
    diff "$LAE_TEST_SOURCE/configs/README.md" "$work/page" | head -20
    fail "configs/README.md is not up to date; renew it with: ninja -C build pages"
}
echo "ok: configs/README.md"

# Every key of the help is in the man page, and every command has its own help and the version.
"$LAE_DOCUMENT" man >"$work/lae_mpi.1" || fail "the man page"
"$LAE_MPI" train --help >"$work/help" || fail "train --help"
keys=$(sed -n 's/^[* ] \([a-z_]*\.[a-z_.]*\) .*/\1/p' "$work/help")
[ "$(echo "$keys" | wc -l)" -gt 40 ] || fail "the help lists too few keys"
for key in $keys; do
    grep -q "^\.BR $key " "$work/lae_mpi.1" || fail "$key is not in the man page"
done
commands=$("$LAE_MPI" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "$(echo "$commands" | wc -l)" -ge 7 ] || fail "the help lists too few commands"
"$LAE_MPI" --version >"$work/version" || fail "--version"
for library in "Open MPI" OpenBLAS HDF5 libyaml libarchive zlib jansson OpenSSL; do
    grep -Eq "^$library +[0-9]" "$work/version" || fail "--version does not tell $library's"
done
for command in $commands; do
    "$LAE_MPI" "$command" --help | grep -q "^lae_mpi $command" || fail "$command --help"
    "$LAE_MPI" "$command" --version | cmp -s - "$work/version" || fail "$command --version"
done
lae 3 --version >"$work/out" 2>&1 || fail "--version with three ranks"
[ "$(grep -c '^HDF5' "$work/out")" -eq 1 ] || fail "several ranks tell the version"
if command -v groff >/dev/null; then
    groff -ww -man -Tutf8 "$work/lae_mpi.1" >"$work/shown" 2>"$work/said" || fail "groff"
    [ ! -s "$work/said" ] || { cat "$work/said"; fail "groff complains"; }
fi
echo "ok: help, version, man page"

command -v bash >/dev/null || skip "bash, for its completion, is not installed"
"$LAE_DOCUMENT" completion >"$work/completion" || fail "the completion"
: >"$work/words.yaml"
cat >"$work/try" <<'TEXT'
. "$1"
cd "$2" || exit 1
wants() { # LINE WORDS: what completes the line
    COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
    _lae_mpi 2>&1
    found=$(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ')
    [ "$found" = "$2 " ] || { echo "\"$1\" gives $found"; exit 1; }
}
wants "lae_mpi tr" "train train.batch_size= train.clip_norm= train.epochs= train.freeze_epochs= train.lr= train.schedule= train.start_from= train.weight_decay="
wants "lae_mpi merge.method=ti" "ties"
wants "lae_mpi train pet.mlp.type=" "adapter conv_adapter none"
wants "lae_mpi pet.attn.type=l" "lora"
wants "lae_mpi data.shuffle=" "false true"
wants "lae_mpi --config wor" "words.yaml"
wants "lae_mpi --config=wor" "words.yaml"
wants "lae_mpi model.weights=wor" "words.yaml"
wants "lae_mpi predict x y --split t" "test train"
wants "lae_mpi inspect --j" "--json"
wants "lae_mpi merge runs/demo --method t" "task_arithmetic ties"
wants "lae_mpi evaluate merge.m" ""
TEXT
bash "$work/try" "$work/completion" "$work" || fail "completion"
echo "ok: completion"
