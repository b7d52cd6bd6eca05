"""Writes GoldenNoise.swift: the published form of FANoise, X + alpha/sqrt(n) (eps V diag(S)) V^T, by numpy's SVD in float64.

Run:  python3 make_golden.py > ../GoldenNoise.swift     (Python 3.11.7, numpy 2.4.6)
"""
import sys

import numpy as np


def noise(x, eps, power, matched, centre):
    m, n = x.shape
    batch = x - x.mean(axis=0) if centre else x
    u, s, vt = np.linalg.svd(batch, full_matrices=False)
    removed = np.sqrt(m) * np.linalg.norm(x.mean(axis=0)) if centre else 0.0
    floor = max(s[0], removed) * max(m, n) * np.finfo(np.float32).eps
    powers = np.where(s > floor, np.power(np.where(s > floor, s, 1.0), power), 0.0)
    gains = powers / powers.mean()
    if matched:
        gains *= np.sqrt(n / (gains**2).sum())
    return 1 / np.sqrt(n) * (eps @ vt.T * gains) @ vt, s


def literal(values):
    """One number a line would be long; eight significant digits more than float32 needs."""
    flat = np.asarray(values).ravel()
    lines = [", ".join(repr(float(v)) for v in flat[i:i + 4]) for i in range(0, len(flat), 4)]
    return "[\n            " + ",\n            ".join(lines) + ",\n        ]"


def main():
    rng = np.random.default_rng(20251120)
    out = sys.stdout
    out.write("// Reference values, written by Golden/make_golden.py; do not edit. Strength 1.\n\n")
    out.write("struct GoldenNoise: Sendable {\n    var rows: Int\n    var columns: Int\n    var power: Double\n")
    out.write("    var isMatched: Bool\n    var isCentred: Bool\n    var x: [Float]\n    var gaussian: [Float]\n")
    out.write("    var singularValues: [Double]\n    var noise: [Double]\n\n    static let all: [GoldenNoise] = [\n")
    cases = [(6, 4, 6, .5, False, False), (3, 5, 3, .5, False, False), (6, 4, 2, .5, False, False), (5, 5, 5, 1., True, False),
             (6, 4, 6, 0., False, True), (4, 7, 4, .5, True, True), (3, 6, 1, 0., True, False)]
    for m, n, rank, power, matched, centre in cases:
        x = (rng.normal(size=(m, min(rank, m))) @ rng.normal(size=(min(rank, m), n)) + (1.5 if centre else 0)).astype(np.float32)
        eps = rng.normal(size=(m, n)).astype(np.float32)
        result, s = noise(x.astype(np.float64), eps.astype(np.float64), power, matched, centre)
        out.write(f"        GoldenNoise(\n        rows: {m}, columns: {n}, power: {power}, isMatched: {str(matched).lower()},")
        out.write(f" isCentred: {str(centre).lower()},\n        x: {literal(x)},\n        gaussian: {literal(eps)},\n")
        out.write(f"        singularValues: {literal(s)},\n        noise: {literal(result)}),\n")
    out.write("    ]\n}\n")


main()
