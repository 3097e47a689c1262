#!/bin/sh
# Every command's tables fit the screen, whatever the names in them: eighty columns in a pipe and where
# nothing is known, as many as there are on a terminal. Numbers are whole on any.
. "$(dirname "$0")/common.sh"
need mpirun script wc awk
export LC_ALL=C.UTF-8

# fits WIDTH FILE: no line is wider, but those that hold a name alone, which may be copied from there.
fits() {
    awk 'NF > 2' "$2" >"$work/lines"
    [ -s "$work/lines" ] || { cat "$2"; fail "$2 has no table"; }
    widest=$(wc -L <"$work/lines")
    [ "$widest" -le "$1" ] || { cat "$2"; fail "$2 has a line of $widest columns"; }
}

# Classes of long names, in scripts of all widths, and an image and a run of long names, too.
lae 1 synth "$work/drawn" data.synthetic.classes=100 data.synthetic.train=3 data.synthetic.test=2 2>"$work/err" ||
    { cat "$work/err"; fail synth; }
"$LAE_MAKE_PICTURES" "$work/drawn" "$work/pictures" folders || fail "pictures"
long=$(printf '%0100d' 0 | tr 0 w)
for class in "$work/pictures"/*/class_*; do
    case $class in
    *[02468]) mv "$class" "$class of $long and more words than that" ;;
    *) mv "$class" "${class}猫と犬の名前でとても長いもの猫と犬の名前でとても長いもの猫と犬の名前でとても長いもの" ;;
    esac
done
run=$(printf "%080d" 0 | tr 0 r)
train 1 "$run" data.dataset=folder data.path="$work/pictures" pet.attn.type=conv_adapter pet.mlp.type=adapter \
    merge.method=ties eval.heads=linear,ncm,lda,aligned \
    data.classes_per_task=20 run.tasks=3 train.lr=0.02 train.epochs=1 ||
    { cat "$work/$run.err"; fail "training"; }
cp "$work/$run.out" "$work/trained"
fits 80 "$work/trained"
awk '/^task [0-9]+\/[0-9]+  learned/ { on = 1; next } /^[^ ]+ +[0-9.]+ +[0-9.]+ +[-0-9.]+ / && on' "$work/$run.err" >"$work/after_task"
fits 80 "$work/after_task"
echo "ok: train"

# tables FILE: without inspect's lines of words, which are not broken, as other programs may look for them.
tables() {
    awk '/norm of|^blocks|largest/ { on = 1 } { line[NR] = $0; from[NR] = on }
        END { for (i = 1; i <= NR; i++) if (from[i] || !on) print line[i] }' "$1" | grep -v '^/provenance' >"$work/tables"
}

# shown NAME CODE ARGUMENTS...: in a pipe, on a narrow screen by COLUMNS, and on a terminal of 80 columns.
shown() {
    name=$1
    wanted=$2
    shift 2
    (unset COLUMNS; "$LAE_MPI" "$@") >"$work/$name.80" 2>"$work/err"
    [ $? -eq "$wanted" ] || { cat "$work/err"; fail "$name"; }
    tables "$work/$name.80"
    fits 80 "$work/tables"
    COLUMNS=72 "$LAE_MPI" "$@" >"$work/$name.72" 2>"$work/err"
    tables "$work/$name.72"
    fits 72 "$work/tables"
    command=$LAE_MPI
    for word in "$@"; do command="$command '$word'"; done
    script -qec "stty cols 80; unset COLUMNS; $command 2>/dev/null" /dev/null </dev/null 2>&1 | tr -d '\r' >"$work/$name.tty"
    tables "$work/$name.tty"
    fits 80 "$work/tables"
    grep -q '^ *[-0-9]' "$work/$name.tty" || { cat "$work/$name.tty"; fail "$name on a terminal"; }
    echo "ok: $name"
}
shown evaluate 0 evaluate "$runs/$run"
"$LAE_MPI" merge "$runs/$run" >"$work/merge" 2>"$work/err" || { cat "$work/err"; fail "merge"; }
fits 80 "$work/merge"
shown merge_two 0 merge "$runs/$run" --method ties,mean --density 0.1,0.25
shown inspect 0 inspect "$runs/$run"
shown diff 1 inspect "$runs/$run/task_02.h5" --diff "$runs/$run/task_01.h5"
shown weights 0 inspect "$tiny"
mkdir "$work/images"
cp "$(find "$work/pictures/test" -name '*.png' -path '*class_00*' | head -n 1)" "$work/images/$long.png"
shown predict 0 predict "$runs/$run" "$work/images"

# What was shortened says so, and keeps both ends; the JSON has the whole.
"$LAE_MPI" predict "$runs/$run" "$work/pictures/test" --json "$work/all.json" >"$work/all" 2>"$work/err" || { cat "$work/err"; fail predict; }
grep -q "class_[0-9]*[02468] of www*\.\.\.w* and more words than that$" "$work/all" ||
    { head -n 30 "$work/all"; fail "a long name lost its ends"; }
grep -q "class_[0-9]*[02468] of $long and more words than that" "$work/all.json" || fail "the JSON has no whole name"
grep " %  " "$work/all" >"$work/ranked"
fits 80 "$work/ranked"
echo "ok: long names of classes"

# All that is shown in two widths are the same numbers.
numbers() {
    grep -oE '[0-9]+\.[0-9]+' "$1" | sort -u
}
for name in evaluate diff; do
    numbers "$work/$name.80" >"$work/a"
    numbers "$work/$name.72" >"$work/b"
    [ -s "$work/a" ] || fail "$name shows no numbers"
    cmp "$work/a" "$work/b" || fail "$name: other numbers on a narrow screen"
done
