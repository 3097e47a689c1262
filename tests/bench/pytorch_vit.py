#!/usr/bin/env python3
"""Images a second of the bench's work in PyTorch: a Vision Transformer with random weights and an
adapter beside attention in blocks 0 to 4, forward and a training step.

Processes of one thread each share the batch, as ranks do; they begin together and the slowest counts.
By processor time ("cpu"), that of all processes counts. bf16 is torch.autocast's. Prints one JSON object.
"""
import argparse
import json
import multiprocessing
import os
import statistics
import time

MODELS = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}


def build(torch, width, depth, heads, adapted, hidden=5):
    """The model as a function of (images [B, 3, 224, 224]); and its trainable parameters."""
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, adapter):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
            for parameter in self.parameters():
                parameter.requires_grad_(False)
            self.adapter = None
            if adapter:
                self.adapter = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

        def forward(self, x, rows):
            batch, tokens, _ = x.shape
            h = self.norm1(x)
            q, k, v = self.qkv(h).view(batch, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            q = q[:, :, :rows]
            weights = (q @ k.transpose(-2, -1) * (width // heads) ** -0.5).softmax(-1)
            attended = self.proj((weights @ v).transpose(1, 2).reshape(batch, rows, width))
            x = x[:, :rows] + attended
            if self.adapter is not None:
                x = x + self.adapter(h[:, :rows])
            return x + self.fc2(functional.gelu(self.fc1(self.norm2(x))))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(3, width, 16, 16)
            self.first, self.places = nn.Parameter(torch.zeros(1, 1, width)), nn.Parameter(torch.zeros(1, 197, width))
            for parameter in self.parameters():
                parameter.requires_grad_(False)
            self.blocks = nn.ModuleList(Block(i in adapted) for i in range(depth))
            self.norm = nn.LayerNorm(width, 1e-6).requires_grad_(False)
            self.head = nn.Linear(width, 10)

        def forward(self, images):
            x = self.patches(images).flatten(2).transpose(1, 2)
            x = torch.cat([self.first.expand(len(x), -1, -1), x], 1) + self.places
            for i, block in enumerate(self.blocks):
                x = block(x, 1 if i + 1 == depth else 197)
            return self.head(self.norm(x)[:, 0])

    return Model()


def work(arguments, batch, barrier, results):
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    width, depth, heads = MODELS[arguments.model]
    model = build(torch, width, depth, heads, range(5))
    images, labels = torch.randn(batch, 3, 224, 224), torch.zeros(batch, dtype=torch.long)
    learns = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learns, 1e-3)
    context = torch.autocast("cpu", torch.bfloat16, enabled=arguments.precision == "bf16")

    def forward():
        with torch.no_grad(), context:
            model(images)

    def train():
        optimiser.zero_grad()
        with context:
            loss = torch.nn.functional.cross_entropy(model(images).float(), labels)
        loss.backward()
        optimiser.step()

    times, spent = {}, {}
    for name, step in ("forward", forward), ("train", train):
        step()
        times[name], spent[name] = [], []
        for _ in range(arguments.repeats):
            barrier.wait()
            began, used = time.monotonic(), time.process_time()
            step()
            times[name].append(time.monotonic() - began)
            spent[name].append(time.process_time() - used)
    results.put((times, spent))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=MODELS, default="base")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(arguments.processes), context.Queue()
    shares = [len(range(i, arguments.batch, arguments.processes)) for i in range(arguments.processes)]
    processes = [context.Process(target=work, args=(arguments, share, barrier, results)) for share in shares]
    for process in processes:
        process.start()
    measured = [results.get() for _ in processes]
    for process in processes:
        process.join()
    rates = {}
    for name in "forward", "train":
        slowest = [max(each) for each in zip(*(times[name] for times, _ in measured))]
        together = [sum(each) for each in zip(*(spent[name] for _, spent in measured))]
        rates[name] = {
            "images_per_s": arguments.batch / statistics.median(slowest),
            "images_per_cpu_s": arguments.batch / statistics.median(together),
        }
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
