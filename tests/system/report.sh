#!/bin/sh
# The page about runs: whole by itself, well formed, with every section, the numbers of the files and
# means over seeds; its figures by themselves. Of runs that are whole, of one under way, of a
# directory that cannot be written, without gnuplot, on a full disk; and what is no run.
. "$(dirname "$0")/common.sh"
need mpirun h5dump xmllint awk

# report ARGUMENTS...: must work.
report() {
    "$LAE_MPI" report "$@" 2>"$work/err" || { cat "$work/err"; fail "report $*"; }
}

# refused CODE PATTERN ARGUMENTS...
refused() {
    wanted=$1 pattern=$2
    shift 2
    "$LAE_MPI" report "$@" 2>"$work/err"
    code=$?
    [ $code -eq "$wanted" ] || { cat "$work/err"; fail "exit $code instead of $wanted: report $*"; }
    [ "$(grep -c '^lae_mpi: ' "$work/err")" -eq 1 ] || { cat "$work/err"; fail "not one message: $*"; }
    grep -Eq -- "$pattern" "$work/err" || { cat "$work/err"; fail "no \"$pattern\": report $*"; }
}

# looks_right PAGE: well formed, every section once, nothing of it from elsewhere.
looks_right() {
    xmllint --noout "$1" || fail "$1 is not well formed"
    for id in summary accuracy matrix forgetting training merges configuration environment; do
        [ "$(xmllint --xpath "count(//section[@id='$id']/h2)" "$1")" = 1 ] || fail "section $id"
    done
    outside=$(xmllint --xpath '//@src | //@srcset | //@href' "$1" |
        grep -Ev '^ *(src|srcset)="data:image/svg\+xml;base64,|^ *href="#[a-z]+"')
    [ -z "$outside" ] || fail "$1 refers to $outside"
    grep -Eq '<script|<link|@import|url\(' "$1" && fail "$1 loads something"
    [ "$(xmllint --xpath 'count(//img[not(string(@alt))])' "$1")" = 0 ] || fail "a picture without words"
}

# cell PAGE CAPTION ROW COLUMN: of the first table with that caption.
cell() {
    xmllint --xpath "string((//table[caption='$2'])[1]/tbody/tr[th[1]='$3']/td[$4])" "$1"
}

learn() { # NAME KEY=VALUE...
    train 1 "$@" train.lr=0.02 data.synthetic.train=20 data.synthetic.test=20 report.every_steps=2 ||
        { cat "$work/$1.err"; fail "training $1"; }
}
learn ties_seed1 merge.method=ties
learn ties_seed2 merge.method=ties run.seed=2
learn 'none <&" '\''$x' merge.method=none run.tasks=2 # names are text, whatever they hold
command -v gnuplot >/dev/null && drawn=yes || drawn=no

# ---- one run

report "$runs/ties_seed1" --output "$work/one"
page=$work/one/report.html
looks_right "$page"
caption="After the last finished task; mean ± standard deviation over seeds"
for module in online offline ensemble; do
    stored=$(h5dump -y -d "/metrics/$module/seen[2]" "$runs/ties_seed1/task_02.h5" |
        awk '/^ *[0-9.]+$/ { printf "%.2f\n", $1 }')
    shown=$(cell "$page" "$caption" $module 2)
    [ -n "$stored" ] && [ "$shown" = "$stored" ] || fail "$module: $shown shown, $stored stored"
done
kept=$(h5dump -m %.12g -a /merge/blocks/1/attn/adapter/down/weight/conflict "$runs/ties_seed1/task_02.h5" |
    awk '/\(0\)/ { print $2 }')
[ -n "$kept" ] || fail "no statistics in the file"
[ -n "$(cell "$page" "ties_seed1: the merge after task 2, by block" 1 3)" ] || fail "no row of block 1"
grep -q '<code>merge.method</code></th><td>ema</td><td>ties</td>' "$page" || fail "the configuration"
grep -q "<th scope=\"row\">np</th><td>1</td>" "$page" || fail "the environment"
report "$runs/ties_seed1" --output "$work/again"
cmp "$page" "$work/again/report.html" || fail "another page of the same run"
if [ $drawn = yes ]; then
    for name in accuracy forgetting loss training_accuracy matrix_online matrix_offline matrix_ensemble \
        merge_kept_online merge_norm_merged; do
        xmllint --noout "$work/one/figures/$name.svg" || fail "$name.svg"
        head -c 5 "$work/one/figures/$name.pdf" | grep -q '%PDF-' || fail "$name.pdf"
        cmp "$work/one/figures/$name.svg" "$work/again/figures/$name.svg" || fail "another $name.svg"
    done
    [ "$(xmllint --xpath 'count(//picture[source and img])' "$page")" -ge 10 ] || fail "too few figures"
    # The picture in the page is the file.
    xmllint --xpath 'string((//img)[1]/@src)' "$page" | sed 's/^data:image.svg+xml;base64,//' | base64 -d |
        cmp - "$work/one/figures/accuracy.svg" || fail "the picture is not the file"
    # A script draws its figure by itself.
    (cd "$work/again/figures" && rm accuracy.svg && gnuplot accuracy.gp) || fail "accuracy.gp"
    cmp "$work/one/figures/accuracy.svg" "$work/again/figures/accuracy.svg" || fail "accuracy.gp draws another"
    [ -z "$(find "$work/one" -name '.*')" ] || fail "something is left behind"
fi
echo "ok: one run"

# ---- several

report "$runs/ties_seed1" "$runs/ties_seed2" "$runs/none"* --output "$work/all.html"
looks_right "$work/all.html"
values=$(for seed in 1 2; do
    h5dump -y -m %.12g -d "/metrics/ensemble/seen[2]" "$runs/ties_seed$seed/task_02.h5"
done | awk '/^ *[0-9.]+$/ { print $1 }')
wanted=$(echo "$values" | awk '{ x[NR] = $1 } END { m = (x[1] + x[2]) / 2
    printf "%.2f ± %.2f", m, sqrt((x[1] - m)^2 + (x[2] - m)^2) }')
# A group is called by the keys in which it differs from the others.
shown=$(xmllint --xpath "string((//table)[1]/tbody/tr[th='merge.method=ties' and td[1]='ensemble']/td[3])" "$work/all.html")
[ "$shown" = "$wanted" ] || fail "mean and deviation: $shown shown, $wanted computed"
xmllint --xpath "string((//h1)[1])" "$work/all.html" | grep -qF "merge.method=ties (2 runs); merge.method=none" || fail "the heading"
[ "$(xmllint --xpath "string((//table[caption='Runs'])[1]/tbody/tr[3]/td[1])" "$work/all.html")" = merge.method=none ] ||
    fail "what a run is taken together as"
[ "$(xmllint --xpath "string((//table[caption='Runs'])[1]/tbody/tr[3]/th)" "$work/all.html")" = "none <&\" '\$x" ] || fail "a run's name"
xmllint --xpath "//tr[@class='differs']/th/code/text()" "$work/all.html" | grep -q "merge.method" || fail "what differs"
if [ $drawn = yes ]; then
    [ -s "$work/all_figures/accuracy_offline.svg" ] || fail "no figures beside the page"
    ls "$work/all_figures" | grep -qv '^[A-Za-z0-9_]*\.[a-z]*$' && fail "a file's name is not plain"
    # Without a module of its own a run is in none of that module's figures.
    grep -q "merge.method=none" "$work/all_figures/accuracy_online.svg" || fail "the run is not in the legend"
    grep -q "merge.method=none" "$work/all_figures/accuracy_offline.svg" && fail "a line of no module"
fi
(cd "$work" && report "$runs/ties_seed1" "$runs/ties_seed2") && [ -s "$work/report/report.html" ] || fail "the usual place"
echo "ok: several runs"

# TIES of a pair with one history never elects: a line, and no figure or column of zeros.
grep -q "<p>In no merge have the changes of online and offline opposite signs" "$page" || fail "no line about signs"
grep -q "Sign conflicts" "$page" && fail "conflicts that there are none of"
[ ! -e "$work/one/figures/merge_conflict.gp" ] || fail "a figure of zeros"

# One definition of loss and accuracy in training: the mean of an epoch, whatever report.every_steps.
report "$runs/none"* --output "$work/epochs"
grep '"event":"epoch"' "$runs/none"*/metrics.jsonl | sed -n 's/.*"task":\([0-9]*\),.*"loss":\([0-9.]*\),.*/\1 \2/p' >"$work/means"
sed -i '/"event":"steps"/d' "$runs/none"*/metrics.jsonl
report "$runs/none"* --output "$work/fewer"
for place in epochs fewer; do
    for task in 0 1; do
        wanted=$(awk -v task=$task '$1 == task { loss = $2 } END { printf "%.4f", loss }' "$work/means")
        shown=$(xmllint --xpath "string(//section[@id='training']//tbody/tr[th='$task']/td[1])" "$work/$place/report.html")
        [ "$shown" = "$wanted" ] || fail "$place, task $task: a loss of $shown, but the epoch's mean is $wanted"
    done
done
[ $drawn = no ] || [ -s "$work/fewer/figures/loss.svg" ] || fail "no curve without steps"

# ---- what is one experiment: a directory of runs, copies, other weights, images held out

mkdir "$work/many"
cp -r "$runs/ties_seed1" "$work/many/s1"
cp -r "$runs/ties_seed2" "$work/many/s2"
cp -r "$runs/ties_seed1" "$work/many/s10_is_s1"
mkdir "$work/many/notes"
ln -s s1 "$work/many/latest"
report "$work/many"
looks_right "$work/many/report/report.html"
grep -q "many holds 3 run(s): s1, s2, s10_is_s1; no runs, or links to others: latest, notes" "$work/err" ||
    { cat "$work/err"; fail "it does not say what the directory holds"; }
grep -q "warning: .*s10_is_s1 has the .* of .*/s1, and its numbers" "$work/err" || { cat "$work/err"; fail "a copy is not told"; }
[ "$(cell "$work/many/report/report.html" "$caption" ensemble 1)" = 2 ] || fail "a copy counts as a seed"
cell "$work/many/report/report.html" Runs s10_is_s1 1 | grep -q "not counted: the seed of s1" || fail "the page tells of no copy"
report "$work/many" --output "$work/again" # which now has a page, too
refused 2 "is the same run as" "$work/many" "$work/many/s1" --output "$work/refused"

learn one_order data.class_order=11,10,9,8,7,6,5,4,3,2,1,0 run.seed=2 merge.method=ties
report "$runs/ties_seed1" "$runs/one_order" --output "$work/apart"
xmllint --xpath "string((//h1)[1])" "$work/apart/report.html" | grep -qF "data.class_order=null; data.class_order=[11, 10, 9, ...]" ||
    fail "class orders in the heading"
report "$runs/ties_seed1" "$runs/one_order" --output "$work/over" --over run.seed,data.class_order
[ "$(cell "$work/over/report.html" "After the last finished task; mean ± standard deviation over run.seed, data.class_order" ensemble 1)" = 2 ] ||
    fail "no mean over seeds and orders"
refused 2 'there is no key "run.sed"' "$runs/ties_seed1" --over run.sed
refused 2 "run.root changes no result" "$runs/ties_seed1" --over run.root
refused 2 "names no key" "$runs/ties_seed1" --over ,

tiny_before=$tiny
tiny=$LAE_TEST_SOURCE/tests/reference/weights/timm-f16.safetensors
learn weights merge.method=ties run.seed=3
tiny=$tiny_before
report "$runs/ties_seed1" "$runs/ties_seed2" "$runs/weights" --output "$work/weights"
xmllint --xpath "string((//h1)[1])" "$work/weights/report.html" | grep -q "model.weights=[^ ]*:[0-9a-f]\{8\} (2 runs); model.weights=" ||
    fail "runs on other weights are seeds of one experiment"

learn held_out data.validation_share=0.2
report "$runs/held_out" --output "$work/held_out"
grep -q "Over the validation images of all classes" "$work/held_out/report.html" || fail "no word of validation"
grep -q "Over the test images" "$work/held_out/report.html" && fail "validation images are called test images"
grep -q "Over the test images" "$page" || fail "no word of the test images"
rm -r "$runs/one_order" "$runs/weights" "$runs/held_out"
echo "ok: what is one experiment"

# ---- a run whose first task is under way, and one whose second is

train 1 long train.epochs=60000 checkpoint.every_steps=5 report.every_steps=2 &
await 60 "a state inside a task is saved" test -s "$runs/long/resume.h5"
report "$runs/long" --output "$work/long"
looks_right "$work/long/report.html"
grep -q "none yet" "$work/long/report.html" || fail "a task that is not finished"
[ $drawn = no ] || [ -s "$work/long/figures/loss.svg" ] || fail "no curve of the run under way"
kill -TERM "$(cut -d' ' -f2 "$runs/long/lock")"
wait
rm -r "$runs/long"
mkdir "$work/part"
cp "$runs/ties_seed1/task_00.h5" "$runs/ties_seed1/config.yaml" "$work/part"
report "$work/part" # no metrics.jsonl; into the run's own directory
looks_right "$work/part/report/report.html"
grep -q "1 of 3" "$work/part/report/report.html" || fail "one finished task"
echo "ok: runs under way"

# ---- places

find "$runs" -type f -exec sha256sum {} + | sort >"$work/before"

refused 2 "there is no such directory" "$runs/nothing"
refused 2 "is the same run as" "$runs/ties_seed1" "$runs/../$(basename "$runs")/ties_seed1/"
refused 2 "is no directory" "$runs/ties_seed1/task_00.h5"
refused 2 "is not a run's directory" "$LAE_TEST_SOURCE/tests"
refused 2 "takes 1 argument\(s\) or more, 0 given"
refused 2 "takes no configuration" "$runs/ties_seed1" run.seed=1
refused 2 "is not a run's directory" "$runs/ties_seed1" "$work/one" --output "$work/refused"
refused 2 "in the way" "$runs/ties_seed1" --output "$page"/under
refused 2 "there is no directory" "$runs/ties_seed1" --output "$work/nowhere/a.html"
[ ! -e "$work/refused" ] || fail "a refused report was begun"
cp -r "$runs/ties_seed1" "$work/damaged"
for task in 0 1 2; do printf X | dd of="$work/damaged/task_0$task.h5" bs=1 seek=3000 conv=notrunc 2>/dev/null; done
refused 2 "no good task_NN.h5" "$work/damaged" --output "$work/refused"
find "$runs" -type f -exec sha256sum {} + | sort >"$work/after"
cmp "$work/before" "$work/after" || fail "reports changed the runs"
echo "ok: refusals"

# Without gnuplot the page has all of its numbers.
if [ $drawn = yes ]; then
    mkdir "$work/bin"
    for directory in /bin /usr/bin "$(dirname "$(command -v mpirun)")"; do
        find "$directory/" -maxdepth 1 ! -name 'gnuplot*' -exec ln -sf -t "$work/bin" {} + 2>/dev/null
    done
    PATH=$work/bin "$LAE_MPI" report "$runs/ties_seed1" --output "$work/bare" 2>"$work/err" ||
        { cat "$work/err"; fail "without gnuplot"; }
    grep -q "gnuplot is not installed" "$work/err" || fail "it does not say that gnuplot is missing"
    looks_right "$work/bare/report.html"
    [ "$(cell "$work/bare/report.html" "$caption" ensemble 2)" = "$(cell "$page" "$caption" ensemble 2)" ] ||
        fail "other numbers without gnuplot"
    [ -s "$work/bare/figures/accuracy.gp" ] || fail "no scripts without gnuplot"
    # A figure that gnuplot refuses is missed by itself, and said so.
    cat >"$work/bin/gnuplot" <<TEXT
#!/bin/sh
for script in forgetting.gp loss.gp; do
    sed -i 's/^plot/nonsense/' \$script
done
exec $(command -v gnuplot) "\$@"
TEXT
    chmod +x "$work/bin/gnuplot"
    PATH=$work/bin:$PATH "$LAE_MPI" report "$runs/ties_seed1" --output "$work/refusing" 2>"$work/err" ||
        { cat "$work/err"; fail "figures that gnuplot refuses"; }
    grep -q "2 of [0-9]* figures are not drawn.*forgetting: gnuplot ended.*invalid command" "$work/err" ||
        { cat "$work/err"; fail "it does not say which figure was refused, and why"; }
    looks_right "$work/refusing/report.html"
    [ "$(grep -c 'gp is not drawn: gnuplot' "$work/refusing/report.html")" -eq 2 ] || fail "the page tells of no refusal"
    for name in forgetting loss; do
        [ ! -e "$work/refusing/figures/$name.svg" ] || fail "$name.svg was refused"
    done
    for name in accuracy matrix_ensemble training_accuracy merge_norm_merged; do
        xmllint --noout "$work/refusing/figures/$name.svg" || fail "$name.svg is missed, too"
    done
    # One that fails at all of them is an error with its words.
    printf '#!/bin/sh\necho "it is broken" >&2\nexit 3\n' >"$work/bin/gnuplot"
    chmod +x "$work/bin/gnuplot"
    PATH=$work/bin refused 1 "gnuplot ended with status 3: it is broken" "$runs/ties_seed1" --output "$work/broken"
    [ ! -e "$work/broken/report.html" ] || fail "a page in spite of an error"
    echo "ok: without gnuplot"
fi

# A full disk, and a run that cannot be written.
if [ "$(id -u)" -eq 0 ] && mkdir "$work/full" && mount -t tmpfs -o size=64k none "$work/full" 2>/dev/null; then
    refused 1 "cannot be written|is the disk full|cannot be created|gnuplot ended" "$runs/ties_seed1" --output "$work/full/r"
    [ -z "$(find "$work/full" -name '.*' -o -name '*.html')" ] || { find "$work/full"; fail "something is left on the full disk"; }
    umount "$work/full"
    mkdir "$work/sealed"
    mount --bind "$runs/ties_seed1" "$work/sealed" && mount -o remount,ro,bind "$work/sealed" || fail "a read-only run"
    refused 2 "output DIR names another place" "$work/sealed"
    report "$work/sealed" --output "$work/elsewhere"
    umount "$work/sealed"
    [ -s "$work/elsewhere/report.html" ] || fail "no page of a read-only run"
    echo "ok: full disk, read-only run"
else
    echo "left out: a full disk, which needs the right to mount one"
fi
[ $drawn = yes ] || skip "no gnuplot: the page was checked without its figures"
exit 0
