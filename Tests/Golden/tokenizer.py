#!/usr/bin/env python3
"""What Hugging Face's `tokenizers` makes of tokenizer.json, for ByteBPETokenizerGoldenTests.

    pip install tokenizers==0.23.3
    python tokenizer.py        # beside tokenizer.json, which fanoise wrote (the test compares it with what training writes)

Writes tokenizer.jsonl, one object a line: text, its tokens without marks, with marks cut to 12, and the text decoded again; and
tokenizer-saved.json, the same tokenizer as `tokenizers` itself saves it.
"""
import json
import random
from tokenizers import Tokenizer

random.seed(20)
RANGES = [(0x20, 0x7E)] * 8 + [
    (0x00, 0x1F), (0x7F, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x590, 0x6FF), (0x900, 0x97F),
    (0xE00, 0xE7F), (0x1100, 0x11FF), (0x2000, 0x206F), (0x2070, 0x209F), (0x2150, 0x218F), (0x3000, 0x30FF), (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3), (0xFE00, 0xFE0F), (0xFF00, 0xFFEF), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF)]
SPACES = " \t\n\r\v\f\x1c\x85\xa0\u1680\u2003\u2009\u2028\u202f\u205f\u3000\u180e\u200b\u200d\ufeff"
PIECES = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "''", "’s", "İ", "ΑΣ", "ẞ", "👨‍👩‍👧", "🇩🇪", "é", "e\u0301", "１２", "²", "Ⅷ",
          "grinning face", "Face", "cat's", "2024", "...", "<|" + "endoftext" + "|>"]


def text():
    parts = []
    for _ in range(random.randint(0, 7)):
        kind = random.random()
        if kind < 0.25:
            parts.append("".join(random.choice(SPACES) for _ in range(random.randint(1, 4))))
        elif kind < 0.6:
            parts.append(" " * random.randint(0, 2) + random.choice(PIECES))
        else:
            low, high = random.choice(RANGES)
            parts.append("".join(chr(random.randint(low, high)) for _ in range(random.randint(1, 6))))
    return "".join(parts)


tokenizer = Tokenizer.from_file("tokenizer.json")
tokenizer.no_truncation()
tokenizer.encode_special_tokens = True
texts = ["", " ", "  ", "a", " a", "\n", "\u0301", "face" * 40, "\0\0", "don't STOP"] + [text() for _ in range(290)]
with open("tokenizer.jsonl", "w", encoding="utf8") as file:
    for value in texts:
        tokens = tokenizer.encode(value, add_special_tokens=False).ids
        tokenizer.enable_truncation(12)
        cut = tokenizer.encode(value).ids
        tokenizer.no_truncation()
        row = {"text": value, "tokens": tokens, "cut": cut, "decoded": tokenizer.decode(tokens)}
        file.write(json.dumps(row) + "\n")
tokenizer.save("tokenizer-saved.json", pretty=False)
