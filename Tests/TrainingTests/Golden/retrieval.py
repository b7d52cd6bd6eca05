"""Golden values of RankingMetricsTests: ranked retrieval with ties, by BEIR's own evaluation.

Versions: Python 3.11, beir 2.2.0, pytrec_eval-terrier 0.5.11.
Run: python retrieval.py > retrieval.json
"""

import json
import random

from beir.retrieval.custom_metrics import mrr
from beir.retrieval.evaluation import EvaluateRetrieval

DEPTHS = [1, 3, 5, 10, 100, 1000]
random.seed(7)
documents = [f"d{n}" for n in range(150)] + ["é", "Z", "d1a"]
cases = []
for case, levels in enumerate([3, 40, 100000]):
    results, qrels = {}, {}
    for n in range(25):
        query = f"q{n}" if n % 5 else documents[n]
        results[query] = {d: random.randrange(levels) / 128 for d in documents}
        judged = random.sample(documents + [f"unknown{u}" for u in range(5)], random.choice([1, 2, 5, 30]))
        qrels[query] = {d: random.choice([-1, 0, 0, 1, 1, 2, 3]) for d in judged}
    kept = {q: dict(r) for q, r in results.items()}
    for query in kept:
        kept[query].pop(query, None)
    values = {}
    for group in EvaluateRetrieval.evaluate(qrels, {q: dict(r) for q, r in results.items()}, DEPTHS):
        values.update(group)
    # BEIR's reciprocal rank leaves equal scores in the order of its dictionary: it is compared where there are none.
    values.update(mrr(qrels, kept, [10]) if levels > 1000 else {})
    cases.append({"results": results, "qrels": qrels, "values": values})
print(json.dumps({"cases": cases}, sort_keys=True))
