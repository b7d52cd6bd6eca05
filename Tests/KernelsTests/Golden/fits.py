"""Fits the polynomials and rational functions of Sources/CVectorMath: minimax in a weighted error, by Lawson's reweighted least squares.

    python fits.py        (numpy, mpmath)
"""
import mpmath as mp
import numpy as np


def lawson(basis, target, weight, iterations=200):
    """Coefficients c and the largest |weight (basis c - target)|."""
    w = np.ones(len(target))
    a, b = basis * weight[:, None], target * weight
    for _ in range(iterations):
        s = np.sqrt(w)
        c, *_ = np.linalg.lstsq(a * s[:, None], b * s, rcond=None)
        error = np.abs(a @ c - b)
        w *= error / error.max() + 1e-12
        w /= w.mean()
    return c, error.max()


def lawson_rational(t, degrees, target, weight, iterations=400):
    """P and Q of P(t) / Q(t), Q(0) = 1, and the largest |weight (P / Q - target)|: Q's values weigh the linear problem of the next turn."""
    a, b = (np.vander(t, degree + 1, increasing=True) for degree in degrees)
    w, q, best = np.ones(len(t)), np.ones(len(t)), None
    for turn in range(iterations):
        row = weight / q * np.sqrt(w)
        matrix = np.hstack([a, -b[:, 1:] * target[:, None]]) * row[:, None]
        scale = np.linalg.norm(matrix, axis=0)
        c, *_ = np.linalg.lstsq(matrix / scale, target * row, rcond=1e-17)
        c /= scale
        numerator, denominator = c[: degrees[0] + 1], np.concatenate([[1], c[degrees[0] + 1 :]])
        q = b @ denominator
        error = np.abs(weight * (a @ numerator / q - target))
        if best is None or error.max() < best[2]:
            best = numerator, denominator, error.max()
        if turn > 5:
            w *= error / error.max() + 1e-7
            w /= w.mean()
    return best


def show(name, coefficients, error):
    print(name, [float(np.float32(v)) for v in coefficients], f"largest error {error:.2g}")


# e^r = 1 + r + r^2 q(r) for |r| <= ln 2 / 2.
half = float(mp.log(2) / 2) * 1.001
r = np.cos(np.pi * (np.arange(801) + 0.5) / 801) * half
q = np.array([float((mp.exp(x) - 1 - x) / x**2) for x in map(mp.mpf, r)])
show("exp: q", *lawson(np.vander(r, 5, increasing=True), q, r**2 * np.exp(-r)))

# 2^r = 1 + r q(r) for |r| <= 1/2.
r = np.cos(np.pi * (np.arange(801) + 0.5) / 801) * 0.5 * 1.001
q = np.array([float((mp.mpf(2) ** x - 1) / x) for x in map(mp.mpf, r)])
show("2^r: q", *lawson(np.vander(r, 6, increasing=True), q, r * np.exp2(-r)))

# Phi(-t) = e^(-t^2/2) P(t) / Q(t) for 0 <= t <= 8. What counts is the error of t Phi(-t), so of t e^(-t^2/2) P / Q; a smaller power of e
# keeps the relative error small where that is nothing any more.
t = (1 - np.cos(np.pi * (np.arange(2000) + 0.5) / 2000)) * 4
tail = np.array([float(mp.erfc(x / mp.sqrt(2)) * mp.exp(x * x / 2) / 2) for x in map(mp.mpf, t)])
p, q, error = lawson_rational(t, (3, 4), tail, np.maximum(1, t) * np.exp(-t * t / 20))
show("normal tail: P", p, error)
show("normal tail: Q", q, np.max(np.abs(np.vander(t, 4, increasing=True) @ p / (np.vander(t, 5, increasing=True) @ q) / tail - 1)))
