"""Dual encoders from the same weights: the quick-start's, a larger one, open_clip's."""
import json
import os
import statistics

import flops
import measure
from case import Arm, Case, outcome, peer_trained, same_losses, settled, trained

# No augmentation, one caption a row, a constant rate: both sides take the same steps.
PLAIN = {"data.augment.shift": 0, "data.augment.zoom": 0, "data.augment.rotate": 0, "data.augment.colour": 0,
         "data.augment.grey": 0, "data.captions.name_probability": 1, "optimizer.schedule": "constant",
         "optimizer.learning_rate": "1e-3"}
QUICKSTART = "configs/quickstart.yaml"


class Towers:
    """A pair of transformers: sizes, batch, steps."""

    def __init__(self, name, settings, batch, steps, warm):
        self.name, self.settings, self.batch, self.steps, self.warm = name, settings, batch, steps, warm

    def train(self, context, noise, steps=None, name=None, ranks=2, further=None, watch=None):
        settings = {**PLAIN, **self.settings, "batch.global": self.batch, "data.train": context.emoji(self.batch),
                    "noise.scaling": "sublinear" if noise else "none", **(further or {})}
        return context.train(name or self.name, QUICKSTART, settings, ranks, steps or self.steps, watch)

    def checkpoint(self, context):
        """Initial weights: one step of a vanishing learning rate."""
        name = f"{self.name}-initial"
        return context.once(context.path("runs", name, "checkpoints", "step-00000001"), lambda: self.train(
            context, False, 1, name, 1, {"optimizer.learning_rate": "1e-12"}))

    def peer(self, context, processes, threads, noise=False, steps=None):
        arguments = ["--checkpoint", self.checkpoint(context), "--data", context.emoji(self.batch), "--steps", steps or self.steps,
                     "--warm", self.warm] + (["--noise", 0.1] if noise else [])
        return context.peer("clip.py", arguments, processes, threads)

    def arms(self, noise):
        shown = " ".join(f"--set {key}={value}" for key, value in self.settings.items())
        return [Arm("fanoise 2 × 1", f"mpirun -n 2 fanoise train --config {QUICKSTART} {shown}".strip(),
                    lambda context: trained(self.train(context, noise), self.warm)),
                Arm("fanoise 1 × 2", f"fanoise train --config {QUICKSTART} {shown}".strip(),
                    lambda context: trained(self.train(context, noise, ranks=1), self.warm)),
                Arm("PyTorch 1 × 2", "clip.py", lambda context: peer_trained(self.peer(context, 1, 2, noise))),
                Arm("PyTorch 2 × 1", "torchrun --nproc-per-node 2 clip.py",
                    lambda context: peer_trained(self.peer(context, 2, 1, noise)))]

    def agreement(self, context):
        return context.say_once(self.name, lambda: same_losses(
            trained(self.train(context, False, 5)), peer_trained(self.peer(context, 1, 2, steps=5)), first=1e-6, later=1e-5))

    def flops(self, context):
        """Of one row."""
        import yaml
        from tokenizers import Tokenizer

        folder = self.checkpoint(context)
        with open(os.path.join(folder, "config.yaml"), encoding="utf-8") as file:
            model = yaml.safe_load(file)["model"]
        picture, words, embedding = model["query"], model["target"], model["embedding"]
        tokenizer = Tokenizer.from_file(os.path.join(folder, "target_tokenizer.json"))
        tokenizer.enable_truncation(words["context"])
        with open(context.emoji(self.batch), encoding="utf-8") as file:
            lengths = [len(tokenizer.encode(json.loads(line)["text"]).ids) for line in file]
        rows = len(lengths)
        return (flops.vision(rows, picture["image_size"], picture["patch"], picture["width"], picture["depth"],
                             int(picture["width"] * picture["mlp_ratio"]), embedding)
                + flops.text(lengths, words["width"], words["depth"], int(words["width"] * words["mlp_ratio"]), embedding)
                + flops.contrastive(rows, embedding)) / rows


class OpenCLIP:
    """A model that open_clip makes and writes; fanoise reads its folder."""

    def __init__(self, name, arguments, batch, steps, warm, rate):
        self.name, self.arguments, self.batch, self.steps, self.warm, self.rate = name, arguments, batch, steps, warm, rate

    def model(self, context):
        folder = context.path(self.name)
        tokenizer = os.path.join(QUICK.checkpoint(context), "target_tokenizer.json")
        return context.once(folder, lambda: context.peer(
            "openclip.py", ["write", *self.arguments, "--tokenizer", tokenizer, "--output", folder]))

    def config(self, context, batch, noise, chunk):
        """A configuration of fanoise for the folder."""
        import yaml

        path = context.path(f"{self.name}.yaml")
        noise = {"scaling": "sublinear", "strength": 0.1} if noise else {"scaling": "none"}
        content = {"name": self.name, "output": context.path("runs"), "seed": 1, "steps": self.steps,
                   "model": {"init": self.model(context)},
                   "data": {"train": context.emoji(batch), "query": {"column": "image", "kind": "picture"},
                            "target": {"column": "text", "kind": "text"}, "captions": {"name_probability": 1},
                            "augment": {"shift": 0}, "distinct_ids": True},
                   "batch": {"global": batch, "cache_chunk": chunk}, "noise": noise, "loss": {"kind": "symmetric"},
                   "optimizer": {"learning_rate": self.rate, "betas": [0.9, 0.98], "epsilon": 1e-6, "weight_decay": 0.1, "clip": 1.0,
                                 "schedule": "constant"}}
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(content, file, sort_keys=False)
        return path

    def train(self, context, steps=None, batch=None, noise=False, chunk=None, ranks=2):
        return context.train(self.name, self.config(context, batch or self.batch, noise, chunk), {}, ranks, steps or self.steps)

    def peer(self, context, processes, threads, steps=None, noise=0):
        return context.peer("openclip.py", [
            "train", "--model", self.model(context), "--data", context.emoji(self.batch), "--steps", steps or self.steps, "--warm",
            self.warm, "--learning-rate", self.rate, "--noise-rows", noise], processes, threads)

    def arms(self):
        return [Arm("fanoise 2 × 1", "mpirun -n 2 fanoise train, model.init: the folder that openclip.py wrote",
                    lambda context: trained(self.train(context), self.warm)),
                Arm("fanoise 1 × 2", "fanoise train, model.init: the same",
                    lambda context: trained(self.train(context, ranks=1), self.warm)),
                Arm("open_clip 1 × 2", "openclip.py train", lambda context: peer_trained(self.peer(context, 1, 2))),
                Arm("open_clip 2 × 1", "torchrun --nproc-per-node 2 openclip.py train",
                    lambda context: peer_trained(self.peer(context, 2, 1)))]

    def agreement(self, context, steps):
        return same_losses(trained(self.train(context, steps)), peer_trained(self.peer(context, 1, 2, steps)), first=1e-6, later=1e-5,
                           steps=steps)

    def flops(self, context):
        """Of one row."""
        with open(os.path.join(self.model(context), "open_clip_config.json"), encoding="utf-8") as file:
            config = json.load(file)["model_cfg"]
        picture, words, embedding = config["vision_cfg"], config["text_cfg"], config["embed_dim"]
        with open(context.emoji(self.batch), encoding="utf-8") as file:
            texts = [json.loads(line)["text"] for line in file]
        lengths = [min(length, words["context_length"]) for length in self.lengths(context, texts)]
        rows = len(lengths)
        return (flops.vision(rows, picture["image_size"], picture["patch_size"], picture["width"], picture["layers"],
                             4 * picture["width"], embedding)
                + flops.text(lengths, words["width"], words["layers"], 4 * words["width"], embedding)
                + flops.contrastive(rows, embedding)) / rows

    def lengths(self, context, texts):
        """Tokens of each text, start and end included."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(os.path.join(self.model(context), "tokenizer.json"))
        return [len(tokenizer.encode(one).ids) for one in texts]


def noise_share(result, batch, warm):
    """Per cent of a step of fanoise that spectrum and noise take."""
    shares = [100 * (row["seconds"].get("spectrum", 0) + row["seconds"].get("noise", 0)) * row["samples_per_second"] / batch
              for row in settled(result["rows"], warm)]
    return outcome(result, statistics.median(shares))


def peer_noise_share(result):
    return outcome(result, 100 * result["json"]["noise_share"])


def start(context):
    """Seconds from exec to the first step's line of metrics, of 2 ranks."""
    import time

    metrics, seen = context.path("runs", "start", "metrics.jsonl"), []

    def watch(over):
        while not over.wait(0.005):
            try:
                if not seen and os.path.getsize(metrics) > 0:
                    seen.append(time.time())
            except OSError:
                pass

    result = QUICK.train(context, True, 1, "start", watch=watch)
    if not seen:
        raise measure.Failed("the run's metrics were not seen while it ran")
    return outcome(result, seen[0] - result["started"])


def peer_start(context):
    result = QUICK.peer(context, 1, 2, True, steps=1)
    return outcome(result, result["json"]["first_step_at"] - result["started"])


QUICK = Towers("quickstart", {}, 256, 24, 4)
LARGER = Towers("vit64", {
    "model.query.image_size": 64, "model.query.width": 192, "model.query.depth": 6, "model.query.heads": 6,
    "model.target.width": 192, "model.target.depth": 4, "model.target.heads": 6, "model.embedding": 256}, 256, 6, 2)
QUICK_OPEN = OpenCLIP("open-clip-quickstart", [
    "--embedding", 128, "--image", 32, "--patch", 8, "--width", 128, "--layers", 4, "--text-layers", 2, "--head", 32, "--context", 24,
    "--vocabulary", 2048], 256, 16, 4, 1e-3)
VIT_B_32 = OpenCLIP("vit-b-32", ["--name", "ViT-B-32"], 64, 3, 1, 1e-4)

CASES = [
    Case("quickstart", "The quick-start's model, one batch of 256 emojis with their names, without noise.", "samples/s",
         QUICK.arms(False), QUICK.agreement, QUICK.flops),
    Case("quickstart-noise", "The same with FANoise on both sides (PyTorch: an SVD of the batch).", "samples/s",
         QUICK.arms(True), lambda context: QUICK.agreement(context) + " (without noise)", QUICK.flops),
    Case("quickstart-open-clip", "The same sizes as open_clip builds them, from weights that it wrote; its own model code and loss.",
         "samples/s", QUICK_OPEN.arms(), lambda context: QUICK_OPEN.agreement(context, 5), QUICK_OPEN.flops),
    Case("vit64", "64 × 64 pixels in 64 patches (width 192, 6 blocks) and texts (192, 4 blocks), one batch of 256 emojis.", "samples/s",
         LARGER.arms(False), LARGER.agreement, LARGER.flops),
    Case("vit-b-32", "open_clip's ViT-B-32 (224 pixels, 151 M parameters, context 77), fresh weights that open_clip wrote, one batch of "
         "64 emojis; open_clip computes all 77 positions of a text.", "samples/s", VIT_B_32.arms(),
         lambda context: VIT_B_32.agreement(context, 2), VIT_B_32.flops, most_rounds=2),
    Case("noise-share-quickstart", "What FANoise takes of a step: the quick-start's model, batch 256.", "% of the step",
         [Arm("fanoise 2 × 1", f"mpirun -n 2 fanoise train --config {QUICKSTART}: spectrum + noise of seconds in metrics.jsonl",
              lambda context: noise_share(QUICK.train(context, True), QUICK.batch, QUICK.warm)),
          Arm("PyTorch 1 × 2", "clip.py --noise 0.1", lambda context: peer_noise_share(QUICK.peer(context, 1, 2, True)))],
         lambda context: QUICK.agreement(context) + " (without noise)", lower_is_better=True),
    Case("noise-share-vit-b-32", "The same of open_clip's ViT-B-32, batch 256. fanoise: with gradient caching, 32 rows at a time, to fit into "
         "memory (one forward more); open_clip: SVDs of two batches of 256 over the time of 256 rows in steps of 64.", "% of the step",
         [Arm("fanoise 2 × 1", "mpirun -n 2 fanoise train, batch.cache_chunk 32",
              lambda context: noise_share(VIT_B_32.train(context, 2, 256, True, 32), 256, 1)),
          Arm("open_clip 1 × 2", "openclip.py train --noise-rows 256",
              lambda context: peer_noise_share(VIT_B_32.peer(context, 1, 2, 2, 256)))],
         lambda context: "the model is that of the case vit-b-32", lower_is_better=True, most_rounds=1),
    Case("start", "From starting the command to the end of the first step, quick-start's model with noise, files in the page cache.", "s",
         [Arm("fanoise 2 × 1", f"mpirun -n 2 fanoise train --config {QUICKSTART} --set steps=1", start),
          Arm("PyTorch 1 × 2", "clip.py --noise 0.1 --steps 1", peer_start)],
         lambda context: QUICK.agreement(context) + " (without noise)", lower_is_better=True),
]
