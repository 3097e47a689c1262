#!/bin/sh
# data.dataset=folder: PNG files of CIFAR's images give what CIFAR's own files do, at any number of
# ranks and threads, decoded once or each time; a file that is no good ends the run with one message.
. "$(dirname "$0")/common.sh"
need mpirun h5diff h5ls h5dump

lae 1 synth "$work/binary" data.synthetic.classes=100 data.synthetic.train=3 data.synthetic.test=2 \
    2>"$work/synth.err" || { cat "$work/synth.err"; fail "synth"; }
"$LAE_MAKE_PICTURES" "$work/binary" "$work/lists" lists || fail "make_pictures"
"$LAE_MAKE_PICTURES" "$work/binary" "$work/folders" folders || fail "make_pictures"

# learn NP NAME DATASET PATH KEY=VALUE...
learn() {
    np=$1 name=$2 dataset=$3 path=$4
    shift 4
    train "$np" "$name" data.dataset="$dataset" data.path="$work/$path" data.classes_per_task=30 \
        run.tasks=2 train.lr=0.02 train.epochs=2 "$@"
}
good() {
    learn "$@" || { cat "$work/$2.err"; fail "training $2"; }
}

# The same images in the same order: nothing but the configuration's own text and names differ.
good 1 binary cifar100 binary
good 1 lists folder lists
for task in task_00.h5 task_01.h5; do
    alike --exclude-path /provenance --exclude-path /config --exclude-path /class_names \
        "$runs/binary/$task" "$runs/lists/$task" || fail "PNG and CIFAR's binary differ in $task"
done
grep -q "300 training and 200 test images, 100 classes" "$work/lists.err" || fail "counts"
grep -q "up to 32x32 pixels, decoded once for each host" "$work/lists.err" || fail "not once"
echo "ok: the bits of CIFAR's binary"

good 3 each folder lists compute.decode=each_time
good 2 once folder lists compute.decode=once compute.threads=2
grep -q "decoded each time" "$work/each.err" || fail "not each time"
for name in each once; do
    same lists $name task_01.h5
done
echo "ok: any number of ranks and threads, once and each time"

# Class folders are the same classes in another order of images: the same statistics of accuracy,
# computed again from the file alone.
good 2 folders folder folders
lae 1 evaluate "$runs/folders" >"$work/out" 2>"$work/err" || { cat "$work/err"; fail "evaluate"; }
grep -q "^the same as stored in the file$" "$work/out" || fail "evaluate: other numbers"
grep -q warning "$work/err" && { cat "$work/err"; fail "evaluate warns"; }
cp -r "$work/folders" "$work/moved"
cp "$work/moved/test/class_00/"*0.png "$work/moved/test/class_00/more.png"
lae 2 evaluate "$runs/folders" data.path="$work/moved" >"$work/out" 2>"$work/err" || fail "moved"
grep -q "other images than" "$work/err" || fail "other images are not noticed"
echo "ok: class folders"

# refused NP NAME PATH WORD KEY=VALUE...: exit 2 and one message that has WORD.
refused() {
    np=$1 name=$2 path=$3 word=$4
    shift 4
    learn "$np" "$name" folder "$path" "$@"
    code=$?
    [ $code -eq 2 ] || { cat "$work/$name.err"; fail "$name: exit $code"; }
    [ "$(grep -c "^lae_mpi: " "$work/$name.err")" -eq 1 ] || fail "$name: not one message"
    grep -q "$word" "$work/$name.err" || { cat "$work/$name.err"; fail "$name: no \"$word\""; }
}

cp -r "$work/lists" "$work/cut"
victim=$work/cut/png/train_00007.png
size=$(wc -c <"$work/lists/png/train_00007.png")
head -c $((size - 20)) "$work/lists/png/train_00007.png" >"$victim"
head -c $((size - 20)) "$work/lists/png/train_00007.png" >"$work/cut/png/train_00200.png"
# All that are no good are told of at once, before anything is learned, however images are decoded.
for np in 1 3; do
    for decode in once each_time; do
        name=cut$np$decode
        refused $np $name cut "^lae_mpi: 2 of .* images are no good" compute.decode=$decode
        grep -q "^  $victim: damaged PNG: cut short" "$work/$name.err" &&
            grep -q "^  .*train_00200.png: damaged PNG: cut short" "$work/$name.err" ||
            { cat "$work/$name.err"; fail "not both are named"; }
        [ -e "$runs/$name/task_00.h5" ] && fail "a task was learned"
        sed -n '/^lae_mpi: /,/^  .*00200/p' "$work/$name.err" >"$work/$name.said"
        cmp "$work/cut1once.said" "$work/$name.said" || fail "another message at $np ranks"
    done
done
cp "$work/lists/png/train_00200.png" "$work/cut/png/"
refused 1 one cut "^lae_mpi: $victim: damaged PNG: cut short" compute.decode=each_time
rm "$victim"
refused 2 gone cut "train_00007.png: cannot be opened"
echo "GIF89a" >"$victim"
refused 2 gif cut "train_00007.png: is neither PNG nor JPEG"
for i in $(seq 210 230); do echo "no image" >"$work/cut/png/train_00$i.png"; done
refused 2 many cut "^lae_mpi: 22 of .* images are no good"
[ "$(grep -c "is neither PNG" "$work/many.err")" -eq 10 ] && grep -q "^  and 12 more" "$work/many.err" ||
    { cat "$work/many.err"; fail "not the first ten"; }
for i in $(seq 210 230); do cp "$work/lists/png/train_00$i.png" "$work/cut/png/"; done
refused 2 nothing binary "holds neither train/CLASS/ and test/CLASS/ nor lists"
echo "ok: files that are no good"

# What is damaged after the first task is found before the second. Mended, as another image even, it
# is learned from; what was learned from before must be what it was.
cp "$work/lists/png/train_00007.png" "$work/cut/png/"
good 2 later folder cut run.tasks=1 compute.decode=each_time
cp "$runs/later/task_00.h5" "$work/before.h5"
head -c 1000 "$work/lists/png/test_00100.png" >"$work/cut/png/test_00100.png"
refused 2 later cut "test_00100.png: damaged PNG" run.tasks=2 compute.decode=each_time
cp "$work/lists/png/test_00101.png" "$work/cut/png/test_00100.png"
good 2 later folder cut run.tasks=2 compute.decode=each_time
grep -q "other images of tasks to come (from task 1 on" "$work/later.err" || fail "not told of"
h5dump -a /provenance/data_digests_before "$runs/later/task_01.h5" | grep -q "(until task 0)" ||
    fail "not recorded"
cp "$work/lists/png/test_00001.png" "$work/cut/png/test_00000.png"
refused 2 later cut "images of tasks that were learned already are among them"
cmp "$runs/later/task_00.h5" "$work/before.h5" || fail "the first task's file was touched"
echo "ok: images that change between two tasks"

lae 1 inspect "$runs/folders" --json "$work/inspect.json" >"$work/out" 2>"$work/err" || fail "inspect"
grep -q "its classes: class_30, class_31," "$work/out" || fail "inspect: no names of classes"
grep -A1 '"class_names": \[' "$work/inspect.json" | grep -q '"class_00"' || fail "inspect --json"

# predict on images that nobody has labelled: what predict gives for the same images as a dataset,
# without that dataset, at any number of ranks.
lae 1 predict "$runs/folders" "$work/all.h5" 2>"$work/err" || { cat "$work/err"; fail "predict"; }
mkdir "$work/elsewhere"
mv "$work/folders" "$work/elsewhere/"
for np in 1 3; do
    lae $np predict "$runs/folders" "$work/elsewhere/folders/test" --json "$work/$np.json" \
        >"$work/$np.txt" 2>"$work/err" || { cat "$work/err"; fail "predict images"; }
    grep -q warning "$work/err" && { cat "$work/err"; fail "predict images warns"; }
done
cmp "$work/1.json" "$work/3.json" && cmp "$work/1.txt" "$work/3.txt" || fail "ranks differ"
h5dump -y -w 1 -m %.9g -d /ensemble "$work/all.h5" | grep -oE '[0-9][0-9.e-]*,?$' | tr -d , |
    awk '{ if ($1 > most) most = $1; if (++n % 60 == 0) { printf "%.7g\n", most; most = 0 } }' \
        >"$work/wanted"
awk '/"file"/ { new = 1 } /"ensemble"/ && new { sub(",", "", $2); printf "%.7g\n", $2; new = 0 }' \
    "$work/1.json" >"$work/got"
[ "$(wc -l <"$work/got")" -eq 200 ] || fail "not 200 images in JSON"
cmp "$work/wanted" "$work/got" || fail "other scores than for the dataset"
# Every class's score by each scorer, in the order of the classes listed.
awk '/"scores"/ { inside = 1 } inside && /"ensemble": \[/ { list = 1; n = 0; next }
    list && /\]/ { list = 0; inside = 0; print n } list { n++ }' "$work/1.json" | sort | uniq -c >"$work/counts"
grep -qE "^ *200 60$" "$work/counts" || { cat "$work/counts"; fail "not the scores of all 60 classes of 200 images"; }
[ "$(awk '/"classes": \[/ { on = 1 } /"images": \[/ { on = 0 } on && /"label"/' "$work/1.json" | wc -l)" -eq 60 ] ||
    fail "not 60 classes listed"
[ "$(grep -c "/test/class_.*png$" "$work/1.txt")" -eq 200 ] || fail "not 200 images"
[ "$(grep -cE "^ +[0-9.]+ %  class_[0-9][0-9]$" "$work/1.txt")" -eq 1000 ] || fail "not five classes"
rm -r "$work/binary"
mkdir "$work/kinds"
cp "$LAE_TEST_SOURCE"/tests/unit/fixtures/images/*.[pj][np]g "$work/kinds"
lae 2 predict "$runs/binary" "$work/kinds" >"$work/txt" 2>"$work/err" || { cat "$work/err"; fail "predict PNG and JPEG of all kinds"; }
[ "$(grep -cE "(png|jpg)$" "$work/txt")" -eq 23 ] || fail "not all kinds of images"
grep -qE "^ +[0-9.]+ %  class_[0-9][0-9][0-9]$" "$work/txt" || fail "no names of CIFAR's classes"
lae 1 predict "$runs/binary" "$work/lists/png/test_00007.png" >"$work/one" 2>"$work/err" ||
    fail "predict one image"
[ "$(wc -l <"$work/one")" -eq 6 ] || fail "one image, other lines"

lae 1 predict "$runs/binary" "$work/lists/png/test_00007.png" --by online >"$work/by" \
    2>"$work/err" && grep -q "%" "$work/by" || fail "predict --by online"

# Of several images those that are no good are named in the end; of other kinds at the beginning.
mkdir "$work/some"
cp "$work/lists/png/test_00001.png" "$work/lists/png/test_00002.png" "$work/some"
head -c 300 "$work/lists/png/test_00003.png" >"$work/some/test_00003.png"
echo "GIF89a" >"$work/some/moving.gif"
for np in 1 2; do
    for decode in once each_time; do
        lae $np predict "$runs/binary" "$work/some" --json "$work/some.json" \
            compute.decode=$decode >"$work/some.txt" 2>"$work/err"
        code=$?
        [ $code -eq 2 ] || { cat "$work/err"; fail "a damaged one among others: exit $code"; }
        [ "$(grep -c "png$" "$work/some.txt")" -eq 2 ] && [ "$(grep -c '"file"' "$work/some.json")" -eq 2 ] ||
            fail "the others are not predicted"
        grep -q "^lae_mpi: .*test_00003.png: damaged PNG" "$work/err" || fail "the bad one is not named"
        grep -q "LEFT OUT: 1 .*: moving.gif" "$work/err" || { cat "$work/err"; fail "no word of the gif"; }
    done
done
rm "$work/some/test_00003.png"
lae 1 predict "$runs/binary" "$work/some" >"$work/some.txt" 2>"$work/err" || fail "beside a gif"
echo "ok: predict with images that are no good"

# not PLACE WORD ARGUMENTS...: predict refuses.
not() {
    place=$1 word=$2
    shift 2
    lae 2 predict "$runs/folders" "$place" "$@" >"$work/out" 2>"$work/err"
    [ $? -eq 2 ] || { cat "$work/err"; fail "predict $place: not exit 2"; }
    [ "$(grep -c "^lae_mpi: " "$work/err")" -eq 1 ] || fail "predict $place: not one message"
    grep -q "$word" "$work/err" || { cat "$work/err"; fail "predict $place: no \"$word\""; }
}
mkdir "$work/empty"
not "$work/empty" "no file in or below it ends in .png, .jpg or .jpeg"
not "$work/none.png" "none.png: cannot be opened"
head -c 300 "$work/lists/png/test_00003.png" >"$work/cut.png"
not "$work/cut.png" "cut.png: damaged PNG"
not "$work/lists/png" "of no split" --split test
not "$work/out.h5" "neither a folder nor" --json "$work/x.json"
not "$work/one.h5" "neither a folder nor" --by online
not "$work/lists/png" "no scores nothing; there are online, offline, ensemble" --by nothing
not "$work/lists/png" "is the checkpoint itself" --json "$runs/folders/task_01.h5"
echo "ok: images without labels"
exit 0
