"""Fits the polynomials of Sources/CVectorMath: minimax in the relative error, by Lawson's reweighted least squares.

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


def show(name, coefficients, error):
    print(name, [float(np.float32(v)) for v in coefficients], f"largest relative error {error:.2g}")


# e^r = 1 + r + r^2 q(r) for |r| <= ln 2 / 2.
half = float(mp.log(2) / 2) * 1.001
r = np.cos(np.pi * (np.arange(801) + 0.5) / 801) * half
q = np.array([float((mp.exp(x) - 1 - x) / x**2) for x in map(mp.mpf, r)])
show("exp: q", *lawson(np.vander(r, 5, increasing=True), q, r**2 * np.exp(-r)))

# 2^r = 1 + r q(r) for |r| <= 1/2.
r = np.cos(np.pi * (np.arange(801) + 0.5) / 801) * 0.5 * 1.001
q = np.array([float((mp.mpf(2) ** x - 1) / x) for x in map(mp.mpf, r)])
show("2^r: q", *lawson(np.vander(r, 6, increasing=True), q, r * np.exp2(-r)))

# Phi(-t) = e^(-t^2/2) u p(u), u = 1 / (1 + 0.35 t), for 0 <= t <= 14.
u = np.linspace(1 / (1 + 0.35 * 14), 1, 1500)
t = (1 / u - 1) / 0.35
tail = np.array([float(mp.erfc(x / mp.sqrt(2)) * mp.exp(x * x / 2) / 2) for x in map(mp.mpf, t)])
show("normal tail: p", *lawson(np.vander(u, 10, increasing=True)[:, 1:], tail, 1 / tail))
