#!/usr/bin/env python3
"""Writes Sources/Tokenizers/Unicode/UnicodeTables.swift: what the package `tokenizers` takes each of Unicode's scalars for.

    pip install tokenizers==0.23.3
    python unicode_tables.py > ../../../Sources/Tokenizers/Unicode/UnicodeTables.swift     # Python 3.11 (Unicode 14)

The package mixes Unicode versions: its normal forms and punctuation are older than its letters and lower case. So every table is
asked of the package, scalar by scalar; Python's own data only says which pairs and classes to ask about.
"""
import base64
import json
import struct
import sys
import unicodedata
from tokenizers import Regex, Tokenizer, __version__, models, normalizers, pre_tokenizers

SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
ALL = "".join(map(chr, SCALARS))
LAST, MORE = "0123456789ABCDEFGHIJKLMNOPQRSTUV", "abcdefghijklmnopqrstuvwxyzWXYZ_-"


def number(n):
    """Base 32, most significant digit first; the last digit is of another alphabet."""
    text = LAST[n & 31]
    while n >= 32:
        n >>= 5
        text = MORE[n & 31] + text
    return text


def signed(n):
    return number(2 * n if n >= 0 else -2 * n - 1)


def runs(value):
    """(length, value) runs over all scalars and surrogates, which have the value before them."""
    out, start, last = [], 0, value(0)
    for c in SCALARS[1:]:
        v = value(c)
        if v != last:
            out.append((c - start, last))
            start, last = c, v
    out.append((0x110000 - start, last))
    return "".join(number(n) + number(v) for n, v in out)


def members(chosen):
    return runs(lambda c: int(c in chosen))


def mapping(function):
    """Scalars that change, as difference to the one before, number of scalars, and their differences to it."""
    out, last = [], 0
    for c in SCALARS:
        new = function(chr(c))
        if new != chr(c):
            out.append(number(c - last) + number(len(new)) + "".join(signed(ord(x) - c) for x in new))
            last = c
    return "".join(out)


def removed(normalizer):
    return {c for c in SCALARS if normalizer.normalize_str(chr(c)) == ""}


def matches(pattern):
    left = set(normalizers.Replace(Regex(pattern), "").normalize_str(ALL))
    return {c for c in SCALARS if chr(c) not in left}


def pieces(pre_tokenizer, count):
    return {c for c in SCALARS if len(pre_tokenizer.pre_tokenize_str("a" + chr(c) + "a")) == count}


def combining_classes():
    nfd, out = normalizers.NFD(), {}
    for c in SCALARS:
        k = unicodedata.combining(chr(c))
        if k:
            text = "a\u0323" + chr(c) if k == 1 else "a" + chr(c) + "\u0334"
            if nfd.normalize_str(text) != text:
                out[c] = k
    return out


def compositions():
    nfc, out = normalizers.NFC(), []
    for c in SCALARS:
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<") and nfc.normalize_str("".join(chr(int(x, 16)) for x in parts)) == chr(c):
            out.append((int(parts[0], 16), int(parts[1], 16), c))
    return "".join(number(a) + number(b) + number(c) for a, b, c in out)


CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cn Co Cs".split()


def categories():
    of = {}
    for index, name in enumerate(CATEGORIES[:-1]):
        for c in matches(r"\p{%s}" % name):
            of[c] = index
    return runs(lambda c: of[c])


def scripts():
    """0 for those that are part of any script; equal numbers, equal scripts."""
    split = pre_tokenizers.UnicodeScripts()

    def joined(a, b):
        return len(split.pre_tokenize_str(chr(a) + chr(b))) == 1
    known, of, last = [], {}, None
    for c in SCALARS:
        if joined(0x61, c) and joined(0x431, c):
            of[c] = 0
        elif last is not None and joined(last, c):
            of[c] = of[last]
        else:
            found = next((i for i, r in enumerate(known) if joined(r, c)), None)
            if found is None:
                known.append(c)
                found = len(known) - 1
            of[c] = found + 1
        last = c if of[c] else None
    return runs(lambda c: of[c])


def charsmap(key):
    """A double array that maps one key to X: nodes are placed on free cells one byte after the other."""
    units = {}
    key = key + b"\0"
    position, base = 0, 0x400
    labels = {}
    for byte in key:
        # The offset of a node is base ^ position; the child sits at offset base ^ byte.
        units[position] = (labels.get(position, 0), base ^ position, byte == 0)
        child = base ^ byte
        labels[child] = byte
        position, base = child, base + 0x100
    size = (max(list(labels) + [0]) | 0xFF) + 1
    array = [0] * size
    for place, (label, offset, leaf) in units.items():
        array[place] = label | (offset << 10) | (0x100 if leaf else 0)
    array[position] = 0x80000000
    trie = struct.pack("<%dI" % size, *array)
    return base64.b64encode(struct.pack("<I", len(trie)) + trie + b"X\0").decode()


def mapped(c):
    model = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": {
        "type": "Precompiled", "precompiled_charsmap": charsmap(chr(c).encode())}, "pre_tokenizer": None, "post_processor": None,
        "decoder": None, "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}
    return Tokenizer.from_str(json.dumps(model)).normalizer.normalize_str


def clusters():
    """0 anything else, 1 control, 2 joins what is before it, 3 joins what is after it; carriage return and line feed are control."""
    of, a = {}, mapped(0x61)
    assert a("a") == "X" and a("ab") == "Xb" and a("a\u0301") == "X"
    for c in SCALARS:
        of[c] = 2 if a("a" + chr(c)) == "X" else 0
    latin = mapped(0x301)
    for c in SCALARS:
        # A control breaks before a mark, and then the mark is replaced; with anything else it is one cluster, which is not in the map.
        if of[c] == 0 and len(chr(c).encode()) <= 3 and latin(chr(c) + "\u0301") == chr(c) + "X":
            of[c] = 1 if alone(c) else 0
    for c in SCALARS:
        # No prepended mark lies elsewhere, and there are a million others.
        if of[c] == 0 and (c < 0x3000 or 0xA000 <= c < 0xAC00 or 0x10000 <= c < 0x12000) and mapped(c)(chr(c) + "a") == "X":
            of[c] = 3
    return runs(lambda c: of[c])


def alone(c):
    """Whether nothing joins c, not even an enclosing mark that other scalars take."""
    return mapped(c)(chr(c) + "\u0301") == "X\u0301"


TABLES = [
    ("categories", "General category (order of `names`) by the package's regular expressions.", categories),
    ("word", "What `\\w` means to the package's regular expressions.", lambda: members(matches(r"\w"))),
    ("wordOfWhitespace", "What the pre-tokenizer Whitespace and single words take for a part of a word.",
     lambda: members(pieces(pre_tokenizers.Whitespace(), 1))),
    ("punctuation", "Punctuation of Bert and of the pre-tokenizer Punctuation.", lambda: members(pieces(pre_tokenizers.BertPreTokenizer(), 3))),
    ("numeric", "Digits of the pre-tokenizer of this name.", lambda: members(pieces(pre_tokenizers.Digits(), 3))),
    ("control", "What Bert's cleaning removes.", lambda: members(removed(normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)))),
    ("nonspacing", "What Bert's strip_accents removes.", lambda: members(removed(normalizers.BertNormalizer(
        clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)))),
    ("marks", "What StripAccents removes.", lambda: members(removed(normalizers.StripAccents()))),
    ("scripts", "Scripts of UnicodeScripts; 0 belongs to any.", scripts),
    ("clusters", "Grapheme clusters: 1 control, 2 joins what is before, 3 joins what is after.", clusters),
    ("lowercase", "Lower case.", lambda: mapping(normalizers.Lowercase().normalize_str)),
    ("canonical", "Canonical decomposition, Hangul left out.", lambda: mapping(
        lambda c: c if 0xAC00 <= ord(c) < 0xD7A4 else normalizers.NFD().normalize_str(c))),
    ("compatible", "Compatibility decomposition, Hangul left out.", lambda: mapping(
        lambda c: c if 0xAC00 <= ord(c) < 0xD7A4 else normalizers.NFKD().normalize_str(c))),
    ("compositions", "Pairs and what they compose to, Hangul left out.", compositions),
    ("combiningClasses", "Canonical combining classes.", lambda: (lambda k: runs(lambda c: k.get(c, 0)))(combining_classes())),
]

if __name__ == "__main__":
    print("// Made by Tests/TokenizersTests/Golden/unicode_tables.py with `tokenizers` %s. Not here: reading it (ScalarProperties)." % __version__)
    print("// swift-format-ignore-file\n")
    print("/// Unicode as `tokenizers` sees it, in numbers of base 32 (`PackedNumbers`): runs of (length, value) over all scalars, or mappings.")
    print("enum UnicodeTables {")
    for name, text, table in TABLES:
        print(name, file=sys.stderr)
        print("    /// %s\n    static let %s: StaticString = \"%s\"" % (text, name, table()))
    print("    /// Names of the categories.\n    static let names = %s" % json.dumps(CATEGORIES))
    print("}")
