#!/usr/bin/env python3
"""Compares TokenizersProbe with the package `tokenizers` on random Unicode, id for id.

    pip install tokenizers==0.23.3
    python families.py /tmp/families
    python fuzz_tokenizers.py .build/debug/TokenizersProbe 100000 SEED /tmp/families/*.json some/model/tokenizer.json

Prints texts and differences of each file; the exit code is 1 if there are any.
"""
import os
import random
import struct
import subprocess
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402

RANGES = [(0x20, 0x7E)] * 10 + [
    (0x00, 0x1F), (0x7F, 0xFF), (0x100, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x590, 0x6FF), (0x700, 0x97F),
    (0x980, 0xDFF), (0xE00, 0xFFF), (0x1000, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x1AFF), (0x1B00, 0x1DFF), (0x1E00, 0x1FFF), (0x2000, 0x206F),
    (0x2070, 0x218F), (0x2190, 0x2BFF), (0x2C00, 0x2FFF), (0x3000, 0x30FF), (0x3100, 0x33FF), (0x3400, 0x9FFF), (0xA000, 0xABFF), (0xAC00, 0xD7A3),
    (0xD7A4, 0xD7FF), (0xE000, 0xF8FF), (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFE6F), (0xFE70, 0xFFFF), (0x10000, 0x10FFF),
    (0x11000, 0x12FFF), (0x13000, 0x1CFFF), (0x1D000, 0x1DFFF), (0x1E000, 0x1EFFF), (0x1F000, 0x1FAFF), (0x20000, 0x323AF), (0xE0000, 0xE01FF),
    (0x0, 0x10FFFF)]
SPACES = " \t\n\r\v\f\x1c\x85\xa0\u1680\u2003\u2009\u2028\u202f\u205f\u3000\u180e\u200b\u200c\u200d\ufeff\u2581"
MARKS = "\u0301\u0308\u0323\u0327\u0334\u0345\u05b0\u064b\u093c\u094d\u0e38\u1dce\u20dd\u3099\ufe0f\u200d\u0903"
PIECES = ("the face Face grinning word words don't we'll I'VE 's 'LL 'ſ ’s İ ΑΣ ẞ ß ﬁ ½ ① Ⅷ ２ 日本語 笑顔の 한국어 안녕 नमस्ते العربية ไทย 😀 👨‍👩‍👧 🇩🇪🇫🇷 Å Ω ℡ 12345 3.14 "
          "1,000 a.b ##ing ## [UNK] [CLS] [MASK] <mask> <s> </s> <unk> <|endoftext|> <|startoftext|> <|im_start|> <tool_call> [INST] Emoji "
          "<0x41> ▁the ▁ a_b __ -- ... a\u0301 e\u0301 q\u0301 \r\n <pad> été caf\u00e9 É \u1100\u1161\u11a8 \uac00\u11a8 \u0600a").split(" ")


def text(r):
    parts = []
    for _ in range(r.randint(1, 7)):
        kind = r.random()
        if kind < 0.2:
            parts.append("".join(r.choice(SPACES) for _ in range(r.randint(1, 3))))
        elif kind < 0.5:
            parts.append(r.choice(["", " ", " ", "  "]) + r.choice(PIECES))
        elif kind < 0.6:
            parts.append(r.choice("aeioucnqAEXзか가") + "".join(r.choice(MARKS) for _ in range(r.randint(1, 3))))
        else:
            low, high = r.choice(RANGES)
            for _ in range(r.randint(1, 6)):
                c = r.randint(low, high)
                if not 0xD800 <= c < 0xE000:
                    parts.append(chr(c))
    return "".join(parts)


def main():
    probe, count, seed, files = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    wrong = 0
    for file in files:
        theirs = Tokenizer.from_file(file)
        theirs.no_truncation()
        theirs.no_padding()
        r = random.Random(seed)
        done = differences = 0
        singles = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000] if count >= 1_000_000 else []
        while done < count:
            texts = ["", " ", "a"] + [text(r) for _ in range(min(50_000, count - done))] + ["a" + s + "b" for s in singles]
            singles = []
            data = b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in texts)
            with tempfile.TemporaryFile() as source:
                source.write(data)
                source.seek(0)
                out = subprocess.run([probe, file], stdin=source, capture_output=True, check=False)
            if out.returncode:
                print(file, out.stderr.decode())
                sys.exit(1)
            numbers = memoryview(out.stdout).cast("i")
            place = 0
            for start in range(0, len(texts), 1000):
                for t, e in zip(texts[start:start + 1000], theirs.encode_batch(texts[start:start + 1000])):
                    ours = list(numbers[place + 1:place + 1 + numbers[place]])
                    place += 1 + numbers[place]
                    if ours != e.ids:
                        differences += 1
                        if differences <= 5:
                            print("  %s\n    theirs %s\n    ours   %s" % (ascii(t), e.ids[:40], ours[:40]))
            done += len(texts)
        print("%s: %d texts, seed %d, %d differ" % (os.path.basename(file), done, seed, differences), flush=True)
        wrong += differences
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
