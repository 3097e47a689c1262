#!/bin/sh
# Names of others in places where another program, or a terminal, might take them for something
# else: commands, options, quotes, newlines, escapes. Of runs, roots and outputs.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm # hundreds of small files, each of them flushed
. "$(dirname "$0")/common.sh"
need mpirun xmllint

touch_it='touch PWNED'
escape=$(printf '\033[31m\233\302\2332J') # the last: U+009B in UTF-8, after a raw one
newline=$(printf 'a\nb')
overlong=$(printf 'x\300\257\355\240\200\377y')
bidi=$(printf 'a\342\200\256lmth\342\201\246b')

# hostile FUNCTION: calls it with each name.
hostile() {
    for name in "<$touch_it;#" "|$touch_it;#" "\`$touch_it\`" "\$($touch_it)" "'; $touch_it; '" \
        "a\";!$touch_it;#" "\\\"$touch_it\\" '#' '*' '~' '$HOME' '%n%s' 'a&b<c>d' '-x' '--output' ' ' \
        "$newline" "$escape" "$overlong" "$bidi" 'grün – 日本' 'ARG1' 'EOD'; do
        "$1" "$name"
    done
}

# those_that_run FUNCTION: with those alone that some program would run or not show as they are.
those_that_run() {
    for name in "<$touch_it;#" "|$touch_it;#" "\`$touch_it\`\$($touch_it)" "\";!$touch_it;#" "$newline" "$escape"; do
        "$1" "$name"
    done
}

# clean FILE: nothing in it moves a cursor, reorders a line or is no UTF-8.
clean() {
    LC_ALL=C grep -nqP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]' "$1" &&
        { cat -v "$1"; fail "$name: what controls a terminal is in $1"; }
    iconv -f UTF-8 -t UTF-8 "$1" >/dev/null || { cat -v "$1"; fail "$name: $1 is not UTF-8"; }
}

# nothing_ran: no name was taken for a command.
nothing_ran() {
    [ -z "$(find "$work" -name 'PWNED*')" ] || fail "$name: was run as a command"
}

# shown ARGUMENTS...: the program works, and what it says can be looked at.
shown() {
    "$LAE_MPI" "$@" >"$work/out" 2>"$work/err" || { cat -v "$work/err"; fail "$name: lae_mpi $*"; }
    clean "$work/out"
    clean "$work/err"
    nothing_ran
}

page_is_fine() { # PAGE FIGURES
    xmllint --noout "$1" || fail "$name: the page is not well formed"
    clean "$1"
    for figure in "$2"/*.svg; do
        [ ! -e "$figure" ] || xmllint --noout "$figure" || fail "$name: $figure is not well formed"
    done
    ls "$2" | grep -q '^accuracy.*\.gp$' || fail "$name: no figures"
    ! command -v gnuplot >/dev/null || ls "$2" | grep -q '^accuracy.*\.svg$' || fail "$name: nothing is drawn"
    ls "$2" | grep -v '^[A-Za-z0-9_]*\.[a-z]*$' && fail "$name: a file's name is not plain"
}

train 1 plain run.tasks=2 train.epochs=1 merge.method=ties || { cat "$work/plain.err"; fail "training"; }
mkdir "$work/here" "$work/outputs" && cd "$work/here" || fail "no directory"

# inspect --diff ends with 1 where files differ, as they do here.
shown_diff() {
    "$LAE_MPI" inspect "$1/task_01.h5" --diff "$1/task_00.h5" >"$work/out" 2>"$work/err"
    [ $? -eq 1 ] || fail "$name: inspect --diff"
    clean "$work/out"
    clean "$work/err"
}
as_run() {
    cp -r "$runs/plain" "./$1" || fail "$1: cannot be a name here"
    case $1 in
    -*) shown report "./$1" ;;
    *) shown report "$1" ;;
    esac
    page_is_fine "./$1/report/report.html" "./$1/report/figures"
    shown inspect "./$1"
    shown_diff "./$1"
    rm -r "./$1"
}
hostile as_run
echo "ok: names of runs"

as_output() {
    shown report "$runs/plain" --output "$1.html"
    page_is_fine "./$1.html" "./$1_figures"
    rm -r "./$1.html" "./$1_figures"
}
those_that_run as_output
echo "ok: names of outputs"

# Several runs beside each other: names are in legends, titles and tables.
as_label() {
    cp -r "$runs/plain" "./$1"
    cp -r "$runs/plain" "./$1.2"
    sed -i 's/^\( *seed\): 1$/\1: 2/' "./$1.2/config.yaml"
    rm "./$1.2"/*.h5 # so that its seed is another
    shown report "./$1" "./$1.2" --output "$work/outputs/labels"
    page_is_fine "$work/outputs/labels/report.html" "$work/outputs/labels/figures"
    rm -r "./$1" "./$1.2"
}
hostile as_label
echo "ok: names in legends"

# A root is told on the screen and in the log; a refusal names what it refuses.
as_root() {
    "$LAE_MPI" train run.root="./$1" run.name=small data.dataset=synthetic model.weights="$tiny" \
        model.heads=2 data.image_size=16 data.classes_per_task=1 data.synthetic.classes=2 \
        data.synthetic.train=2 data.synthetic.test=1 train.batch_size=2 train.epochs=1 run.tasks=1 \
        pet.blocks=0 compute.threads=1 2>"$work/err" >"$work/out"
    code=$?
    [ $code -eq 0 ] || [ $code -eq 2 ] || { cat -v "$work/err"; fail "$name: training ends with $code"; }
    clean "$work/err"
    clean "$work/out"
    [ ! -e "./$1/small/log.txt" ] || clean "./$1/small/log.txt"
    nothing_ran
    rm -rf "./$1"
}
those_that_run as_root
echo "ok: names of roots"
exit 0
