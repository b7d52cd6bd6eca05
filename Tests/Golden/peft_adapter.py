"""An adapter written by peft for a little tower, and what the tower gives with it.

    python3 Tests/Golden/peft_adapter.py Tests/TrainingTests/Golden/peft

Written with torch 2.15.0 and peft 0.21.2. The tower is two linear layers under the names that the test's layers have; all numbers are
formulas, so that only the adapter itself and the outputs are stored.
"""
import json, os, sys
import torch, peft


def formula(shape, k):
    n = torch.Size(shape).numel()
    return (torch.sin(torch.arange(n, dtype=torch.float64) * 0.7 + k) * 0.5).reshape(shape)


class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (torch.nn.Linear(6, 4) for _ in range(3))


class Tower(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = Attention()
        self.projection = torch.nn.Linear(12, 5, bias=False)

    def forward(self, x):
        return self.projection(torch.cat([self.attention.query(x), self.attention.key(x), self.attention.value(x)], -1))


folder = sys.argv[1]
tower = Tower().double()
with torch.no_grad():
    # The fused layer's weight is one formula over all three parts.
    fused, bias = formula((12, 6), 1), formula((12,), 2)
    for i, layer in enumerate((tower.attention.query, tower.attention.key, tower.attention.value)):
        layer.weight.copy_(fused[4 * i:4 * i + 4])
        layer.bias.copy_(bias[4 * i:4 * i + 4])
    tower.projection.weight.copy_(formula((5, 12), 3))
model = peft.get_peft_model(tower, peft.LoraConfig(r=2, lora_alpha=6, target_modules=["query", "value", "projection"], lora_dropout=0.0))
with torch.no_grad():
    for k, (name, p) in enumerate(sorted((n, p) for n, p in model.named_parameters() if "lora_" in n)):
        p.copy_(formula(p.shape, 10 + k))
model = model.float()
model.save_pretrained(folder)
os.remove(folder + "/README.md")
y = model.double()(formula((3, 6), 4))
json.dump(y.flatten().tolist(), open(folder + "/outputs.json", "w"))
