"""Golden values of the contrastive losses, by complex-step differentiation in float64: no gradient formula is used.

Writes GoldenValues.swift beside itself. Made with Python 3.11.7, numpy 2.4.6.   python3 make_golden.py
"""
import os

import numpy as np

N, K, E, TAU, BIAS, STEP = 5, 2, 3, 0.25, -0.75, 1e-30
IDS = [7, 3, 7, 1, 3, 9, 3, 8, 7, 2]


def rows(count, phase):
    # Multiples of 1/64: exact in float32, and the same in every library.
    i, e = np.meshgrid(np.arange(count), np.arange(E), indexing="ij")
    return ((i * 37 + e * 23 + phase * 11) % 97 - 48) / 64.0


def softplus(x):
    # log(1 + e^x) for complex x with a tiny imaginary part.
    return np.where(x.real > 0, x, 0) + np.log(1 + np.exp(np.where(x.real > 0, -x, x)))


def log_sum_exp(values):
    top = max(v.real for v in values)
    return top + np.log(sum(np.exp(v - top) for v in values))


def loss(kind, q, t, ids, tau, b):
    z = q @ t.T / tau
    part = lambda i, j: i == j or j >= len(ids) or ids[i] != ids[j]
    total = 0
    for i in range(N):
        if kind in ("infonce", "symmetric"):
            weight = 1 if kind == "infonce" else 0.5
            total += weight * (log_sum_exp([z[i, j] for j in range(K * N) if part(i, j)]) - z[i, i])
        if kind == "symmetric":
            total += 0.5 * (log_sum_exp([z[j, i] for j in range(N) if part(j, i)]) - z[i, i])
        if kind == "sigmoid":
            total += sum(softplus((-1 if i == j else 1) * (z[i, j] + b)) for j in range(K * N) if part(i, j))
    return total / N


def derivative(f, x):
    result = np.zeros(np.shape(x))
    for index in np.ndindex(np.shape(x)):
        moved = np.array(x, dtype=complex)
        moved[index] += 1j * STEP
        result[index] = f(moved).imag / STEP
    return result


def swift(values):
    return "[" + ", ".join(repr(float(v)) for v in np.ravel(values)) + "]"


q, t = rows(N, 1), rows(K * N, 2)
cases = []
for kind in ("infonce", "symmetric", "sigmoid"):
    for count in (0, N, K * N):
        ids = IDS[:count] if count else list(range(-N, 0))
        f = lambda q=q, t=t, tau=np.complex128(TAU), b=np.complex128(BIAS): loss(kind, q + 0j, t + 0j, ids, tau, b)
        cases.append(
            f"        GoldenCase(\n            kind: .{kind}, ids: {IDS[:count] if count else 'nil'}, loss: {float(f().real)!r},\n"
            f"            dtemperature: {float(derivative(lambda x: f(tau=x[()]), TAU))!r}, dbias: {float(derivative(lambda x: f(b=x[()]), BIAS))!r},\n"
            f"            dqueries: {swift(derivative(lambda x: f(q=x), q))},\n"
            f"            dtargets: {swift(derivative(lambda x: f(t=x), t))})")

text = f"""// Written by make_golden.py; not edited by hand.
// swift-format-ignore-file

import Losses

/// What complex-step differentiation in float64 gives for {N} queries and {K * N} targets of width {E}, τ = {TAU}, b = {BIAS}.
struct GoldenCase: Sendable {{
    let kind: ContrastiveLossOptions.Kind
    let ids: [Int64]?
    let loss, dtemperature, dbias: Double
    let dqueries, dtargets: [Double]

    static let queries: [Float] = {swift(q)}
    static let targets: [Float] = {swift(t)}

    static let all: [GoldenCase] = [
{(',' + chr(10)).join(cases)},
    ]
}}
"""
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "GoldenValues.swift"), "w") as file:
    file.write(text)
