"""Golden values of NegativeRulesTests: hard negatives by sentence-transformers, from embeddings that are given.

Versions: Python 3.11, sentence-transformers 6.2.0, datasets 5.2.0, torch 2.15.0 (CPU), numpy 2.4.6.
Run: python negatives.py > negatives.json
"""

import json

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers.util import mine_hard_negatives

rng = np.random.default_rng(5)


def unit(rows):
    rows = rng.normal(size=(rows, 8))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).round(4).astype(np.float32)


QUERIES, CORPUS = 30, 90
queries, corpus = unit(QUERIES), unit(CORPUS)
# Half of the positives are near their query.
positives = [[q] if q % 3 else [q, q + QUERIES] for q in range(QUERIES)]
for q in range(0, QUERIES, 2):
    corpus[q] = (0.8 * queries[q] + 0.2 * corpus[q]).round(4)


class Model:
    """Stands for a SentenceTransformer: texts are numbers."""

    device = torch.device("cpu")

    class model_card_data:
        base_model = "none"

    def encode_query(self, texts, **_):
        return queries[[int(t[1:]) for t in texts]]

    def encode_document(self, texts, **_):
        return corpus[[int(t[1:]) for t in texts]]

    def similarity(self, a, b):
        return torch.as_tensor(a) @ torch.as_tensor(b).T

    def similarity_pairwise(self, a, b):
        return (torch.as_tensor(a) * torch.as_tensor(b)).sum(1)


pairs = [(f"q{q}", f"d{p}") for q in range(QUERIES) for p in positives[q]]
data = Dataset.from_dict({"query": [q for q, _ in pairs], "positive": [p for _, p in pairs]})
cases = []
for rules in [
    {},
    {"num_negatives": 5, "range_min": 2},
    {"relative_margin": 0.05},
    {"absolute_margin": 0.1, "range_max": 12},
    {"max_score": 0.5, "range_min": 1, "range_max": 9},
    {"max_score": 0.6, "min_score": 0.2, "relative_margin": 0.3, "num_negatives": 4},
]:
    mined = mine_hard_negatives(
        data, Model(), corpus=[f"d{n}" for n in range(CORPUS)], verbose=False, output_format="triplet", **rules)
    found = [[] for _ in range(QUERIES)]
    for query, _, negative in zip(mined["query"], mined["positive"], mined["negative"]):
        q, n = int(query[1:]), int(negative[1:])
        if n not in found[q]:
            found[q].append(n)
    cases.append({"rules": rules, "negatives": found})
print(json.dumps({"queries": queries.astype(float).round(4).tolist(), "corpus": corpus.astype(float).round(4).tolist(), "positives": positives, "cases": cases}))
