"""all-MiniLM-L6-v2 on the reverse dictionary, beside sentence-transformers."""
import json
import os

import flops
from case import Arm, Case, outcome, peer_trained, same_losses, trained
from context import environment

CONFIG = "configs/reverse-dictionary.yaml"
ENCODED = 8000


def settings(data):
    return {"model.init": environment.published_minilm(), "data.train": data, "batch.global": 256, "noise.scaling": "none",
            "optimizer.schedule.warmup": 0}


def train(context, data, steps):
    return trained(context.train("minilm", CONFIG, settings(data), steps=steps))


def whole(context):
    return os.path.join(context.dictionary(), "train.jsonl")


def peer(processes, threads, steps=10, data=whole):
    return lambda context: peer_trained(context.peer("sentence.py", [
        "train", "--data", context.dictionary(), "--train", data(context), "--steps", steps, "--warmup", 0, "--dropout", 0,
        "--output", context.path("runs", "peer")],
        processes, threads))


def agreement(context):
    file = context.definitions(256)
    return same_losses(train(context, file, 5), peer(1, 2, 5, lambda _: file)(context), first=1e-4, later=1e-2)


def lengths(path, columns, rows):
    """Tokens of the columns' texts, special ones included."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(os.path.join(environment.published_minilm(), "tokenizer.json"))
    tokenizer.no_padding()
    with open(path, encoding="utf-8") as file:
        found = [json.loads(line) for line in file][:rows]
    return [len(tokenizer.encode(row[column]).ids) for column in columns for row in found]


def train_flops(context):
    """Of one row, the mean of many."""
    texts = lengths(context.definitions(ENCODED), ("definition", "word"), ENCODED)
    return flops.training(texts, 384, 6, 1536) / ENCODED + flops.contrastive(256, 384) / 256


def encode_flops(context):
    return flops.encoding(lengths(context.definitions(ENCODED), ("definition",), ENCODED), 384, 6, 1536) / ENCODED


def encode(context, output=None):
    rows, output = context.definitions(ENCODED), output or context.path("embeddings.npy")
    initial = "minilm-initial"
    checkpoint = context.once(context.path("runs", initial, "checkpoints", "step-00000001"), lambda: context.train(
        initial, CONFIG, {**settings(context.definitions(256)), "optimizer.learning_rate": "1e-12"}, steps=1))
    if os.path.exists(output):
        os.remove(output)
    result = context.ranks(2, ["embed", "--checkpoint", checkpoint, "--input", rows, "--side", "query", "--output", output, "--json"])
    return outcome(result, result["json"]["rows_per_second"], more={"texts/s, start included": ENCODED / result["seconds"]})


def encode_peer(batch, output=None):
    def run(context):
        arguments = ["encode", "--input", context.definitions(ENCODED), "--column", "definition", "--batch", batch]
        return peer_trained(context.peer("sentence.py", arguments + (["--output", output(context)] if output else [])))

    return run


def same_embeddings(context):
    import numpy

    from measure import Failed

    ours, theirs = context.path("embeddings.npy"), context.path("embeddings-peer.npy")
    encode(context, ours)
    encode_peer(128, lambda _: theirs)(context)
    a, b = numpy.load(ours), numpy.load(theirs)
    a = a / numpy.linalg.norm(a, axis=1, keepdims=True)
    if a.shape != b.shape or numpy.abs(a - b).max() > 1e-4:
        raise Failed(f"the sides do not compute the same: embeddings of shape {a.shape} and {b.shape}")
    return f"embeddings of unit norm differ by {numpy.abs(a - b).max():.1e} at most"


CASES = [
    Case("minilm-train", "Fine-tuning all-MiniLM-L6-v2 on definitions and words, batch 256, without dropout on either side.", "samples/s",
         [Arm("fanoise 2 × 1", f"mpirun -n 2 fanoise train --config {CONFIG}", lambda context: train(context, whole(context), 14)),
          Arm("sentence-transformers 1 × 2", "sentence.py train", peer(1, 2)),
          Arm("sentence-transformers 2 × 1", "torchrun --nproc-per-node 2 sentence.py train", peer(2, 1))],
         agreement, train_flops),
    Case("minilm-encode", f"Embedding {ENCODED} definitions with all-MiniLM-L6-v2; fanoise: from the open model to the file; "
         "sentence-transformers: the call of encode, of a loaded and warm model.", "texts/s",
         [Arm("fanoise 2 × 1", "mpirun -n 2 fanoise embed", encode),
          Arm("sentence-transformers 1 × 2, batch 32", "sentence.py encode --batch 32", encode_peer(32)),
          Arm("sentence-transformers 1 × 2, batch 128", "sentence.py encode --batch 128", encode_peer(128))],
         same_embeddings, encode_flops),
]
