#!/usr/bin/env python3
"""Ids per second of TokenizersProbe and of the package `tokenizers` on one thread, in turn.

    pip install tokenizers==0.23.3
    swift build -c release --product TokenizersProbe
    python time_tokenizers.py .build/release/TokenizersProbe TEXT ROUNDS some/tokenizer.json…      # TEXT: one text a line
"""
import json
import os
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = os.environ["RAYON_RS_NUM_CPUS"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Tokenizer  # noqa: E402

probe, text, rounds, files = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
with open(text, encoding="utf8") as source:
    lines = [line for line in source.read().split("\n") if line]
for file in files:
    theirs = Tokenizer.from_file(file)
    theirs.no_truncation()
    theirs.no_padding()
    best = {"ours": 0, "encode_batch": 0, "encode_batch_fast": 0}
    for _ in range(rounds):
        with open(text, "rb") as source:
            ours = json.loads(subprocess.run([probe, file, "--time", "2"], stdin=source, capture_output=True, check=True).stdout)
        best["ours"] = max(best["ours"], ours["ids_per_second"])
        for method in ("encode_batch", "encode_batch_fast"):
            start = time.perf_counter()
            ids = sum(len(e.ids) for e in getattr(theirs, method)(lines))
            best[method] = max(best[method], int(ids / (time.perf_counter() - start)))
            assert ids == ours["ids"], (file, ids, ours["ids"])
    print("%s: %s, ratio %.1f" % (os.path.basename(file), best, best["ours"] / max(best["encode_batch"], best["encode_batch_fast"])), flush=True)
