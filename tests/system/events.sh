#!/bin/sh
# What a run writes as it goes: metrics.jsonl and event files for TensorBoard, which a reader of its
# own checks. A run that is stopped, killed and resumed leaves the points of one that was not.
. "$(dirname "$0")/common.sh"
need mpirun awk h5dump sort

"$LAE_MPI" --version | grep -q "^protobuf-c  *[0-9]" || skip "event files are not built in"

# points NAME: what TensorBoard shows of a run, but for speeds.
points() {
    "$LAE_CHECK_EVENTS" "$runs/$1/events" >"$work/$1.all" 2>"$work/$1.read" ||
        { cat "$work/$1.read"; fail "the event files of $1"; }
    grep -v images_per_second "$work/$1.all" | sort >"$work/$1.points"
}

settings="merge.method=ties report.every_steps=2 train.epochs=4 eval.every=epoch"
train 2 whole $settings || { cat "$work/whole.err"; fail "training"; }
points whole
# 2 steps an epoch, 4 epochs, 3 tasks: 12 points of each curve; evaluations after each epoch.
[ "$(grep -c '^train/loss ' "$work/whole.points")" -eq 12 ] || fail "points of the loss"
[ "$(grep -c '^accuracy/ensemble ' "$work/whole.points")" -eq 12 ] || fail "points of the accuracy"
[ "$(grep -c '^accuracy_task_02/online ' "$work/whole.points")" -eq 4 ] || fail "points of task 2"
[ "$(grep -c '^merge_conflict/block_1 ' "$work/whole.points")" -eq 2 ] || fail "points of merges"
[ "$(grep -c '"event":"steps"' "$runs/whole/metrics.jsonl")" -eq 12 ] || fail "lines of steps"

# The numbers are those of metrics.jsonl and of the checkpoint.
sed -n 's/.*"event":"steps".*"run_step":\([0-9]*\).*"loss":\([0-9.e-]*\),.*/\1 \2/p' \
    "$runs/whole/metrics.jsonl" >"$work/lines"
awk '$1 == "train/loss" { print $2, $3 }' "$work/whole.all" |
    paste -d' ' "$work/lines" - | awk '$1 != $3 || ($2 - $4)^2 > 1e-12 { bad = 1 }
        END { exit bad || NR != 12 }' || { cat "$work/lines"; fail "the losses of both"; }
for module in online offline ensemble; do
    stored=$(h5dump -y -d "/metrics/$module/seen[2]" "$runs/whole/task_02.h5" |
        awk '/^ *[0-9.]+$/ { print $1 }')
    awk -v tag="accuracy/$module" -v stored="$stored" '$1 == tag { last = $3; step = $2 }
        END { exit !(stored != "" && step == 23 && (last - stored)^2 < 1e-6) }' "$work/whole.all" ||
        fail "the accuracy of $module is not the stored $stored"
done
echo "ok: a whole run"

# Stopped after every task.
for tasks in 1 2 0; do train 1 parts $settings run.tasks=$tasks || fail "training in parts"; done
points parts
cmp "$work/whole.points" "$work/parts.points" || fail "another picture after going on twice"
[ "$(ls "$runs/parts/events" | wc -l)" -eq 3 ] || fail "not one file for each start"

# kill_inside NAME: waits for the second task's steps from 30 on, of 200, and kills the run's only rank.
kill_inside() {
    await 120 "$1 comes to its second task" grep -qs '"task":1,.*"step":3[0-9],' "$runs/$1/metrics.jsonl"
    kill -KILL "$(ranks_of "$1")" || fail "$1: over before it was killed"
    wait
    state=$runs/$1/resume.h5
    [ -s "$state" ] || state=$runs/$1/resume-previous.h5 # killed between two renamings
    [ -s "$state" ] || fail "$1: no state inside a task was saved"
}

# Killed inside a task, with a record and a line cut short: what was not kept is computed again. An
# evaluation at the end of an epoch may be there twice, with the same values.
train 1 killed $settings train.epochs=100 checkpoint.every_steps=3 &
kill_inside killed
printf '\050\000\000\000\000\000\000\000\001\002' >>"$runs/killed/events/events.out.tfevents.000000.lae_mpi"
printf '{"event":"steps","ta' >>"$runs/killed/metrics.jsonl"
train 2 killed $settings train.epochs=100 || { cat "$work/killed.err"; fail "going on"; }
train 2 straight $settings train.epochs=100 || fail "training at once"
points killed
grep -q "cut short" "$work/killed.read" || fail "the record that was cut short is not told"
points straight
grep -v '^train/' "$work/straight.points" >"$work/a"
grep -v '^train/' "$work/killed.points" | sort -u >"$work/b"
cmp "$work/a" "$work/b" || fail "another picture after a kill"
# Steps taken together end where they did; the first after the kill may hold fewer.
cut -d' ' -f1,2 "$work/straight.points" | sort -u >"$work/a"
cut -d' ' -f1,2 "$work/killed.points" | sort -u >"$work/b"
cmp "$work/a" "$work/b" || fail "other steps after a kill"
[ "$(grep -c '"ta$' "$runs/killed/metrics.jsonl")" -eq 1 ] || fail "a line was joined to a cut one"

# Killed where the state was saved at the end of an epoch: its evaluation, which may have been made
# or not, is made again.
train 1 owed $settings train.epochs=100 checkpoint.every_steps=2 &
kill_inside owed
epoch=$(h5dump -a /resume/epoch "$state" | sed -n 's/.*(0): //p')
lines=$(grep -c . "$runs/owed/metrics.jsonl")
train 2 owed $settings train.epochs=100 || { cat "$work/owed.err"; fail "going on"; }
tail -n +$((lines + 1)) "$runs/owed/metrics.jsonl" | grep '"event":"evaluation"' | head -n 1 |
    grep -q "\"epoch\":$((epoch - 1))," || fail "the evaluation after epoch $((epoch - 1)) is lost"
points owed
grep '^accuracy' "$work/straight.points" >"$work/a"
grep '^accuracy' "$work/owed.points" | sort -u >"$work/b"
cmp "$work/a" "$work/b" || fail "other evaluations after a kill at the end of an epoch"
echo "ok: parts, and kills"

# A byte in the middle is found.
cp -r "$runs/whole/events" "$work/damaged"
printf X | dd of="$work/damaged/events.out.tfevents.000000.lae_mpi" bs=1 seek=300 conv=notrunc 2>/dev/null
"$LAE_CHECK_EVENTS" "$work/damaged" >/dev/null 2>&1 && fail "the checker does not see damage"

train 1 epochs report.every_steps=0 || fail "training without steps"
points epochs
grep -q '^train/' "$work/epochs.points" && fail "steps that nobody asked for"
grep -q '"event":"steps"' "$runs/epochs/metrics.jsonl" && fail "lines that nobody asked for"
grep -q '"event":"epoch"' "$runs/epochs/metrics.jsonl" || fail "no lines of epochs"
exit 0
