#!/bin/sh
# What `meson install` puts in place is whole by itself: the program runs from any directory without
# the source tree, and a program of somebody else's is built on the library.
. "$(dirname "$0")/common.sh"
need mpirun meson pkg-config python3
unset LAE_HOME

meson install -C "$LAE_TEST_BUILD" --no-rebuild --destdir "$work/dest" >"$work/said" 2>&1 ||
    { cat "$work/said"; fail "meson install"; }
program=$(find "$work/dest" -path '*/bin/lae_mpi')
[ -x "$program" ] || fail "the program is not installed"
prefix=${program%/bin/lae_mpi}
for file in share/man/man1/lae_mpi.1 share/bash-completion/completions/lae_mpi.bash \
    share/lae_mpi/configs/demo.yaml share/lae_mpi/configs/class_orders.yaml \
    share/lae_mpi/data/demo_vit.safetensors share/lae_mpi/launch/run.sh share/lae_mpi/data/classify.c include/lae/lae.h; do
    [ -s "$prefix/$file" ] || fail "$file is not installed"
done

# From "/", by the script that is installed with it; the source tree is not looked at.
cd / || exit 1
LAE_MPI=$program "$prefix/share/lae_mpi/launch/run.sh" 2 run.root="$work/runs" run.tasks=2 \
    data.synthetic.train=10 data.synthetic.test=2 train.epochs=1 >"$work/out" 2>"$work/err" ||
    { cat "$work/err"; fail "the demonstration from /"; }
grep -q "after task 1" "$work/out" || { cat "$work/out"; fail "no table"; }
[ -s "$work/runs/demo/task_01.h5" ] || fail "no task file"
grep -q "weights: $prefix/share/lae_mpi/data/demo_vit.safetensors" "$work/runs/demo/config.yaml" ||
    fail "other weights than those installed"
"$program" --print-config data.class_order=cifar100_order1 data.dataset=cifar100 data.path=none \
    model.weights=none >"$work/out" || fail "a class order by name, from /"
"$program" --print-config --config lae_ema.yaml >"$work/out" || fail "a configuration by name, from /"
grep -q "name: lae_ema" "$work/out" || fail "another configuration"
printf 'run: {name: mine}\nmodel: {weights: none}\ndata: {path: none}\n' >"$work/lae_ema.yaml"
(cd "$work" && "$program" --print-config --config lae_ema.yaml) | grep -q "name: mine" ||
    fail "a file of that name does not come first"
# The demonstration by its name, and data where get-data.sh puts them: $LAE_DATA, ./data, the user's.
export HOME="$work/home"
mkdir -p "$work/served" "$HOME" "$work/empty"
printf 'archive' >"$work/served/cifar-100-binary.tar.gz"
printf 'weights' >"$work/served/ViT-B_16.npz"
placed() { # DIRECTORY: get-data.sh fetches there, and the program finds it there
    LAE_CIFAR100_URL="file://$work/served/cifar-100-binary.tar.gz" LAE_WEIGHTS_URL="file://$work/served/ViT-B_16.npz" \
        LAE_CIFAR100_MD5=$(md5sum "$work/served/cifar-100-binary.tar.gz" | cut -d' ' -f1) \
        LAE_WEIGHTS_MD5=$(md5sum "$work/served/ViT-B_16.npz" | cut -d' ' -f1) \
        sh "$prefix/share/lae_mpi/launch/get-data.sh" >"$work/said" 2>&1 || { cat "$work/said"; fail "get-data.sh"; }
    [ -s "$1/cifar-100-binary.tar.gz" ] && [ -s "$1/ViT-B_16.npz" ] || { cat "$work/said"; fail "not in $1"; }
    "$program" --config best --print-config >"$work/out" || fail "--config best"
    grep -q "path: $2/cifar-100-binary.tar.gz" "$work/out" && grep -q "weights: $2/ViT-B_16.npz" "$work/out" ||
        { cat "$work/out"; fail "not found in $2"; }
}
cd "$work/empty" || exit 1
"$program" --config best >"$work/out" 2>"$work/err" && fail "trained without data"
grep -q "lies in none of data, $HOME/.local/share/lae_mpi" "$work/err" || { cat "$work/err"; fail "where it looked"; }
[ -z "$(ls -A)" ] || fail "something is left"
if command -v curl >/dev/null; then
    placed "$HOME/.local/share/lae_mpi" "$HOME/.local/share/lae_mpi"
    mkdir data
    placed data data
    LAE_DATA=$work/elsewhere
    export LAE_DATA
    placed "$work/elsewhere" "$work/elsewhere"
    unset LAE_DATA
else
    echo "left out: fetching, which needs curl"
fi
"$program" --config demo --print-config | grep -q "weights: $prefix/share/lae_mpi/data/demo_vit.safetensors" ||
    fail "the demonstration by its name"
"$program" bench --config lae_ema --help >/dev/null || fail "bench with a configuration by name"
# A program that is not installed, in a build directory elsewhere.
mkdir "$work/build"
cp "$LAE_MPI" "$work/build/lae_mpi"
cp "$LAE_TEST_BUILD/lae_home" "$work/build/lae_home" || fail "the build directory does not say where its sources are"
"$work/build/lae_mpi" --config demo --print-config | grep -q "weights: $LAE_TEST_SOURCE/data/demo_vit.safetensors" ||
    fail "the sources of a build directory elsewhere"
"$work/build/lae_mpi" --print-config | grep -q "name: demo" || fail "the bare program of a build directory elsewhere"
"$program" --config lae_tise >"$work/out" 2>"$work/err" && fail "a configuration that is not there"
grep -q 'did you mean "lae_ties"' "$work/err" || { cat "$work/err"; fail "the nearest configuration"; }
cd / || exit 1
# A run that was begun with relative paths is found from elsewhere, and its weights with it.
mkdir "$work/here"
cp "$prefix/share/lae_mpi/data/demo_vit.safetensors" "$work/here/weights.safetensors"
(cd "$work/here" && "$program" --config demo run.root=. run.name=near run.tasks=1 model.weights=weights.safetensors \
    data.synthetic.train=10 data.synthetic.test=2 train.epochs=1) >"$work/out" 2>&1 || { cat "$work/out"; fail "relative paths"; }
(cd / && "$program" evaluate "$work/here/near") >"$work/out" 2>"$work/err" || { cat "$work/err"; fail "weights of a relative path"; }
echo "ok: the program"

compiler=${CC:-cc}
need "$compiler"
[ -z "${LAE_SANITIZED:-}" ] || skip "the library was built with a sanitizer"
described=$(find "$work/dest" -name lae.pc)
[ -s "$described" ] || fail "lae.pc is not installed"
mkdir "$work/pkgconfig"
sed "s|^prefix=.*|prefix=$prefix|" "$described" >"$work/pkgconfig/lae.pc"
flags=$(PKG_CONFIG_PATH=$work/pkgconfig pkg-config --cflags --libs lae) || fail "pkg-config"
build() { # SOURCE PROGRAM
    # shellcheck disable=SC2086
    "$compiler" -std=c17 -Wall -Wextra -Werror -o "$2" "$1" $flags >"$work/said" 2>&1 ||
        { cat "$work/said"; fail "$1 does not build on the installed library: $flags"; }
}
[ "$(cd "$prefix/include/lae" && find . -name '*.h' | sort | tr '\n' ' ')" = "./base/status.h ./lae.h " ] ||
    fail "other headers are installed than lae.h and what it needs"

if command -v c++ >/dev/null; then
    printf '#include <lae/lae.h>\nint main() { return lae_version() == nullptr; }\n' >"$work/use.cc"
    # shellcheck disable=SC2086
    c++ -Wall -Wextra -Werror -DOMPI_SKIP_MPICXX -o "$work/use_cc" "$work/use.cc" $flags >"$work/said" 2>&1 && "$work/use_cc" ||
        { cat "$work/said"; fail "lae.h in C++"; }
fi

# Its scores are those of predict, to the bit, at one rank and several.
picture=$LAE_TEST_SOURCE/tests/unit/fixtures/images/rgb8.png
"$program" predict "$work/runs/demo" "$picture" --json "$work/scores.json" >"$work/out" 2>"$work/err" ||
    { cat "$work/err"; fail "predict"; }
build "$LAE_TEST_SOURCE/tests/system/use_library.c" "$work/use"
for ranks in 1 3; do
    mpirun --oversubscribe -np $ranks "$work/use" "$work/runs/demo" "$picture" >"$work/scores" 2>"$work/err" ||
        { cat "$work/err"; fail "the library at $ranks ranks"; }
    sort -u "$work/scores" >"$work/scores.$ranks"
done
python3 - "$work/scores.json" "$work/scores.1" "$work/scores.3" <<'TEXT' || fail "the library scores otherwise than predict"
import json, struct, sys

single = lambda x: struct.unpack("f", struct.pack("f", x))[0]
shown = json.load(open(sys.argv[1]))
wanted = {(name, each["label"]): single(score) for name, scores in shown["images"][0]["scores"].items()
          for each, score in zip(shown["classes"], scores, strict=True)}
assert len(wanted) == 7 * len(shown["classes"]) >= 7 * 20, len(wanted)
for place in sys.argv[2:]:
    found = {(words[0], int(words[1])): float.fromhex(words[3]) for words in map(str.split, open(place))}
    assert found == wanted, place
TEXT
build "$prefix/share/lae_mpi/data/classify.c" "$work/classify"
mpirun --oversubscribe -np 2 "$work/classify" "$work/runs/demo" "$picture" "$picture" >"$work/out" 2>"$work/err" ||
    { cat "$work/err"; fail "classify"; }
[ "$(grep -c "rgb8.png  online .*  ensemble .*  ncm_init " "$work/out")" -eq 2 ] || { cat "$work/out"; fail "classify"; }
"$work/classify" "$work/runs/demo" /dev/null >"$work/out" 2>"$work/err"
[ $? -eq 2 ] && grep -q "^classify: /dev/null: " "$work/err" || { cat "$work/err"; fail "classify of no picture"; }
echo "ok: the library"
