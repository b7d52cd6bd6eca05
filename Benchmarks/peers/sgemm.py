#!/usr/bin/env python3
"""Large float32 products of NumPy's BLAS and of PyTorch. One JSON object on the last line: {"NumPy": GFLOP/s, "PyTorch": GFLOP/s}.

  sgemm.py [--seconds 1]

Each rate is the median of products of 1024 or 2048 rows, columns and terms, whichever is greater.
"""
import argparse
import json
import os
import statistics
import time

# Both libraries on as many threads; NumPy's BLAS reads this when it is loaded.
THREADS = os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))
os.environ.setdefault("OPENBLAS_NUM_THREADS", THREADS)

import numpy  # noqa: E402
import torch  # noqa: E402


def rate(size, multiply, seconds):
    """GFLOP/s of the median call within some seconds, the first left out."""
    multiply()
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        multiply()
        times.append(time.perf_counter() - start)
    return 2 * size**3 / statistics.median(times) / 1e9


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each library and size")
    options = parser.parse_args()
    torch.set_num_threads(int(THREADS))
    rates = {"NumPy": [], "PyTorch": []}
    for size in (1024, 2048):
        a, b = numpy.random.default_rng(1).random((2, size, size), numpy.float32)
        c = numpy.empty_like(a)
        rates["NumPy"].append(rate(size, lambda: numpy.matmul(a, b, out=c), options.seconds))
        a, b, c = map(torch.from_numpy, (a, b, c))
        rates["PyTorch"].append(rate(size, lambda: torch.mm(a, b, out=c), options.seconds))
    print(json.dumps({library: max(told) for library, told in rates.items()}))


if __name__ == "__main__":
    main()
