#!/usr/bin/env python3
"""sentence-transformers on the reverse dictionary: training, encoding, Precision@1. One JSON object on the last line.

  sentence.py train  --data DIR [--steps 200 --batch 256 --learning-rate 5e-5 --seed 1 --validate]
  sentence.py encode --input FILE.jsonl --column definition
  sentence.py evaluate [--model DIR] --data DIR

Under torchrun, `train` runs one process per rank with the loss over the batches of all of them.
"""
import argparse
import json
import os
import statistics
import time

from environment import published_minilm


def rows(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def load(path):
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    return SentenceTransformer(path or published_minilm(), device="cpu")


def precision(model, path):
    """Precision@1 both ways, as `fanoise evaluate` defines it: all rows ask, the gallery has the first row of each id."""
    import torch

    data = rows(path)
    place, gallery = {}, []
    for index, row in enumerate(data):
        if row["id"] not in place:
            place[row["id"]] = len(gallery)
            gallery.append(index)
    queries = model.encode([row["definition"] for row in data], convert_to_tensor=True, normalize_embeddings=True)
    targets = model.encode([data[i]["word"] for i in gallery], convert_to_tensor=True, normalize_embeddings=True)
    right = torch.tensor([place[row["id"]] for row in data])
    similarity = queries @ targets.T
    forward = (similarity.argmax(1) == right).float().mean().item()
    best = similarity.argmax(0).tolist()
    backward = sum(data[row]["id"] == data[gallery[g]]["id"] for g, row in enumerate(best)) / len(gallery)
    return {"precision_at_1": forward, "precision_at_1_back": backward, "rows": len(data), "gallery": len(gallery)}


def train(options):
    import torch
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.losses import MultipleNegativesSymmetricRankingLoss
    from sentence_transformers.training_args import BatchSamplers
    from transformers import TrainerCallback

    world = int(os.environ.get("WORLD_SIZE", "1"))
    model = load(options.model)
    if options.dropout is not None:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = options.dropout
    data = rows(options.train or os.path.join(options.data, "train.jsonl"))
    dataset = Dataset.from_list([{"anchor": row["definition"], "positive": row["word"]} for row in data])
    times, losses = [], []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_, **__):
            self.start = time.perf_counter()

        def on_step_end(self, *_, **__):
            times.append(time.perf_counter() - self.start)

        def on_log(self, arguments, state, control, logs=None, **_):
            if logs and "loss" in logs:
                losses.append(logs["loss"])

    arguments = SentenceTransformerTrainingArguments(
        output_dir=options.output, max_steps=options.steps, per_device_train_batch_size=options.batch // world,
        learning_rate=options.learning_rate, warmup_steps=options.warmup, lr_scheduler_type="cosine",
        weight_decay=options.weight_decay, adam_beta2=0.999, adam_epsilon=1e-6, max_grad_norm=1.0,
        batch_sampler=BatchSamplers.NO_DUPLICATES, seed=options.seed, logging_steps=1, save_strategy="no",
        report_to=[], use_cpu=True, ddp_backend="gloo" if world > 1 else None, disable_tqdm=True,
        dataloader_num_workers=0)
    loss = MultipleNegativesSymmetricRankingLoss(model, scale=1 / options.temperature,
                                                 gather_across_devices=world > 1)
    trainer = SentenceTransformerTrainer(model=model, args=arguments, train_dataset=dataset, loss=loss,
                                         callbacks=[Clock()])
    trainer.train()
    settled = times[min(options.warm, len(times) - 1):]
    result = {
        "samples_per_second": options.batch / statistics.median(settled), "steps": len(times),
        "losses": losses[:10], "last_loss": losses[-1] if losses else None, "world": world,
        "threads": torch.get_num_threads(), "torch": torch.__version__}
    if options.validate and int(os.environ.get("RANK", "0")) == 0:
        model.eval()
        for name in ("validation", "test"):
            result[name] = precision(model, os.path.join(options.data, name + ".jsonl"))
    if int(os.environ.get("RANK", "0")) == 0:
        print(json.dumps(result), flush=True)


def encode(options):
    import torch

    model = load(options.model)
    texts = [row[options.column] for row in rows(options.input)]
    model.encode(texts[:256], batch_size=options.batch)
    start = time.perf_counter()
    found = model.encode(texts, batch_size=options.batch, normalize_embeddings=True)
    seconds = time.perf_counter() - start
    if options.output:
        import numpy

        numpy.save(options.output, found)
    print(json.dumps({"samples_per_second": len(texts) / seconds, "rows": len(texts), "batch": options.batch,
                      "threads": torch.get_num_threads(), "torch": torch.__version__}))


def evaluate(options):
    model = load(options.model)
    print(json.dumps({name: precision(model, os.path.join(options.data, name + ".jsonl"))
                      for name in ("validation", "test")}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, function in (("train", train), ("encode", encode), ("evaluate", evaluate)):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("--model", help="a sentence-transformers folder; all-MiniLM-L6-v2 by default")
        command.add_argument("--data", help="folder of `fanoise data reverse-dictionary`")
        if name == "train":
            command.add_argument("--train", help="another file of training rows")
            command.add_argument("--output", default="runs/peer")
            command.add_argument("--steps", type=int, default=200)
            command.add_argument("--warm", type=int, default=5, help="steps that do not count for the rate")
            command.add_argument("--batch", type=int, default=256, help="of all processes together")
            command.add_argument("--learning-rate", type=float, default=5e-5)
            command.add_argument("--warmup", type=int, default=20)
            command.add_argument("--weight-decay", type=float, default=0.01)
            command.add_argument("--temperature", type=float, default=0.05)
            command.add_argument("--dropout", type=float, help="the model's own by default")
            command.add_argument("--seed", type=int, default=1)
            command.add_argument("--validate", action="store_true")
        if name == "encode":
            command.add_argument("--input", required=True)
            command.add_argument("--column", default="definition")
            command.add_argument("--batch", type=int, default=32)
            command.add_argument("--output", help="file for the embeddings (.npy)")
    options = parser.parse_args()
    options.function(options)


if __name__ == "__main__":
    main()
