"""Where programs and data are, and how both sides are run."""
import json
import os
import sys

import measure

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PEERS = os.path.join(ROOT, "Benchmarks", "peers")
sys.path.insert(0, PEERS)
import environment  # noqa: E402


class Context:
    """What is made once for all cases lies in .build/bench."""

    def __init__(self):
        self.root = ROOT
        self.program = os.path.join(ROOT, ".build", "release", "fanoise")
        self.python = sys.executable
        self.folder = os.path.join(ROOT, ".build", "bench")
        self.said = {}
        os.makedirs(self.folder, exist_ok=True)

    def say_once(self, key, make):
        """What `make` says, asked once a session."""
        if key not in self.said:
            self.said[key] = make()
        return self.said[key]

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def once(self, path, make):
        """The path, made if it is not there."""
        if not os.path.exists(path):
            make()
        return path

    # Data

    def emoji(self, count=256):
        """Rows of the emoji data set, each with an id of its own: an epoch of one batch."""
        data = self.once(self.path("emoji"),
                         lambda: measure.run([self.program, "data", "emoji", "--output", self.path("emoji")], folder=ROOT))
        return self.cut(os.path.join(data, "train.jsonl"), os.path.join(data, f"bench-{count}.jsonl"), count)

    def dictionary(self):
        return self.once(self.path("dictionary"), lambda: measure.run(
            [self.program, "data", "reverse-dictionary", "--output", self.path("dictionary")]))

    def definitions(self, count):
        """Rows with different words, spread over the training rows."""
        return self.cut(os.path.join(self.dictionary(), "train.jsonl"), self.path(f"definitions-{count}.jsonl"), count, spread=True)

    def cut(self, source, path, count, spread=False):
        """The first rows of different ids in another file."""

        def make():
            seen, kept = set(), []
            with open(source, encoding="utf-8") as file:
                lines = file.readlines()
            for line in (lines[:: max(1, len(lines) // (2 * count))] if spread else []) + lines:
                row = json.loads(line)
                if row["id"] not in seen and len(kept) < count:
                    seen.add(row["id"])
                    kept.append(line)
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(kept)

        return self.once(path, make)

    # Runs

    def ranks(self, count, arguments, watch=None):
        """fanoise as so many ranks of one thread."""
        command = [] if count == 1 else ["mpirun", "-n", str(count), "--oversubscribe", "--bind-to", "none"]
        return measure.run(command + [self.program, *map(str, arguments)], mpi_environment(), ROOT, watch=watch)

    def train(self, name, config, settings, ranks=2, steps=24, watch=None):
        """A training run of `ranks` processes; its metrics, row by row, and what measure.run says."""
        settings = {"name": name, "output": self.path("runs"), "steps": steps, "log.every": 1, "evaluate.sets": "{}",
                    "evaluate.every": "null", "checkpoint.every": "null", **settings}
        arguments = ["train", "--config", config, "--resume", "never"]
        for key, value in settings.items():
            arguments += ["--set", f"{key}={value}"]
        folder = self.path("runs", name)
        measure.run(["rm", "-rf", folder])
        result = self.ranks(ranks, arguments, watch)
        with open(os.path.join(folder, "metrics.jsonl"), encoding="utf-8") as file:
            result["rows"] = [row for row in map(json.loads, file) if row.get("loss") is not None]
        return result

    def peer(self, script, arguments, processes=1, threads=2):
        """One of the scripts in Benchmarks/peers, with so many processes of so many threads; its JSON object is there."""
        command = [self.python]
        if processes > 1:
            command += ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--master-port", "29571"]
        command += [os.path.join(PEERS, script)] + [str(argument) for argument in arguments]
        result = measure.run(command, environment.variables(threads), ROOT)
        if result["json"] is None:
            raise measure.Failed(f"{' '.join(command)}\nprinted no JSON object")
        return result


def mpi_environment():
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"} if os.getuid() == 0 else {}
    return {**allowed, "OMPI_MCA_plm_rsh_agent": "false"}
