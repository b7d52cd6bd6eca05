"""The contrastive loss by itself, as `fanoise loss` computes it on two ranks, beside the dense one of PyTorch."""
import os

import measure
from case import Arm, Case, outcome

TEMPERATURE = 0.07
MILLION = 1 << 20


def arrays(context, rows, width):
    """Paths of unit rows: positives lean towards their queries."""
    import numpy

    paths = [context.path(f"loss-{rows}-{width}-{side}.npy") for side in ("queries", "targets")]
    if not all(map(os.path.exists, paths)):
        generator = numpy.random.default_rng(1)
        queries = generator.standard_normal((rows, width), dtype=numpy.float32)
        targets = 0.5 * queries + generator.standard_normal((rows, width), dtype=numpy.float32)
        for path, values in zip(paths, (queries, targets)):
            numpy.save(path, values / numpy.linalg.norm(values, axis=1, keepdims=True))
    return paths


def fitting_rows():
    """32 768 where the dense loss has room for its four matrices of N × N numbers, else the half, and so on."""
    with open("/proc/meminfo") as file:
        available = next(1024 * int(line.split()[1]) for line in file if line.startswith("MemAvailable"))
    rows = 32768
    while rows > 1024 and 4 * 4 * rows * rows + (1 << 30) > available:
        rows //= 2
    return rows


ROWS, WIDTH = fitting_rows(), 512


def fanoise(context, rows, width, kind="infonce", further=()):
    queries, targets = arrays(context, rows, width)
    return context.ranks(2, ["loss", "--queries", queries, "--targets", targets, "--loss", kind, "--temperature", TEMPERATURE, "--json",
                             *further])


def ours(kind, rows=ROWS, width=WIDTH):
    def run(context):
        result = fanoise(context, rows, width, kind)
        beyond = result["peak_bytes"] - 4 * 4 * rows * width
        return outcome(result, result["json"]["seconds"], more={"MB beyond inputs and gradients, the programs included": beyond / 1e6})

    return run


def dense(context, kind, rows, width, further=()):
    queries, targets = arrays(context, rows, width)
    return context.peer("dense.py", ["--queries", queries, "--targets", targets, "--loss", kind, "--temperature", TEMPERATURE, *further])


def theirs(kind):
    def run(context):
        result = dense(context, kind, ROWS, WIDTH)
        beyond = result["peak_bytes"] - 4 * 4 * ROWS * WIDTH
        return outcome(result, result["json"]["seconds"], more={"MB beyond inputs and gradients, the programs included": beyond / 1e6})

    return run


def agreement(kind, rows=4096):
    def check(context):
        import numpy

        folders = [context.path(f"gradients-{side}") for side in ("fanoise", "dense")]
        os.makedirs(folders[1], exist_ok=True)
        a = fanoise(context, rows, WIDTH, kind, ["--precision", "single", "--gradients", folders[0]])["json"]["loss"]
        b = dense(context, kind, rows, WIDTH, ["--gradients", folders[1]])["json"]["loss"]
        worst = 0.0
        for name in ("queries.npy", "targets.npy"):
            x, y = (numpy.load(os.path.join(folder, name)) for folder in folders)
            worst = max(worst, float(numpy.linalg.norm(x - y) / numpy.linalg.norm(y)))
        if abs(a - b) > 1e-5 * abs(b) or worst > 1e-4:
            raise measure.Failed(f"the sides do not compute the same: losses {a} and {b}, gradients {worst:.1e} apart")
        return f"at N = {rows} losses differ by {abs(a - b) / abs(b):.1e} and gradients by {worst:.1e} of their norm"

    return check


def sampled(rows, sample=4096, width=128):
    def run(context):
        result = fanoise(context, rows, width, further=["--sample-rows", sample])
        told = result["json"]
        return outcome(result, told["extrapolated_seconds"], more={
            "bytes a row, inputs and gradients (2048) included": result["peak_bytes"] / rows,
            "GFLOP/s": 6 * told["sampled_rows"] * rows * width / told["seconds"] / 1e9})

    return run


def sample_agreement(context, rows=8192, sample=512, width=128):
    """The sample's loss against float64."""
    import numpy

    queries, targets = (numpy.load(path).astype(float) for path in arrays(context, rows, width))
    told = measure.run([context.program, "loss", *sum(([f"--{side}", path] for side, path in zip(
        ("queries", "targets"), arrays(context, rows, width))), []), "--temperature", str(TEMPERATURE), "--tile", "512", "--sample-rows",
        str(sample), "--json"])["json"]
    logits = queries[: told["sampled_rows"]] @ targets.T / TEMPERATURE
    top = logits.max(1)
    expected = float((top + numpy.log(numpy.exp(logits - top[:, None]).sum(1)) - logits.diagonal()).mean())
    if abs(told["loss"] - expected) > 1e-5 * expected:
        raise measure.Failed(f"the sample's loss is {told['loss']}, expected {expected}")
    return f"the loss of the first {told['sampled_rows']} of {rows} rows differs by {abs(told['loss'] / expected - 1):.1e} from float64"


def case(kind, name, what):
    return Case(name, f"{what} and its gradients, N = {ROWS}, E = {WIDTH}, τ = {TEMPERATURE}, without reading files; PyTorch has all N × N "
                "logits in memory.", "s",
                [Arm("fanoise 2 × 1", f"mpirun -n 2 fanoise loss --loss {kind} --queries Q.npy --targets T.npy", ours(kind)),
                 Arm("PyTorch 1 × 2", f"dense.py --loss {kind}", theirs(kind))],
                agreement(kind), lambda context: 6 * ROWS * ROWS * WIDTH, lower_is_better=True)


CASES = [
    case("infonce", "loss", "InfoNCE"),
    case("symmetric", "loss-symmetric", "Symmetric InfoNCE"),
    Case("loss-million", "InfoNCE with gradients of batches up to a million rows, E = 128: a sample of 4096 rows against all targets, time "
         "extrapolated to all rows.", "s for all rows",
         [Arm(f"fanoise 2 × 1, N = {rows}", "mpirun -n 2 fanoise loss --sample-rows 4096", sampled(rows))
          for rows in (MILLION, MILLION // 2, MILLION // 4)],
         sample_agreement, lower_is_better=True, most_rounds=1, compares=False),
]
