#!/usr/bin/env python3
"""Golden values of both encoders from PyTorch in float64, for EncoderGoldenTests.swift.

Weights are a formula (element k of the parameter with index p: amplitude * sin(0.37 k + 1.3 p + 0.1), norms' gains 1 + that), so
that both sides build the same model without exchanging files. The loss is sum(output * cos(0.11 k)).
Run: python3 encoders.py > encoders.json      (made with torch 2.x; any version agrees to 1e-9)
"""
import json, math, torch

torch.set_default_dtype(torch.float64)


class Store:
    def __init__(self):
        self.p = []

    def __call__(self, name, *shape):
        n = math.prod(shape)
        k = torch.arange(n, dtype=torch.float64)
        amplitude = 0.3 / math.sqrt(shape[-1]) * 2
        v = amplitude * torch.sin(0.37 * k + 1.3 * len(self.p) + 0.1)
        if name.endswith("norm.weight"):
            v = 1 + v
        v = v.reshape(shape).requires_grad_()
        self.p.append((name, v))
        return v


def linear(s, name, i, o, bias=True):
    w = s(name + ".weight", o, i)
    b = s(name + ".bias", o) if bias else None
    return lambda x: torch.nn.functional.linear(x, w, b)


def norm(s, name, d):
    g, b = s(name + ".weight", d), s(name + ".bias", d)
    return lambda x: torch.nn.functional.layer_norm(x, (d,), g, b, 1e-5)


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


ACT = {
    "gelu": torch.nn.functional.gelu,
    "gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    "quick_gelu": quick_gelu,
}


def block(s, name, d, heads, hidden, act):
    n1, qkv = norm(s, name + ".attention_norm", d), linear(s, name + ".attention.qkv", d, 3 * d)
    out, n2 = linear(s, name + ".attention.output", d, d), norm(s, name + ".mlp_norm", d)
    fc, pr = linear(s, name + ".mlp.hidden", d, hidden), linear(s, name + ".mlp.output", hidden, d)

    def f(x, causal):  # x [T, D], one sequence
        t = x.shape[0]
        q, k, v = qkv(n1(x)).view(t, 3, heads, d // heads).permute(1, 2, 0, 3)
        a = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        x = x + out(a.transpose(0, 1).reshape(t, d))
        return x + pr(act(fc(n2(x))))

    return f


def vit(pooling, act, input_norm):
    s = Store()
    S, p, d, h, hid, e, B = 8, 4, 12, 3, 20, 6, 3
    g = S // p
    patch = linear(s, "m.patch_embedding", 3 * p * p, d, False)
    cls = s("m.class_token", d) if pooling == "class_token" else None
    pos = s("m.positions", g * g + (cls is not None), d)
    inn = norm(s, "m.input_norm", d) if input_norm else (lambda x: x)
    blocks = [block(s, f"m.blocks.{i}", d, h, hid, ACT[act]) for i in range(2)]
    on, proj = norm(s, "m.output_norm", d), linear(s, "m.projection", d, e, False)
    images = torch.sin(0.05 * torch.arange(B * 3 * S * S)).view(B, 3, S, S)
    rows = []
    for b in range(B):
        x = torch.nn.functional.unfold(images[b:b + 1], p, stride=p)[0].T
        x = patch(x)
        if cls is not None:
            x = torch.cat([cls[None], x])
        x = inn(x + pos)
        for f in blocks:
            x = f(x, False)
        rows.append(proj(on(x[0]) if cls is not None else on(x).mean(0)))
    return s, torch.stack(rows)


def text(pooling, causal, act):
    s = Store()
    V, T, d, h, hid, e = 11, 7, 12, 2, 24, 5
    tok, pos = s("m.tokens", V, d), s("m.positions", T, d)
    blocks = [block(s, f"m.blocks.{i}", d, h, hid, ACT[act]) for i in range(2)]
    on, proj = norm(s, "m.output_norm", d), linear(s, "m.projection", d, e, False)
    rows = []
    for ids in ([1, 4, 2], [1, 2], [1, 9, 9, 3, 10, 5, 2], [2]):
        x = tok[torch.tensor(ids)] + pos[:len(ids)]
        for f in blocks:
            x = f(x, causal)
        rows.append(proj(on(x[-1]) if pooling == "end_of_text" else on(x).mean(0)))
    return s, torch.stack(rows)


cases = {}
for name, (s, out) in {
    "vit class_token gelu": vit("class_token", "gelu", False),
    "vit class_token quick_gelu input_norm": vit("class_token", "quick_gelu", True),
    "vit mean gelu_tanh": vit("mean", "gelu_tanh", False),
    "text end_of_text causal gelu": text("end_of_text", True, "gelu"),
    "text mean bidirectional quick_gelu": text("mean", False, "quick_gelu"),
}.items():
    (out.flatten() * torch.cos(0.11 * torch.arange(out.numel()))).sum().backward()
    cases[name] = {
        "output": [float(f"{v:.9g}") for v in out.flatten().tolist()],
        "gradients": {n: [float(f"{v:.9g}") for v in p.grad.flatten().tolist()] for n, p in s.p},
    }
print(json.dumps(cases, separators=(",", ":")))
