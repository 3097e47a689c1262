#!/usr/bin/env python3
"""How long a run takes on machines that are not at hand, from one measurement of `lae_mpi bench --json`.

    tests/bench/predict.py bench.json [--nodes 8 --cores 64 ...]

The model. P = nodes x cores threads, one image on one thread at a time; t and f are the seconds of
processor time that a thread needs for an image in training and forward, measured with all cores busy.

    step        = ceil(B / P) t straggler + allreduce + optimiser; with f for t in epochs that train the
                  classifier alone
    straggler   = 1 + jitter sqrt(2 ln min(B, P)): how much the slowest of so many is expected to be late
    allreduce   = measured within a node + (nodes > 1) (2 log2(nodes) latency + 2 bytes / bandwidth)
    evaluation  = ceil(images seen / P) (f + branch f), as online and offline share what lies below the
                  first adapted block
    task        = epochs ceil(images / B) step + evaluation + merge + checkpoint
Class statistics, which cost a forward pass of the task's images, are not in it.

What it rests on: a core there is as fast as one here, and memory feeds them all: `traffic` says how many
GB a second the frozen weights alone take from a node's memory if no cache keeps them. jitter, latency and
bandwidth are assumptions, options of this script.
"""
import argparse
import json
import math

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("bench", help="what `lae_mpi bench --json` wrote")
parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4, 8])
parser.add_argument("--cores", type=int, default=64, help="of a node")
parser.add_argument("--batch", type=int, nargs="+", default=[24, 64, 512], help="images of a step")
parser.add_argument("--tasks", type=int, default=10)
parser.add_argument("--images", type=int, default=5000, help="training images of a task")
parser.add_argument("--test-images", type=int, default=1000, help="of a task")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--freeze-epochs", type=int, default=3, help="of each task but the first")
parser.add_argument("--branch", type=float, default=1.0,
                    help="share of the forward pass above the first adapted block's lower edge")
parser.add_argument("--checkpoint", type=float, default=0.1, help="seconds to write a task's file")
parser.add_argument("--jitter", type=float, default=0.02, help="relative deviation of an image's time")
parser.add_argument("--latency", type=float, default=3e-6, help="seconds of a message between nodes")
parser.add_argument("--bandwidth", type=float, default=10e9, help="bytes a second between nodes")
arguments = parser.parse_args()

with open(arguments.bench) as file:
    bench = json.load(file)
workers = bench["ranks"] * bench["threads"]
train, forward = (1.0 / bench[name]["images_per_cpu_s"] for name in ("train", "forward"))
seconds, payload = bench["seconds"], 1e6 * bench["allreduce_mb"]
weights_gb = 1e-3 * bench["memory"]["weights_mb"]


def allreduce(nodes):
    between = 2 * math.log2(nodes) * arguments.latency + 2 * payload / arguments.bandwidth if nodes > 1 else 0.0
    return seconds["allreduce"] + between


def step(nodes, batch, image):
    """Seconds of compute and of everything else, where a thread needs `image` seconds for one."""
    threads = nodes * arguments.cores
    late = 1.0 + arguments.jitter * math.sqrt(2.0 * math.log(max(2, min(batch, threads))))
    return math.ceil(batch / threads) * image * late, allreduce(nodes) + seconds["optimiser"]


print(f"measured: ViT-{bench['model']}, {bench['precision']}, {workers} threads, {train:.3f} s of a thread for an "
      f"image in training, {forward:.3f} s forward")
print(f"{'nodes':>5} {'cores':>6} {'batch':>6} {'compute':>9} {'allreduce':>10} {'images/s':>9} {'busy':>6} "
      f"{'training':>9} {'evaluation':>10} {'rest':>6} {'traffic':>9}")
for batch in arguments.batch:
    for nodes in arguments.nodes:
        threads = nodes * arguments.cores
        compute, talk = step(nodes, batch, train)
        whole, frozen = compute + talk, sum(step(nodes, batch, forward))
        still = arguments.freeze_epochs * (arguments.tasks - 1)
        steps = math.ceil(arguments.images / batch)
        learning = steps * ((arguments.tasks * arguments.epochs - still) * whole + still * frozen)
        seen = sum(math.ceil(arguments.test_images * (k + 1) / threads) for k in range(arguments.tasks))
        evaluating = seen * forward * (1.0 + arguments.branch)
        rest = arguments.tasks * (seconds["merge"] + arguments.checkpoint)
        busy = batch * train / (threads * whole)
        traffic = weights_gb * min(arguments.cores, batch / nodes) / train
        print(f"{nodes:5} {threads:6} {batch:6} {compute:7.3f} s {1e3 * talk:7.2f} ms {batch / whole:9.1f} "
              f"{100 * busy:4.0f} % {learning:7.0f} s {evaluating:8.1f} s {rest:4.1f} s {traffic:6.0f} GB/s")
