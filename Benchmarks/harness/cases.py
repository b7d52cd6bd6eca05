"""The cases of bench.py: what is compared with what, on which rows, from which weights."""
import json
import os
import statistics
import sys

import measure

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PEERS = os.path.join(ROOT, "Benchmarks", "peers")
sys.path.insert(0, PEERS)
import environment  # noqa: E402


class Context:
    """Where things are, and what is made once for all cases."""

    def __init__(self):
        self.program = os.path.join(ROOT, ".build", "release", "fanoise")
        self.python = sys.executable
        self.folder = os.path.join(ROOT, ".build", "bench")
        os.makedirs(self.folder, exist_ok=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def once(self, path, make):
        """The path, made if it is not there."""
        if not os.path.exists(path):
            make()
        return path

    def versions(self):
        code = ("import importlib.metadata as m\n"
                "print(', '.join(n + ' ' + m.version(n) for n in ('torch', 'sentence-transformers', 'transformers')))")
        return measure.run([self.python, "-c", code])["output"].strip()

    # Data

    def emoji(self, count=256):
        """Rows of the emoji data set, each with an id of its own: an epoch of one batch."""
        data = self.once(self.path("emoji"),
                         lambda: measure.run([self.program, "data", "emoji", "--output", self.path("emoji")], folder=ROOT))

        def cut():
            seen, lines = set(), []
            for line in open(os.path.join(data, "train.jsonl"), encoding="utf-8"):
                row = json.loads(line)
                if row["id"] not in seen:
                    seen.add(row["id"])
                    lines.append(line)
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(lines[:count])

        path = os.path.join(data, f"bench-{count}.jsonl")
        return self.once(path, cut)

    def dictionary(self):
        return self.once(self.path("dictionary"), lambda: measure.run(
            [self.program, "data", "reverse-dictionary", "--output", self.path("dictionary")]))

    def definitions(self, count):
        """The first `count` rows with different words, spread over the training rows."""
        data, path = self.dictionary(), self.path(f"definitions-{count}.jsonl")

        def cut():
            seen, kept = set(), []
            with open(os.path.join(data, "train.jsonl"), encoding="utf-8") as file:
                lines = file.readlines()
            for line in lines[:: max(1, len(lines) // (2 * count))] + lines:
                row = json.loads(line)
                if row["id"] not in seen and len(kept) < count:
                    seen.add(row["id"])
                    kept.append(line)
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(kept)

        return self.once(path, cut)

    # Runs

    def train(self, name, config, settings, ranks=2, steps=24):
        """A training run of `ranks` processes; its metrics, row by row, and what measure.run says."""
        command = [] if ranks == 1 else ["mpirun", "-n", str(ranks), "--oversubscribe", "--bind-to", "none"]
        command += [self.program, "train", "--config", config, "--resume", "never"]
        settings = {"name": name, "output": self.path("runs"), "steps": steps, "log.every": 1, "evaluate.sets": "{}",
                    "evaluate.every": "null", "checkpoint.every": "null", **settings}
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        folder = self.path("runs", name)
        measure.run(["rm", "-rf", folder])
        result = measure.run(command, mpi_environment(), ROOT)
        with open(os.path.join(folder, "metrics.jsonl"), encoding="utf-8") as file:
            result["rows"] = [row for row in map(json.loads, file) if row.get("loss") is not None]
        return result

    def peer(self, script, arguments, processes=1, threads=2):
        """One of the scripts in Benchmarks/peers, with so many processes of so many threads."""
        command = [self.python]
        if processes > 1:
            command += ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--master-port", "29571"]
        command += [os.path.join(PEERS, script)] + [str(argument) for argument in arguments]
        return measure.run(command, environment.variables(threads), ROOT)


def mpi_environment():
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"} if os.getuid() == 0 else {}
    return {**allowed, "OMPI_MCA_plm_rsh_agent": "false"}


class Arm:
    """One side of a comparison. `run(context)` gives {rate, peak_bytes, losses, more}."""

    def __init__(self, name, words, run):
        self.name, self.words, self.run = name, words, run


class Case:
    def __init__(self, name, what, unit, arms, agreement):
        self.name, self.what, self.unit, self.arms, self.agreement = name, what, unit, arms, agreement


def fanoise_rate(result, warm=4):
    rows = result["rows"]
    rates = [row["samples_per_second"] for row in rows[warm:]]
    utilisation = [row["gemm_utilisation"] for row in rows[warm:] if row.get("gemm_utilisation")]
    more = {"share_of_sgemm_peak": statistics.median(utilisation)} if utilisation else {}
    return {"rate": statistics.median(rates), "peak_bytes": result["peak_bytes"],
            "losses": [row["loss"] for row in rows[:5]], "more": more}


def peer_rate(result):
    return {"rate": result["json"]["samples_per_second"], "peak_bytes": result["peak_bytes"],
            "losses": result["json"].get("losses", [])[:5]}


def same_losses(ours, theirs, first, later):
    """Five steps from one start agree: equal losses, and equal gradients as far as the following losses show."""
    differences = [abs(a - b) / max(abs(b), 1e-9) for a, b in zip(ours["losses"], theirs["losses"])]
    if len(differences) < 5 or differences[0] > first or max(differences) > later:
        raise measure.Failed(f"the sides do not compute the same: losses {ours['losses']} and {theirs['losses']}")
    return (f"losses of five steps differ by {differences[0]:.1e} at the first and {max(differences):.1e} at most "
            f"(relative)")


# The quick-start's model on the emoji rows.

PLAIN = {"data.augment.shift": 0, "data.augment.zoom": 0, "data.augment.rotate": 0, "data.augment.colour": 0,
         "data.augment.grey": 0, "data.captions.name_probability": 1, "optimizer.schedule": "constant",
         "optimizer.learning_rate": "1e-3", "batch.global": 256}


def quickstart_settings(context, noise):
    return {**PLAIN, "data.train": context.emoji(), "noise.scaling": "sublinear" if noise else "none"}


def quickstart_checkpoint(context):
    """Initial weights: one step of a vanishing learning rate."""
    folder = context.path("runs", "initial", "checkpoints", "step-00000001")
    return context.once(folder, lambda: context.train(
        "initial", "configs/quickstart.yaml",
        {**quickstart_settings(context, False), "optimizer.learning_rate": "1e-12"}, ranks=1, steps=1))


def quickstart_arms(noise):
    def ours(context):
        return fanoise_rate(context.train("quickstart", "configs/quickstart.yaml", quickstart_settings(context, noise)))

    def theirs(processes, threads):
        return lambda context: peer_rate(context.peer(
            "clip.py", ["--checkpoint", quickstart_checkpoint(context), "--data", context.emoji(), "--steps", 24]
            + (["--noise", 0.1] if noise else []), processes, threads))

    return [Arm("fanoise 2 × 1", "mpirun -n 2 fanoise train --config configs/quickstart.yaml", ours),
            Arm("PyTorch 1 × 2", "clip.py, one process of two threads", theirs(1, 2)),
            Arm("PyTorch 2 × 1", "torchrun --nproc-per-node 2 clip.py", theirs(2, 1))]


def quickstart_agreement(context):
    arms = quickstart_arms(False)
    # Pictures are resized by different code, to a grey level.
    return same_losses(arms[0].run(context), arms[1].run(context), first=1e-3, later=1e-2)


# all-MiniLM-L6-v2 on the reverse dictionary.

MINILM = "configs/reverse-dictionary.yaml"


def minilm_settings(context, data):
    return {"model.init": environment.published_minilm(), "data.train": data}


def minilm_train(context, data, steps):
    return fanoise_rate(context.train(
        "minilm", MINILM, {**minilm_settings(context, data), "noise.scaling": "none", "batch.global": 256}, steps=steps))


def minilm_peer(processes, threads, steps=10, data=None):
    def run(context):
        file = data(context) if data else os.path.join(context.dictionary(), "train.jsonl")
        return peer_rate(context.peer("sentence.py", ["train", "--data", context.dictionary(), "--train", file, "--steps",
                                                      steps, "--output", context.path("runs", "peer")], processes, threads))

    return run


def minilm_agreement(context):
    file = context.definitions(256)
    return same_losses(minilm_train(context, file, 5), minilm_peer(1, 2, 5, lambda _: file)(context), first=1e-4, later=1e-2)


def minilm_encode(context):
    import time

    rows, output = context.definitions(20000), context.path("embeddings.npy")
    checkpoint = context.once(context.path("runs", "minilm-initial", "checkpoints", "step-00000001"), lambda: context.train(
        "minilm-initial", MINILM, {**minilm_settings(context, context.definitions(256)), "batch.global": 256,
                                   "optimizer.learning_rate": "1e-12"}, steps=1))
    if os.path.exists(output):
        os.remove(output)
    start = time.perf_counter()
    result = measure.run(["mpirun", "-n", "2", "--oversubscribe", "--bind-to", "none", context.program, "embed",
                          "--checkpoint", checkpoint, "--input", rows, "--side", "query", "--output", output],
                         mpi_environment(), ROOT)
    return {"rate": 20000 / (time.perf_counter() - start), "peak_bytes": result["peak_bytes"]}


def minilm_encode_peer(batch):
    return lambda context: peer_rate(context.peer(
        "sentence.py", ["encode", "--input", context.definitions(20000), "--column", "definition", "--batch", batch]))


ALL = [
    Case("quickstart", "The quick-start's model, one batch of 256 emojis with their names, without noise.", "samples/s",
         quickstart_arms(False), quickstart_agreement),
    Case("quickstart-noise", "The same with FANoise on both sides (PyTorch: an SVD of the batch).", "samples/s",
         quickstart_arms(True), quickstart_agreement),
    Case("minilm-train", "Fine-tuning all-MiniLM-L6-v2 on definitions and words, batch 256.", "samples/s",
         [Arm("fanoise 2 × 1", f"mpirun -n 2 fanoise train --config {MINILM}", lambda context: minilm_train(
             context, os.path.join(context.dictionary(), "train.jsonl"), 16)),
          Arm("sentence-transformers 1 × 2", "sentence.py train, one process of two threads", minilm_peer(1, 2)),
          Arm("sentence-transformers 2 × 1", "torchrun --nproc-per-node 2 sentence.py train", minilm_peer(2, 1))],
         minilm_agreement),
    Case("minilm-encode", "Embedding 20 000 definitions with all-MiniLM-L6-v2; fanoise: the whole command, start and file "
         "included; sentence-transformers: the call of encode alone.", "texts/s",
         [Arm("fanoise 2 × 1", "mpirun -n 2 fanoise embed", minilm_encode),
          Arm("sentence-transformers 1 × 2, batch 32", "sentence.py encode --batch 32", minilm_encode_peer(32)),
          Arm("sentence-transformers 1 × 2, batch 128", "sentence.py encode --batch 128", minilm_encode_peer(128))],
         lambda context: "embeddings: see docs/models.md"),
]
