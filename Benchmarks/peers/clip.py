#!/usr/bin/env python3
"""A plain dual encoder in PyTorch with the shapes, weights and rows of a fanoise checkpoint: training steps on one fixed batch.

  clip.py --checkpoint DIR --data FILE.jsonl [--steps 20 --noise 0.1]

Pictures through a pre-norm ViT with a class token, texts through a causal transformer that ends in end-of-text, symmetric InfoNCE, AdamW.
Texts are padded to the longest of the batch; under torchrun each process has its part of the rows and all embeddings are gathered with
their gradients. One JSON object on the last line.
"""
import argparse
import json
import os
import statistics
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file


class Block(torch.nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, weights, name, heads):
        super().__init__()
        self.heads = heads
        for key, suffix in {
            "n1": "attention_norm.weight", "b1": "attention_norm.bias", "n2": "mlp_norm.weight", "b2": "mlp_norm.bias",
            "qkv": "attention.qkv.weight", "qkv_bias": "attention.qkv.bias", "out": "attention.output.weight",
            "out_bias": "attention.output.bias", "up": "mlp.hidden.weight", "up_bias": "mlp.hidden.bias",
            "down": "mlp.output.weight", "down_bias": "mlp.output.bias",
        }.items():
            setattr(self, key, torch.nn.Parameter(weights[f"{name}.{suffix}"]))

    def forward(self, x, causal):
        batch, length, width = x.shape
        normed = F.layer_norm(x, (width,), self.n1, self.b1)
        qkv = F.linear(normed, self.qkv, self.qkv_bias).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=causal).transpose(1, 2).reshape(x.shape)
        x = x + F.linear(mixed, self.out, self.out_bias)
        hidden = F.gelu(F.linear(F.layer_norm(x, (width,), self.n2, self.b2), self.up, self.up_bias))
        return x + F.linear(hidden, self.down, self.down_bias)


class Tower(torch.nn.Module):
    """What both towers have: positions, blocks, norm, projection."""

    def __init__(self, weights, name, shape):
        super().__init__()
        self.positions = torch.nn.Parameter(weights[f"{name}.positions"])
        self.blocks = torch.nn.ModuleList(
            Block(weights, f"{name}.blocks.{index}", shape["heads"]) for index in range(shape["depth"]))
        self.gain = torch.nn.Parameter(weights[f"{name}.output_norm.weight"])
        self.shift = torch.nn.Parameter(weights[f"{name}.output_norm.bias"])
        self.projection = torch.nn.Parameter(weights[f"{name}.projection.weight"])

    def project(self, x):
        return F.linear(F.layer_norm(x, x.shape[-1:], self.gain, self.shift), self.projection)


class Vision(Tower):
    def __init__(self, weights, name, shape):
        super().__init__(weights, name, shape)
        self.patch = shape["patch"]
        self.patches = torch.nn.Parameter(weights[f"{name}.patch_embedding.weight"])
        self.token = torch.nn.Parameter(weights[f"{name}.class_token"])

    def forward(self, pictures):
        batch, channels, size, _ = pictures.shape
        grid, patch = size // self.patch, self.patch
        cut = pictures.view(batch, channels, grid, patch, grid, patch).permute(0, 2, 4, 1, 3, 5)
        x = F.linear(cut.reshape(batch, grid * grid, channels * patch * patch), self.patches)
        x = torch.cat([self.token.expand(batch, 1, -1), x], 1) + self.positions
        for block in self.blocks:
            x = block(x, False)
        return self.project(x[:, 0])


class Text(Tower):
    def __init__(self, weights, name, shape):
        super().__init__(weights, name, shape)
        self.tokens = torch.nn.Parameter(weights[f"{name}.tokens"])

    def forward(self, ids, lengths):
        x = F.embedding(ids, self.tokens) + self.positions[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, True)
        return self.project(x[torch.arange(len(ids)), lengths - 1])


class Noise:
    """FANoise by the SVD of the batch: X + α/√n (ε ⊙ S) Vᵀ, S = √σ / mean √σ, on unit rows."""

    def __init__(self, strength):
        self.strength = strength
        self.seconds = 0.0

    def __call__(self, x):
        start = time.perf_counter()
        x = F.normalize(x, dim=-1)
        with torch.no_grad():
            _, values, directions = torch.linalg.svd(x, full_matrices=False)
            shape = values.sqrt() / values.sqrt().mean()
            noise = (torch.randn(len(x), len(values)) * shape) @ directions
        noisy = x + self.strength / x.shape[1] ** 0.5 * noise
        self.seconds += time.perf_counter() - start
        return noisy


def rows(path, tokenizer, size, context):
    """Pictures [N, 3, size, size] in −1 … 1 and token lists of a JSONL file."""
    import numpy
    from PIL import Image
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(tokenizer)
    tokenizer.enable_truncation(context)
    pictures, texts = [], []
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        picture = Image.open(os.path.join(os.path.dirname(path), row["image"])).convert("RGB")
        picture = picture.resize((size, size), Image.LANCZOS)
        pictures.append(torch.from_numpy(numpy.asarray(picture).copy()).permute(2, 0, 1).float() / 127.5 - 1)
        texts.append(tokenizer.encode(row["text"]).ids)
    return torch.stack(pictures), texts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warm", type=int, default=3)
    parser.add_argument("--noise", type=float, default=0, help="α; 0 for none")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    options = parser.parse_args()

    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    if world > 1:
        import torch.distributed as distributed
        import torch.distributed.nn.functional as gathering

        distributed.init_process_group("gloo")
    import yaml

    with open(os.path.join(options.checkpoint, "config.yaml"), encoding="utf-8") as file:
        config = yaml.safe_load(file)
    model = config["model"]
    weights = load_file(os.path.join(options.checkpoint, "model.safetensors"))

    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.vision = Vision(weights, "query", model["query"])
            self.text = Text(weights, "target", model["target"])
            self.log_temperature = torch.nn.Parameter(weights["loss.log_temperature"])

        def forward(self, pictures, ids, lengths):
            return self.vision(pictures), self.text(ids, lengths), self.log_temperature.exp()

    network = Both()
    if world > 1:
        network = torch.nn.parallel.DistributedDataParallel(network)
    decay = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}],
        lr=options.learning_rate, betas=(0.9, 0.98), eps=1e-6)

    pictures, texts = rows(options.data, os.path.join(options.checkpoint, "target_tokenizer.json"),
                           model["query"]["image_size"], model["target"]["context"])
    total = len(texts)
    share = slice(rank * total // world, (rank + 1) * total // world)
    pictures, texts = pictures[share], texts[share]
    lengths = torch.tensor([len(text) for text in texts])
    ids = torch.zeros(len(texts), int(lengths.max()), dtype=torch.long)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
    noise = Noise(options.noise) if options.noise else None

    times, losses, shares, first_step_at = [], [], [], None
    for _ in range(options.steps):
        start, before = time.perf_counter(), noise.seconds if noise else 0.0
        x, y, temperature = network(pictures, ids, lengths)
        if noise:
            x, y = noise(x), noise(y)
        z, w = F.normalize(x, dim=-1), F.normalize(y, dim=-1)
        all_z, all_w = z, w
        if world > 1:
            all_z, all_w = torch.cat(gathering.all_gather(z)), torch.cat(gathering.all_gather(w))
        right = torch.arange(share.start, share.stop)
        loss = (F.cross_entropy(z @ all_w.T / temperature, right) + F.cross_entropy(w @ all_z.T / temperature, right)) / 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        times.append(time.perf_counter() - start)
        first_step_at = first_step_at or time.time()
        shares.append((noise.seconds - before) / times[-1] if noise else 0.0)
        shown = loss.detach().clone()
        if world > 1:
            distributed.all_reduce(shown)
            shown /= world
        losses.append(float(shown))
    if rank == 0:
        settled = times[min(options.warm, len(times) - 1):]
        print(json.dumps({"samples_per_second": total / statistics.median(settled), "losses": losses,
                          "noise_share": statistics.median(shares[-len(settled):]), "first_step_at": first_step_at,
                          "world": world, "threads": torch.get_num_threads(), "torch": torch.__version__}), flush=True)
    if world > 1:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
