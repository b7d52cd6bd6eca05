"""Reference values of 20 steps of every optimizer in float64 (so that they are the exact answer to float32's precision).

    python3 Tests/Golden/optimizers.py > Tests/OptimizersTests/OptimizerGolden.swift

Written with torch 2.15.0. AdamW and SGD are torch.optim's; SGD's weight decay is applied decoupled, before its step, as the product does.
Lion and LAMB are the papers' algorithms (arXiv 2302.06675, algorithm 2; arXiv 1904.00962, algorithm 2, with the trust ratio on parameters
that decay). Gradients are a formula, so that only parameters need storing: g[i] = sin(0.7 i + 1.3 t + k) * 10^(i % 5 - 3) for element i
of parameter k at step t. Clipping is that of torch.nn.utils.clip_grad_norm_ with the given limit.
"""
import torch

SHAPES = [("matrix", 5, True), ("bias", 3, False), ("embedding", 18, True), ("temperature", 1, False)]
CASES = [
    # name, rule in Swift, learning rate, weight decay, clip, rule here
    ("AdamW", ".adamW(AdamW(beta1: 0.9, beta2: 0.98, epsilon: 1e-6, weightDecay: 0.1))", 1e-2, 0.1, None, ("adamw", (0.9, 0.98), 1e-6)),
    ("AdamW, clipped", ".adamW(AdamW(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.3))", 1e-2, 0.3, 0.25, ("adamw", (0.9, 0.999), 1e-8)),
    ("AdamW, large epsilon", ".adamW(AdamW(beta1: 0.5, beta2: 0.9, epsilon: 1e-2, weightDecay: 0))", 3e-3, 0.0, None, ("adamw", (0.5, 0.9), 1e-2)),
    ("SGD", ".sgd(SGD(momentum: 0, weightDecay: 0.1))", 1e-2, 0.1, None, ("sgd", 0.0, False)),
    ("SGD, momentum", ".sgd(SGD(momentum: 0.9, weightDecay: 0.2))", 1e-2, 0.2, 0.5, ("sgd", 0.9, False)),
    ("SGD, Nesterov", ".sgd(SGD(momentum: 0.8, nesterov: true, weightDecay: 0))", 1e-2, 0.0, None, ("sgd", 0.8, True)),
    ("Lion", ".lion(Lion(beta1: 0.9, beta2: 0.99, weightDecay: 0.5))", 3e-3, 0.5, None, ("lion", (0.9, 0.99))),
    ("Lion, clipped", ".lion(Lion(beta1: 0.95, beta2: 0.98, weightDecay: 0))", 3e-3, 0.0, 0.25, ("lion", (0.95, 0.98))),
    ("LAMB", ".lamb(LAMB(beta1: 0.9, beta2: 0.999, epsilon: 1e-6, weightDecay: 0.1))", 1e-2, 0.1, None, ("lamb", (0.9, 0.999), 1e-6)),
    ("LAMB, clipped", ".lamb(LAMB(beta1: 0.8, beta2: 0.9, epsilon: 1e-3, weightDecay: 0))", 1e-2, 0.0, 0.3, ("lamb", (0.8, 0.9), 1e-3)),
]


class Lion:
    def __init__(self, groups, rate, betas):
        self.groups, self.rate, self.betas, self.m = groups, rate, betas, {}

    def step(self):
        for q, decay in self.groups:
            g, m = q.grad, self.m.get(q, torch.zeros_like(q))
            with torch.no_grad():
                q -= self.rate * (torch.sign(self.betas[0] * m + (1 - self.betas[0]) * g) + decay * q)
            self.m[q] = self.betas[1] * m + (1 - self.betas[1]) * g


class Lamb:
    def __init__(self, groups, rate, betas, epsilon, decays):
        self.groups, self.rate, self.betas, self.epsilon, self.decays, self.state, self.t = groups, rate, betas, epsilon, decays, {}, 0

    def step(self):
        self.t += 1
        for (q, decay), decays in zip(self.groups, self.decays):
            m, v = self.state.get(q, (torch.zeros_like(q), torch.zeros_like(q)))
            m = self.betas[0] * m + (1 - self.betas[0]) * q.grad
            v = self.betas[1] * v + (1 - self.betas[1]) * q.grad ** 2
            self.state[q] = (m, v)
            r = (m / (1 - self.betas[0] ** self.t)) / ((v / (1 - self.betas[1] ** self.t)).sqrt() + self.epsilon)
            with torch.no_grad():
                u = r + decay * q
                trust = q.norm() / u.norm() if decays and q.norm() > 0 and u.norm() > 0 else 1.0
                q -= self.rate * trust * u


print("// Written by optimizers.py with torch " + torch.__version__.split("+")[0] + "; not by hand.\n")
print("@testable import Optimizers\n")
print("/// A rule, and the parameters after 20 steps, one array for each parameter of the layout.")
print("struct OptimizerGolden: Sendable {")
print("    let name: String\n    let rule: Optimizer\n    let learningRate: Double\n    let clip: Double?\n    let parameters: [[Double]]\n")
print("    static let cases = [")
for name, swift, rate, decay, clip, rule in CASES:
    p = [torch.nn.Parameter(torch.cos(torch.arange(n, dtype=torch.float64) * 0.9 + k)) for k, (_, n, _) in enumerate(SHAPES)]
    pairs = [(q, decay if s[2] else 0.0) for q, s in zip(p, SHAPES)]
    if rule[0] == "adamw":
        optimizer = torch.optim.AdamW([{"params": [q], "weight_decay": d} for q, d in pairs], lr=rate, betas=rule[1], eps=rule[2])
    elif rule[0] == "sgd":
        optimizer = torch.optim.SGD(p, lr=rate, momentum=rule[1], nesterov=rule[2])
    elif rule[0] == "lion":
        optimizer = Lion(pairs, rate, rule[1])
    else:
        optimizer = Lamb(pairs, rate, rule[1], rule[2], [s[2] for s in SHAPES])
    for t in range(1, 21):
        for k, q in enumerate(p):
            i = torch.arange(q.numel(), dtype=torch.float64)
            q.grad = torch.sin(0.7 * i + 1.3 * t + k) * 10.0 ** (i % 5 - 3)
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(p, clip)
        if rule[0] == "sgd":
            with torch.no_grad():
                for q, d in pairs:
                    q *= 1 - rate * d
        optimizer.step()
    print(f'        OptimizerGolden(\n            name: "{name}", rule: {swift}, learningRate: {rate},')
    print(f'            clip: {"nil" if clip is None else clip},\n            parameters: [')
    for q in p:
        values = [repr(x) for x in q.tolist()]
        print("                [")
        for start in range(0, len(values), 4):
            print("                    " + ", ".join(values[start:start + 4]) + ",")
        print("                ],")
    print("            ]),")
print("    ]\n}")
