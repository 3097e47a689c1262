#!/usr/bin/env python3
"""Checks of the reference itself: against finite differences, torch's own parts, plain loops and hand-worked numbers.

Usage: check_reference.py        (the fixtures must have been made; a few seconds)
"""
import json
import math
import os
import unittest
import zipfile
from collections import OrderedDict

import h5py
import numpy as np
import torch

import lae_reference as lae
import make_follow
import make_gradients
import make_ties

HERE = os.path.dirname(os.path.abspath(__file__))


def erf(x):
    return np.vectorize(math.erf)(x)


def google_feature(w, image, eps):
    """A ViT's class-token feature straight from Google's arrays, in numpy, with none of the reference's code."""
    def norm(name, x):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w[name + "/scale"] + w[name + "/bias"]

    kernel = w["embedding/kernel"]
    p = kernel.shape[0]
    rows = [np.einsum("cij,ijcd->d", image[:, y:y + p, x:x + p], kernel) + w["embedding/bias"]
            for y in range(0, image.shape[1], p) for x in range(0, image.shape[2], p)]
    x = np.stack([w["cls"][0, 0]] + rows) + w["Transformer/posembed_input/pos_embedding"][0]
    for i in range(sum(name.endswith("LayerNorm_0/scale") for name in w)):
        block = f"Transformer/encoderblock_{i}/"
        at = block + "MultiHeadDotProductAttention_1/"
        h = norm(block + "LayerNorm_0", x)
        q, k, v = (np.einsum("nd,dhe->hne", h, w[at + s + "/kernel"]) + w[at + s + "/bias"][:, None] for s in
                   ("query", "key", "value"))
        a = np.exp(np.einsum("hne,hme->hnm", q, k) / math.sqrt(q.shape[2]))
        a /= a.sum(-1, keepdims=True)
        x = x + np.einsum("hnm,hme,hed->nd", a, v, w[at + "out/kernel"]) + w[at + "out/bias"]
        h = norm(block + "LayerNorm_2", x) @ w[block + "MlpBlock_3/Dense_0/kernel"] + w[block + "MlpBlock_3/Dense_0/bias"]
        h = h * 0.5 * (1 + erf(h / math.sqrt(2)))
        x = x + h @ w[block + "MlpBlock_3/Dense_1/kernel"] + w[block + "MlpBlock_3/Dense_1/bias"]
    return norm("Transformer/encoder_norm", x)[0]


def random_params(config, dim, seed):
    """PET parameters of float64 with nothing zero."""
    rng = np.random.default_rng(seed)
    return OrderedDict((name, torch.from_numpy(np.asarray(rng.normal(0.5, 1.0, shape)))) for name, shape in
                       lae.pet_shapes(config, dim))


class Gradients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vit, cls.tensors, cls.inputs, cls.cases = make_gradients.build()

    def test_finite_differences(self):
        rng, step, worst = np.random.default_rng(3), 1e-5, 0.0
        for name, (_, _, case) in self.cases.items():
            leaves = dict(case["params"], **{"head/weight": case["weight"].clone(), "head/bias": case["bias"].clone()})

            def loss():
                feature = self.vit.features(case["image"][None], case["config"], leaves)
                logits = feature[0] @ leaves["head/weight"].T + leaves["head/bias"]
                return float(torch.logsumexp(logits, 0) - logits[case["label"]])

            for leaf in leaves:
                flat, gradient = leaves[leaf].reshape(-1), case["grads"][leaf].reshape(-1)
                for i in rng.choice(len(flat), min(2, len(flat)), replace=False):
                    kept = float(flat[i])
                    flat[i] = kept + step
                    above = loss()
                    flat[i] = kept - step
                    below = loss()
                    flat[i] = kept
                    error = abs((above - below) / (2 * step) - float(gradient[i])) / (1e-3 + abs(float(gradient[i])))
                    worst = max(worst, error)
                    self.assertLess(error, 1e-5, (name, leaf, i))
        print(f"finite differences: worst relative error {worst:.1e}")

    def test_file_alone(self):
        """The file's inputs give the file's expected values, in float64 and closely in float32."""
        worst = 0.0
        with h5py.File(os.path.join(HERE, "gradients.h5"), "r") as file:
            backbone = {}
            file["backbone"].visititems(lambda n, d: backbone.update({n.replace("/", "."): d[()]})
                                        if isinstance(d, h5py.Dataset) else None)
            self.assertTrue(all(value.dtype == np.float32 for value in backbone.values()))
            self.assertEqual(len(file["cases"]), 27)
            for dtype, tolerance in ((torch.float64, 1e-11), (torch.float32, 1e-3)):
                vit = lae.ViT(backbone, int(file.attrs["heads"]), float(file.attrs["layer_norm_eps"]), dtype=dtype)
                for case in file["cases"].values():
                    sizes = {name: int(case.attrs[name]) for name in ("hidden", "kernel", "rank", "length")}
                    config = lae.PetConfig(tuple(case.attrs["blocks"]), lae.Pet(case.attrs["attn_type"].decode(), **sizes),
                                           lae.Pet(case.attrs["mlp_type"].decode(), **sizes))
                    read = lambda path: torch.from_numpy(np.array(case[path])).to(dtype)
                    params = OrderedDict((name, read("pet/" + name)) for name, _ in lae.pet_shapes(config, vit.dim))
                    head = {name: read("head/" + name) for name in ("weight", "bias")}
                    loss, grads = lae.loss_and_gradients(vit, config, params, head, read("image")[None],
                                                         torch.tensor([int(case.attrs["label"])]))
                    self.assertLess(abs(loss - case["loss"][()]), tolerance)
                    feature = vit.features(read("image")[None], config, params)[0]
                    self.assertLess(float((feature - torch.from_numpy(case["feature"][()])).abs().max()), tolerance)
                    for name, gradient in grads.items():
                        expected = torch.from_numpy(np.array(case["gradient/" + name]))
                        error = float((gradient - expected).norm() / expected.norm())
                        self.assertLess(error, tolerance, name)
                        if dtype == torch.float32:
                            worst = max(worst, error)
        print(f"gradients in float32: worst relative error of a tensor {worst:.1e}")

    def test_off_centre_taps_of_the_last_block_are_exactly_zero(self):
        """Only its class token reaches the feature, and the convolution sees that as a 1x1 image."""
        grads = self.cases["conv_adapter-none-all"][2]["grads"]
        taps = grads["blocks/2/attn/conv_adapter/conv/weight"].clone()
        taps[:, :, 1, 1] = 0
        self.assertEqual(int((taps != 0).sum()), 0)
        for name, (_, _, case) in self.cases.items():
            for leaf, gradient in case["grads"].items():
                if "blocks/2" not in leaf or "conv/weight" not in leaf:
                    self.assertTrue(bool((gradient != 0).all()), (name, leaf))


class Modules(unittest.TestCase):
    def setUp(self):
        self.vit, _, inputs, _ = make_gradients.build()
        self.image = inputs[0][0][None]

    def test_start_as_identity(self):
        plain = self.vit.features(self.image)
        for attn, mlp in (("adapter", "adapter"), ("conv_adapter", "conv_adapter"), ("lora", "none"), ("lora", "adapter")):
            config = lae.PetConfig((0, 1, 2), lae.Pet(attn), lae.Pet(mlp))
            params = lae.initial_pet(config, self.vit.dim, torch.Generator().manual_seed(1), torch.float64)
            self.assertTrue(torch.equal(self.vit.features(self.image, config, params), plain), attn)
        config = lae.PetConfig((0,), lae.Pet("prefix"))
        params = lae.initial_pet(config, self.vit.dim, torch.Generator().manual_seed(1), torch.float64)
        self.assertFalse(torch.allclose(self.vit.features(self.image, config, params), plain))

    def test_initial_values(self):
        config = lae.PetConfig((0,), lae.Pet("conv_adapter"), lae.Pet("adapter"))
        p = lae.initial_pet(config, 192, torch.Generator().manual_seed(1))
        at = "blocks/0/attn/conv_adapter/"
        h = p[at + "down/weight"]
        self.assertTrue(torch.equal(torch.nn.functional.conv2d(torch.arange(72.0).reshape(1, 8, 3, 3), p[at + "conv/weight"],
                                                               padding=1), torch.arange(72.0).reshape(1, 8, 3, 3)))
        bound = math.sqrt(6 / 200)
        self.assertTrue(0.98 * bound < float(h.abs().max()) <= bound)
        down = p["blocks/0/mlp/adapter/down/weight"]
        self.assertTrue(0.98 / math.sqrt(192) < float(down.abs().max()) <= 1 / math.sqrt(192))
        self.assertEqual(tuple(down.shape), (5, 192))
        self.assertEqual([n.split("adapter/")[1] for n in p if n.startswith(at)],
                         ["down/weight", "down/bias", "up/weight", "up/bias", "scale", "conv/weight", "conv/bias"])

    def test_conv_adapter_by_loops(self):
        config = lae.PetConfig((0,), lae.Pet("conv_adapter", hidden=2, kernel=3))
        params = random_params(config, 6, 1)
        p = lambda name: params["blocks/0/attn/conv_adapter/" + name].numpy()
        x = np.random.default_rng(2).normal(size=(10, 6))
        act = lambda v: v / (1 + np.exp(-1.702 * v))
        h = act(x @ p("down/weight").T + p("down/bias"))
        out = np.empty_like(h)
        out[0] = p("conv/weight")[:, :, 1, 1] @ h[0]
        for r in range(3):
            for c in range(3):
                out[1 + 3 * r + c] = sum(p("conv/weight")[:, :, i, j] @ h[1 + 3 * (r + i - 1) + c + j - 1]
                                         for i in range(3) for j in range(3) if 0 <= r + i - 1 < 3 and 0 <= c + j - 1 < 3)
        expected = p("scale") * (act(out + p("conv/bias")) @ p("up/weight").T + p("up/bias"))
        got = lae.conv_adapter(lambda name: params["blocks/0/attn/conv_adapter/" + name], torch.from_numpy(x)[None])
        np.testing.assert_allclose(got[0].numpy(), expected, rtol=1e-12)

    def attention_by_loops(self, pet, params):
        """The attention of block 0 head by head and query by query, with the prefix rows simply put last."""
        w, dim, heads = self.vit.w, self.vit.dim, self.vit.heads
        h = np.random.default_rng(4).normal(size=(5, dim))
        p = lambda name: params[f"blocks/0/attn/{pet.type}/{name}"].numpy()
        qkv = h @ w["blocks.0.attn.qkv.weight"].numpy().T + w["blocks.0.attn.qkv.bias"].numpy()
        q, k, v = np.split(qkv, 3, axis=1)
        if pet.type == "lora":
            k = k + p("key/scale") * (h @ p("key/A").T @ p("key/B").T)
            v = v + p("value/scale") * (h @ p("value/A").T @ p("value/B").T)
        size, out = dim // heads, np.zeros((5, dim))
        for head in range(heads):
            cut = slice(head * size, (head + 1) * size)
            keys, values = k[:, cut], v[:, cut]
            if pet.type == "prefix":
                keys = np.concatenate([keys, p("key/scale") * p("key/tokens")[:, cut]])
                values = np.concatenate([values, p("value/scale") * p("value/tokens")[:, cut]])
            for i in range(5):
                a = np.exp(keys @ q[i, cut] / math.sqrt(size))
                a /= a.sum()
                if pet.type == "prefix":
                    a[5:] /= a[5:].sum()
                out[i, cut] = a @ values
        expected = out @ w["blocks.0.attn.proj.weight"].numpy().T + w["blocks.0.attn.proj.bias"].numpy()
        got = self.vit.attention(0, torch.from_numpy(h)[None], pet, lambda n: params[f"blocks/0/attn/{pet.type}/{n}"])
        np.testing.assert_allclose(got[0].numpy(), expected, rtol=1e-10, atol=1e-12)

    def test_lora_and_prefix_by_loops(self):
        for pet in (lae.Pet("lora", rank=2), lae.Pet("prefix", length=3)):
            self.attention_by_loops(pet, random_params(lae.PetConfig((0,), pet), self.vit.dim, 5))


class Learning(unittest.TestCase):
    def test_adam_and_clip_against_torch(self):
        rng = np.random.default_rng(1)
        ours = {"a": torch.from_numpy(rng.normal(size=(3, 4))), "b": torch.from_numpy(rng.normal(size=5))}
        theirs = {name: value.clone().requires_grad_() for name, value in ours.items()}
        torch_adam = torch.optim.Adam(theirs.values(), lr=0.01, weight_decay=0.1)
        adam = lae.Adam(0.01, weight_decay=0.1)
        for step in range(20):
            grads = {name: torch.from_numpy(rng.normal(size=tuple(value.shape))) for name, value in ours.items()}
            for name in theirs:
                theirs[name].grad = grads[name].clone()
            torch.nn.utils.clip_grad_norm_(theirs.values(), 1.5)
            torch_adam.step()
            adam.step(ours, lae.clip_gradients(grads, 1.5))
        for name in ours:
            self.assertTrue(torch.allclose(ours[name], theirs[name].detach(), rtol=1e-10, atol=1e-12))

    def test_schedules_and_batches(self):
        self.assertEqual([lae.scheduled_lr("linear", 4.0, s, 4) for s in range(4)], [4, 3, 2, 1])
        self.assertAlmostEqual(lae.scheduled_lr("cosine", 4.0, 2, 4), 2)
        self.assertEqual([len(b) for b in lae.epoch_batches(10, 4, True)], [4, 4])
        self.assertEqual([len(b) for b in lae.epoch_batches(10, 4, False)], [4, 4, 2])
        self.assertEqual([len(b) for b in lae.epoch_batches(3, 4, True)], [3])
        self.assertEqual([list(t) for t in lae.split_tasks(7, 3, 2)], [[0, 1, 2], [3, 4], [5, 6]])
        self.assertEqual([len(t) for t in lae.split_tasks(100, 0, 30)], [30, 30, 30, 10])
        self.assertEqual(list(lae.output_indices([5, 2, 9], [9, 5, 2])), [1, 2, 0])

    def run_task(self, merge, task, epochs, freeze, batch=2):
        vit, _, inputs, _ = make_gradients.build()
        config = lae.PetConfig((0, 1), lae.Pet("adapter", hidden=2), lae.Pet("adapter", hidden=2))
        online = random_params(config, vit.dim, 8)
        before, offline = lae.copy_params(online), lae.copy_params(online)
        head = dict(weight=torch.from_numpy(np.random.default_rng(1).normal(size=(3, vit.dim))), bias=torch.zeros(3).double())
        images = torch.stack([each[0] for each in inputs])
        lae.train_task(vit, config, lae.Train(epochs, freeze, batch, lr=0.01, drop_last=False), merge, task, online, offline,
                       head, lambda i: images[i], torch.tensor([0, 2, 1]))
        return before, online, offline

    def test_freeze_epochs(self):
        before, online, _ = self.run_task(lae.Merge("none"), 1, 2, 2)
        self.assertTrue(all(torch.equal(before[n], online[n]) for n in before))
        before, online, _ = self.run_task(lae.Merge("none"), 0, 2, 2)
        self.assertFalse(any(torch.equal(before[n], online[n]) for n in before))
        # Two frozen steps, then one of the PET: a step count that starts at the thaw moves every entry by lr, short
        # only of eps/|g|; one that counted the frozen steps would move it by 0.64 lr.
        before, online, _ = self.run_task(lae.Merge("none"), 1, 3, 2, batch=3)
        for name in before:
            np.testing.assert_allclose((online[name] - before[name]).abs().numpy(), 0.01, rtol=0.01)

    def test_ema_every_step_frozen_ones_too(self):
        before, online, offline = self.run_task(lae.Merge("ema", decay=0.5), 1, 1, 0)
        mid = self.run_task(lae.Merge("ema", decay=0.0), 1, 1, 0)[2]
        name = "blocks/0/attn/adapter/scale"
        self.assertEqual(float(mid[name]), float(online[name]))
        _, still, same = self.run_task(lae.Merge("ema", decay=0.5), 1, 1, 5)
        self.assertTrue(all(torch.equal(still[n], same[n]) for n in same))
        self.assertNotEqual(float(offline[name]), float(online[name]))

    def test_merges_by_hand(self):
        one = lambda *v: OrderedDict(a=torch.tensor(v, dtype=torch.float64))
        options = lae.Merge("mean")
        self.assertEqual(lae.merge_after_task(options, 2, None, one(3.0), one(6.0))["a"].tolist(), [4.0])
        self.assertEqual(lae.merge_after_task(options, 0, None, None, one(6.0))["a"].tolist(), [6.0])
        self.assertIsNone(lae.merge_after_task(lae.Merge("none"), 1, None, None, one(6.0)))
        # base 1: v_offline = (4, -2, 1, 0), v_online = (-1, -4, 1, 3); half kept: (4, -2, 0, 0), (0, -4, 0, 3)
        merged = lae.merge_after_task(lae.Merge("ties", density=0.5), 1, one(1, 1, 1, 1), one(5, -1, 2, 1), one(0, -3, 2, 4))
        self.assertEqual(merged["a"].tolist(), [5, -2, 1, 4])

    def test_ties_file(self):
        with open(os.path.join(HERE, "ties.json")) as file:
            cases = json.load(file)["cases"]
        for case in cases:
            make_ties.check_arrays(case)
        self.assertGreater(len(cases), 50)


class Metrics(unittest.TestCase):
    def test_by_hand(self):
        tasks = [range(0, 2), range(2, 4)]
        labels = np.array([0, 1, 2, 3])
        scores = np.array([[.4, .1, .5, 0], [.1, .7, .2, 0], [0, .5, .5, 0], [.25, .25, .25, .25]])
        every, local, seen = lae.task_accuracies(scores, labels, tasks)
        self.assertEqual((every, local, seen), ([50.0, 0.0], [100.0, 50.0], 25.0))
        m = lae.Metrics(["online"], 3)
        m.of["online"]["accuracy"][:] = [[90, math.nan, math.nan], [70, 80, math.nan], [75, 60, 50]]
        m.of["online"]["seen"][:] = [90, 75, 60]
        s = m.summary("online", 3)
        self.assertEqual((s["last_accuracy"], s["average_incremental_accuracy"], s["forgetting"], s["backward_transfer"]),
                         (60, 75, (15 + 20) / 2, (-15 - 20) / 2))


class Comparing(unittest.TestCase):
    def test_relative(self):
        start, reference = {"a": np.zeros(1000), "b": np.zeros(2)}, {"a": np.ones(1000), "b": np.ones(2)}
        run = {name: value.copy() for name, value in reference.items()}
        names, close = ["a", "b"], make_follow.relative
        self.assertEqual(close(run, reference, start, names), 0)
        run["a"][7] = 2
        self.assertAlmostEqual(close(run, reference, start, names), 1 / math.sqrt(1002))
        self.assertEqual(close(run, reference, start, names, 0.002), 0)
        run["b"][0] = 2  # two entries: none is left out
        self.assertGreater(close(run, reference, start, names, 0.002), 0.03)
        run["a"][7] = math.nan
        self.assertTrue(math.isnan(close(run, reference, start, names)))
        self.assertTrue(math.isnan(close(run, reference, start, names, 0.002)))
        self.assertTrue(math.isnan(close({}, reference, start, names)))
        self.assertEqual(close(start, start, start, names), 0)
        self.assertEqual(close(reference, start, start, names), math.inf)

    def test_report(self):
        report = make_follow.Report()
        for value in (0.0, 1e-3, 2e-3, math.nan, math.inf):
            report.line("(a line of the test of the report)", value, 1e-3)
        self.assertEqual(report.failed, 3)


class Weights(unittest.TestCase):
    def setUp(self):
        self.at = lambda name: os.path.join(HERE, "weights", name)
        with h5py.File(self.at("expected.h5"), "r") as file:
            self.tensors = {}
            file["tensors"].visititems(lambda n, d: self.tensors.update({n.replace("/", "."): d[()]})
                                       if isinstance(d, h5py.Dataset) else None)
            self.expected = {name: file[name][()] for name in ("image", "feature", "feature_transformers")}
            self.grids = {int(name): value[()] for name, value in file["pos_embed_resized"].items()}

    def test_timm_and_own(self):
        for kind in ("f32", "f16", "bf16"):
            read = lae.read_safetensors(self.at(f"timm-{kind}.safetensors"))
            for name, value in self.tensors.items():
                self.assertTrue(np.array_equal(read[name], value) and read[name].dtype == np.float32, name)
        with h5py.File(self.at("own.h5"), "r") as file:
            for name, value in self.tensors.items():
                self.assertTrue(np.array_equal(file[name.replace(".", "/")][()], value))

    def test_google_by_its_own_layout(self):
        for name, prefix in (("google.npz", ""), ("google-prefix.npz", "opt/target/")):
            with zipfile.ZipFile(self.at(name)) as archive:
                self.assertIsNone(archive.testzip())
            with np.load(self.at(name)) as file:
                w = {key[len(prefix):]: file[key].astype(np.float64) for key in file.files}
            for key, eps in (("feature", 1e-6), ("feature_transformers", 1e-12)):
                got = google_feature(w, self.expected["image"].astype(np.float64), eps)
                np.testing.assert_allclose(got, self.expected[key], rtol=1e-9, atol=1e-11)

    def test_transformers(self):
        for name, prefix in (("transformers", ""), ("transformers-vit", "vit.")):
            read = lae.read_safetensors(self.at(name + ".safetensors"))
            for kind in ("weight", "bias"):
                at = prefix + "encoder.layer.1.attention."
                qkv = np.concatenate([read[f"{at}attention.{part}.{kind}"] for part in ("query", "key", "value")])
                self.assertTrue(np.array_equal(qkv, self.tensors[f"blocks.1.attn.qkv.{kind}"]))
                self.assertTrue(np.array_equal(read[f"{at}output.dense.{kind}"], self.tensors[f"blocks.1.attn.proj.{kind}"]))
            self.assertTrue(np.array_equal(read[prefix + "layernorm.bias"], self.tensors["norm.bias"]))

    def test_bicubic_by_loops(self):
        """a = -0.75; taps beyond the edge repeat it; positions of half pixels."""
        def weight(t, a=-0.75):
            t = abs(t)
            if t <= 1:
                return (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1
            return a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a if t < 2 else 0.0

        position = self.tensors["pos_embed"].astype(np.float64)[0]
        old = position[1:].reshape(3, 3, -1)
        for grid, got in self.grids.items():
            matrix = np.zeros((grid, 3))
            for i in range(grid):
                x = (i + 0.5) * 3 / grid - 0.5
                for j in range(math.floor(x) - 1, math.floor(x) + 3):
                    matrix[i, min(max(j, 0), 2)] += weight(x - j)
            expected = np.einsum("ai,bj,ijd->abd", matrix, matrix, old).reshape(grid * grid, -1)
            np.testing.assert_allclose(got[0, 1:], expected, rtol=1e-9, atol=1e-12)
            self.assertTrue(np.array_equal(got[0, 0], position[0]))


if __name__ == "__main__":
    torch.set_num_threads(1)
    unittest.main()
