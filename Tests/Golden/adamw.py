"""Reference values of 20 AdamW steps, from torch.optim.AdamW in float64 (so that they are the exact answer to float32's precision).

    python3 Tests/Golden/adamw.py > Tests/OptimizersTests/AdamWGolden.swift

Written with torch 2.13.0. Gradients are a formula, so that only parameters need storing: g[i] = sin(0.7 i + 1.3 t + k) * 10^(i % 5 - 3)
for element i of parameter k at step t. Clipping is that of torch.nn.utils.clip_grad_norm_ with the given limit.
"""
import torch

SHAPES = [("matrix", 5, True), ("bias", 3, False), ("embedding", 18, True), ("temperature", 1, False)]
CASES = [("plain", 1e-2, (0.9, 0.98), 1e-6, 0.1, None), ("clipped", 1e-2, (0.9, 0.999), 1e-8, 0.3, 0.25), ("largeEpsilon", 3e-3, (0.5, 0.9), 1e-2, 0.0, None)]

print("// Written by adamw.py with torch " + torch.__version__.split("+")[0] + "; not by hand.\n")
print("/// Settings, and the parameters after 20 steps, one array for each parameter of the layout.")
print("struct AdamWGolden: Sendable {")
print("    let name: String\n    let learningRate, beta1, beta2, epsilon, weightDecay: Double\n    let clip: Double?\n    let parameters: [[Double]]\n")
print("    static let cases = [")
for name, rate, betas, epsilon, decay, clip in CASES:
    p = [torch.nn.Parameter(torch.cos(torch.arange(n, dtype=torch.float64) * 0.9 + k)) for k, (_, n, _) in enumerate(SHAPES)]
    groups = [{"params": [q for q, s in zip(p, SHAPES) if s[2]], "weight_decay": decay}, {"params": [q for q, s in zip(p, SHAPES) if not s[2]], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=betas, eps=epsilon)
    for t in range(1, 21):
        for k, q in enumerate(p):
            i = torch.arange(q.numel(), dtype=torch.float64)
            q.grad = torch.sin(0.7 * i + 1.3 * t + k) * 10.0 ** (i % 5 - 3)
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(p, clip)
        optimizer.step()
    print(f'        AdamWGolden(\n            name: "{name}", learningRate: {rate}, beta1: {betas[0]}, beta2: {betas[1]}, epsilon: {epsilon}, weightDecay: {decay},')
    print(f'            clip: {"nil" if clip is None else clip},\n            parameters: [')
    for q in p:
        values = [repr(x) for x in q.tolist()]
        print("                [")
        for start in range(0, len(values), 4):
            print("                    " + ", ".join(values[start:start + 4]) + ",")
        print("                ],")
    print("            ]),")
print("    ]\n}")
