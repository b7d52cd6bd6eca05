#!/usr/bin/env python3
"""Writes families.json: tokenizers of families.py, texts, and their ids by the package `tokenizers`, for EqualityTests.

    pip install tokenizers==0.23.3
    python golden.py > families.json

Beside 60 texts each there is one number for all of Unicode: FNV-1a over the ids of "a" + c + "b" for every scalar c.
"""
import json
import os
import random
import sys

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from families import FAMILIES  # noqa: E402
from fuzz_tokenizers import text  # noqa: E402

ALL = ["a" + chr(c) + "b" for c in range(0x110000) if not 0xD800 <= c < 0xE000]
WHOLE = {"bert-lower", "gpt2", "words-whitespace", "words-space", "words-punctuation", "words-scripts", "t5"}


def fnv(encodings):
    h = 0xCBF29CE484222325
    for e in encodings:
        for i in e.ids + [0xFFFFFFFF]:
            h = (h ^ i) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return "%016x" % h


r = random.Random(5)
texts = ["", " ", "a", "the face", "\u00e9", "e\u0301"] + [text(r) for _ in range(54)]
families = []
for name, make in FAMILIES.items():
    print(name, file=sys.stderr)
    t = make()
    family = {"name": name, "file": t.to_str(), "ids": [e.ids for e in t.encode_batch(texts)]}
    t.enable_truncation(5)
    family["cut"] = [e.ids for e in t.encode_batch(texts)]
    t.no_truncation()
    if name in WHOLE:
        family["all"] = fnv(e for start in range(0, len(ALL), 4096) for e in t.encode_batch(ALL[start:start + 4096]))
    families.append(family)
json.dump({"texts": texts, "families": families}, sys.stdout, ensure_ascii=False, separators=(",", ":"))
