#!/usr/bin/env python3
"""The contrastive loss with all logits in memory, and its gradients. One JSON object on the last line.

  dense.py --queries Q.npy --targets T.npy [--loss infonce|symmetric --temperature 0.07 --gradients DIR]
"""
import argparse
import json
import os
import time

import numpy
import torch
import torch.nn.functional as F


def evaluate(queries, targets, kind, temperature):
    """Loss; leaves the gradients in both arguments."""
    logits = queries @ targets.T / temperature
    right = torch.arange(len(queries))
    loss = F.cross_entropy(logits, right)
    if kind == "symmetric":
        loss = (loss + F.cross_entropy(logits.T, right)) / 2
    loss.backward()
    return loss.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--targets", required=True)
    parser.add_argument("--loss", choices=("infonce", "symmetric"), default="infonce")
    parser.add_argument("--temperature", type=float, default=0.07)
    parser.add_argument("--gradients", help="folder for queries.npy and targets.npy")
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    queries, targets = (torch.from_numpy(numpy.load(path)).requires_grad_() for path in (options.queries, options.targets))
    evaluate(queries[:512].detach().requires_grad_(), targets[:512].detach().requires_grad_(), options.loss, options.temperature)
    start = time.perf_counter()
    loss = evaluate(queries, targets, options.loss, options.temperature)
    seconds = time.perf_counter() - start
    if options.gradients:
        numpy.save(os.path.join(options.gradients, "queries.npy"), queries.grad.numpy())
        numpy.save(os.path.join(options.gradients, "targets.npy"), targets.grad.numpy())
    print(json.dumps({"seconds": seconds, "loss": loss, "threads": torch.get_num_threads(), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
