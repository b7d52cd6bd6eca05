#!/usr/bin/env python3
"""open_clip: writes fresh models for both sides, and trains them with its own model code and loss on one fixed batch.

  openclip.py write --name ViT-B-32 --output DIR
  openclip.py write --width 128 … --tokenizer tokenizer.json --output DIR
  openclip.py train --model DIR --data FILE.jsonl [--steps 3 --noise-rows 256]

DIR holds open_clip_config.json, open_clip_model.safetensors and tokenizer.json. Texts are as long as the context, as open_clip takes
them. Under torchrun each process has its part of the rows, and the loss gathers all with their gradients. One JSON object on the last line.
"""
import argparse
import gzip
import json
import os
import shutil
import statistics
import time

import open_clip
import torch
from safetensors.torch import load_file, save_file


def write_tokenizer(path):
    """open_clip's byte-pair vocabulary as a tokenizer.json."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = open_clip.SimpleTokenizer().encoder
    source = os.path.join(os.path.dirname(open_clip.__file__), "bpe_simple_vocab_16e6.txt.gz")
    with gzip.open(source, "rt", encoding="utf-8") as file:
        merges = [tuple(line.split()) for line in file.read().split("\n")[1 : 49152 - 256 - 2 + 1]]
    first, last = "<start_of_text>", "<end_of_text>"
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>", unk_token=last))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    words = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(words, behavior="removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.post_processor = processors.RobertaProcessing(
        (last, vocabulary[last]), (first, vocabulary[first]), trim_offsets=False, add_prefix_space=False)
    tokenizer.add_special_tokens([first, last])
    tokenizer.save(path)


def small(options):
    """A configuration of our own sizes; texts end with the tokenizer's last token."""
    from tokenizers import Tokenizer

    end = Tokenizer.from_file(options.tokenizer).encode("a").ids[-1]
    return {"embed_dim": options.embedding,
            "vision_cfg": {"image_size": options.image, "patch_size": options.patch, "width": options.width, "layers": options.layers,
                           "head_width": options.head},
            "text_cfg": {"context_length": options.context, "vocab_size": options.vocabulary, "width": options.width,
                         "heads": options.width // options.head, "layers": options.text_layers, "pool_type": "eos", "eos_id": end}}


def write(options):
    torch.manual_seed(1)
    config = open_clip.get_model_config(options.name) if options.name else small(options)
    model = open_clip.CLIP(**config)
    partial = options.output + ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    os.makedirs(partial)
    with open(os.path.join(partial, "open_clip_config.json"), "w", encoding="utf-8") as file:
        json.dump({"model_cfg": config}, file, indent=1)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()},
              os.path.join(partial, "open_clip_model.safetensors"))
    if options.name:
        write_tokenizer(os.path.join(partial, "tokenizer.json"))
    else:
        shutil.copy(options.tokenizer, os.path.join(partial, "tokenizer.json"))
    os.rename(partial, options.output)
    print(json.dumps({"parameters": sum(value.numel() for value in model.parameters())}))


def token_rows(texts, folder, config):
    """Token ids, [N, context]."""
    from tokenizers import Tokenizer

    context = config["text_cfg"]["context_length"]
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.enable_truncation(context)
    ids = torch.zeros(len(texts), context, dtype=torch.long)
    for row, text in enumerate(texts):
        found = tokenizer.encode(text).ids
        ids[row, : len(found)] = torch.tensor(found)
    return ids


def rows(path, folder, config):
    """Pictures [N, 3, size, size] and tokens [N, context] of a JSONL file."""
    from PIL import Image

    prepare = open_clip.image_transform(config["vision_cfg"]["image_size"], is_train=False)
    pictures, texts = [], []
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            pictures.append(prepare(Image.open(os.path.join(os.path.dirname(path), row["image"]))))
            texts.append(row["text"])
    return torch.stack(pictures), token_rows(texts, folder, config)


def noise_seconds(count, width):
    """Seconds of FANoise by SVD on both sides of a batch."""
    from clip import Noise

    noise, x = Noise(0.1), torch.randn(count, width)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        noise(x), noise(x)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def train(options):
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    if world > 1:
        torch.distributed.init_process_group("gloo")
    with open(os.path.join(options.model, "open_clip_config.json"), encoding="utf-8") as file:
        config = json.load(file)["model_cfg"]
    network = open_clip.CLIP(**config)
    network.load_state_dict(load_file(os.path.join(options.model, "open_clip_model.safetensors")))
    decay = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    if world > 1:
        network = torch.nn.parallel.DistributedDataParallel(network)
    criterion = open_clip.ClipLoss(local_loss=world > 1, gather_with_grad=world > 1, cache_labels=True, rank=rank, world_size=world)
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}],
                                  lr=options.learning_rate, betas=(0.9, 0.98), eps=1e-6)
    pictures, tokens = rows(options.data, options.model, config)
    total = len(tokens)
    share = slice(rank * total // world, (rank + 1) * total // world)
    pictures, tokens = pictures[share], tokens[share]

    times, losses = [], []
    for _ in range(options.steps):
        start = time.perf_counter()
        loss = criterion(*network(pictures, tokens))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        times.append(time.perf_counter() - start)
        shown = loss.detach().clone()
        if world > 1:
            torch.distributed.all_reduce(shown)
            shown /= world
        losses.append(float(shown))
    if rank == 0:
        step = statistics.median(times[min(options.warm, len(times) - 1):])
        result = {"samples_per_second": total / step, "losses": losses, "world": world, "threads": torch.get_num_threads(),
                  "torch": torch.__version__, "open_clip": open_clip.__version__}
        if options.noise_rows:
            seconds = noise_seconds(options.noise_rows, config["embed_dim"])
            result["noise_share"] = seconds / (seconds + step * options.noise_rows / total)
        print(json.dumps(result), flush=True)
    if world > 1:
        torch.distributed.destroy_process_group()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    writing = commands.add_parser("write")
    writing.set_defaults(function=write)
    writing.add_argument("--name", help="one of open_clip's models; else the sizes below")
    for size in ("embedding", "image", "patch", "width", "layers", "text-layers", "head", "context", "vocabulary"):
        writing.add_argument(f"--{size}", type=int)
    writing.add_argument("--tokenizer", help="tokenizer.json for a model of these sizes")
    writing.add_argument("--output", required=True)
    training = commands.add_parser("train")
    training.set_defaults(function=train)
    training.add_argument("--model", required=True)
    training.add_argument("--data", required=True)
    training.add_argument("--steps", type=int, default=3)
    training.add_argument("--warm", type=int, default=1)
    training.add_argument("--learning-rate", type=float, default=1e-4)
    training.add_argument("--noise-rows", type=int, default=0, help="tell what FANoise by SVD takes of a step of so many rows")
    options = parser.parse_args()
    options.function(options)


if __name__ == "__main__":
    main()
