"""Makes KernelGolden.swift: values of PyTorch in float64, by its own formulas and its own autograd.

    python kernels.py > KernelGolden.swift

Inputs are exact in float32: ramp(n, s)[i] = ((37 i + 11 s) mod 41 - 20) / 8.
"""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def ramp(count, stream):
    return torch.tensor([((37 * i + 11 * stream) % 41 - 20) / 8 for i in range(count)])


def leaf(values, *shape):
    return values.reshape(*shape).clone().requires_grad_(True)


def show(name, values):
    numbers = ", ".join(f"{v:.12g}" for v in values.detach().flatten().tolist())
    words, lines, line = numbers.split(" "), [], "       "
    for word in words:
        if len(line) + len(word) + 1 > 118:
            lines.append(line)
            line = "       "
        line += " " + word
    lines.append(line)
    print(f"    static let {name}: [Double] = [")
    print("\n".join(lines) + ",")
    print("    ]")


print(f"// Values of PyTorch {torch.__version__.split('+')[0]} in float64, made by kernels.py. Not edited by hand.\n")
print("enum KernelGolden {")

for name, function in [
    ("geluErf", lambda x: F.gelu(x)),
    ("geluTanh", lambda x: F.gelu(x, approximate="tanh")),
    ("quickGelu", lambda x: x * torch.sigmoid(1.702 * x)),
]:
    x = leaf(2 * ramp(23, 1), 23)
    y = function(x)
    (y * ramp(23, 2)).sum().backward()
    show(name, y)
    show(f"{name}Gradient", x.grad)

x, gain, shift = leaf(ramp(21, 1), 3, 7), leaf(ramp(7, 2), 7), leaf(ramp(7, 3), 7)
y = F.layer_norm(x, (7,), gain, shift, eps=1e-5)
(y * ramp(21, 4).reshape(3, 7)).sum().backward()
show("layerNorm", y)
show("layerNormInputGradient", x.grad)
show("layerNormGainGradient", gain.grad)
show("layerNormShiftGradient", shift.grad)

# Sequences of 2 and 3 rows, 2 heads of width 4.
for name, causal in [("attention", False), ("causalAttention", True)]:
    qkv = leaf(ramp(5 * 24, 5), 5, 24)
    outputs = []
    for rows in (qkv[:2], qkv[2:]):
        q, k, v = (part.reshape(-1, 2, 4).transpose(0, 1) for part in rows.split(8, dim=1))
        outputs.append(F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(0, 1).reshape(-1, 8))
    y = torch.cat(outputs)
    (y * ramp(40, 6).reshape(5, 8)).sum().backward()
    show(name, y)
    show(f"{name}Gradient", qkv.grad)

p = ramp(9, 7).clone().requires_grad_(True)
optimizer = torch.optim.AdamW([p], lr=0.01, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.1)
for step in range(1, 4):
    p.grad = ramp(9, 7 + step) / 2
    optimizer.step()
show("adamW", p)
state = optimizer.state[p]
show("adamWFirstMoment", state["exp_avg"])
show("adamWSecondMoment", state["exp_avg_sq"])
print("}")
