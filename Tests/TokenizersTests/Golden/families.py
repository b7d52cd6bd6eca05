#!/usr/bin/env python3
"""Makes a small tokenizer of each family, with every kind of rule somewhere, for fuzz_tokenizers.py and golden.py.

    pip install tokenizers==0.23.3
    python families.py FOLDER          # writes FOLDER/NAME.json
"""
import base64
import json
import pathlib
import random
import struct
import sys
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers as N, pre_tokenizers as P, processors, trainers

WORDS = ("the of a and in to is that it for was on are as with his they be at one have this from or had by hot but some what there we "
         "can out other were all your when up use word how said an each she which do their time if will way about many then them would "
         "write like so these her long make thing see him two has look more day could go come did my sound no most number who over know "
         "grinning face smiling größer Übung façade naïve лицо улыбка привет мир 笑顔 猫の 日本語 한국어 안녕 हिन्दी नमस्ते العربية שלום ไทย 12 2024 3.14 "
         "don't it's we'll I'VE can't emoji 😀 👨‍👩‍👧 🇩🇪 café e\u0301 ﬁ ½ ① Ⅷ ２").split()


def texts(count=4000, seed=7):
    random.seed(seed)
    for _ in range(count):
        words = random.choices(WORDS, k=random.randint(1, 9))
        yield "".join(random.choice(["", "-", ",", ".", "!", "#", "##"]) + w + random.choice([" ", " ", " ", "  ", "\n", "\t"]) for w in words)


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def added(*names, **options):
    return [AddedToken(name, **options) for name in names]


def bpe(normalizer, pre, post, special, size=700, alphabet=True, suffix=None, **options):
    if suffix:
        options["end_of_word_suffix"] = suffix
    t = Tokenizer(models.BPE(**options))
    t.normalizer, t.pre_tokenizer = normalizer, pre
    more = {"initial_alphabet": P.ByteLevel.alphabet()} if alphabet else {}
    if suffix:
        more["end_of_word_suffix"] = suffix
    t.train_from_iterator(texts(), trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False, **more))
    t.post_processor = post
    return t


def template(t, single):
    names = [w for w in single.split() if not w.startswith("$")]
    return processors.TemplateProcessing(single=single, special_tokens=[(n, t.token_to_id(n)) for n in names])


def wordpiece(lowercase, strip=None, size=700):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20))
    t.normalizer = N.BertNormalizer(lowercase=lowercase, strip_accents=strip)
    t.pre_tokenizer = P.BertPreTokenizer()
    t.train_from_iterator(texts(), trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    t.add_special_tokens([AddedToken("[MASK]", lstrip=True)])
    t.post_processor = template(t, "[CLS] $A [SEP]")
    return t


def gpt2():
    return bpe(None, P.ByteLevel(add_prefix_space=False), processors.ByteLevel(trim_offsets=True), ["<|endoftext|>"])


def roberta():
    t = bpe(None, P.ByteLevel(add_prefix_space=True), None, ["<s>", "<pad>", "</s>", "<unk>"])
    t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return t


def clip():
    t = bpe(N.Sequence([N.NFC(), N.Replace(Regex(r"\s+"), " "), N.Lowercase()]),
            P.Sequence([P.Split(Regex(CLIP), "removed", invert=True), P.ByteLevel(add_prefix_space=False)]), None,
            ["<|startoftext|>", "<|endoftext|>"], suffix="</w>", unk_token="<|endoftext|>", size=900)
    t.post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0), trim_offsets=False, add_prefix_space=False)
    return t


def split_bpe(pattern, ignore=False):
    t = bpe(N.NFC(), P.Sequence([P.Split(Regex(pattern), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]),
            processors.ByteLevel(trim_offsets=False), [], ignore_merges=ignore)
    t.add_special_tokens(["<|im_start|>", "<|im_end|>", "<|endoftext|>"])
    t.add_tokens([AddedToken("<tool_call>", normalized=False), AddedToken("Emoji", normalized=True, single_word=True)])
    return t


def bytes_first():
    return ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]


def llama(metaspace, fuse=True, fallback=True):
    normalizer = None if metaspace else N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")])
    pre = P.Metaspace(prepend_scheme="first", split=False) if metaspace else None
    t = bpe(normalizer, pre or P.Split("▁", "merged_with_next"), None, bytes_first(), alphabet=False, unk_token="<unk>", fuse_unk=fuse,
            byte_fallback=fallback, size=900)
    t.pre_tokenizer = pre
    t = Tokenizer.from_str(t.to_str())
    t.add_special_tokens(added("<unk>", "<s>", "</s>", normalized=False))
    t.add_tokens([AddedToken("[INST]", normalized=True, rstrip=True), AddedToken("  ", normalized=False)])
    t.post_processor = template(t, "<s> $A")
    return t


def charsmap():
    """A double array like SentencePiece's: NFKC of scalars and of some clusters, and what nmt_nfkc adds."""
    import unicodedata
    random.seed(3)
    entries = {}
    for c in list(range(0x20, 0x3100)) + list(range(0xF900, 0x10000)) + list(range(0x1D400, 0x1D500)):
        new = unicodedata.normalize("NFKC", chr(c))
        if new != chr(c) and 0 not in new.encode():
            entries[chr(c)] = new
    for c in [1, 2, 8, 11, 0x1F, 0x7F, 0xAD]:
        entries[chr(c)] = ""
    for c in "\t\n\r\u200b\u200e\u2028\ufeff":
        entries[c] = " "
    entries.update({"e\u0301": "é", "a\u0308": "ä", "\r\n": " ", "가": "GA", "\u1100\u1161": "가", "q": "Q", "q\u0301": "never"})
    return double_array(entries)


def double_array(entries):
    """Darts-clone's units, nodes put on the first free offsets (a multiple of 256 apart where that is simplest)."""
    tree, blob, seen = {}, bytearray(), {}
    for key, value in sorted(entries.items()):
        node = tree
        for b in key.encode():
            node = node.setdefault(b, {})
        data = value.encode() + b"\0"
        if data not in seen:
            seen[data] = len(blob)
            blob += data
        node[0] = seen[data]
    units, used, hint = [0] * 0x400, set([0]), [1]

    def place(position, node, label):
        keys = list(node)
        base = hint[0]
        while True:
            if base ^ position < (1 << 21) and all(((base ^ k) not in used) for k in keys) and base not in bases:
                break
            base += 1
        bases.add(base)
        while len(units) <= base | 0xFF:
            units.append(0)
        used.update(base ^ k for k in keys)
        while hint[0] in used and hint[0] in bases:
            hint[0] += 1
        units[position] = label | ((base ^ position) << 10) | (0x100 if 0 in node else 0)
        for k in keys:
            if k == 0:
                units[base] = 0x80000000 | node[0]
            else:
                place(base ^ k, node[k], k)
    bases = set()
    sys.setrecursionlimit(10000)
    place(0, tree, 0)
    while len(units) % 256:
        units.append(0)
    raw = struct.pack("<%dI" % len(units), *units)
    return base64.b64encode(struct.pack("<I", len(raw)) + raw + bytes(blob)).decode()


def unigram(t5):
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = P.Sequence([P.WhitespaceSplit(), P.Metaspace()]) if not t5 else P.Metaspace(prepend_scheme="always")
    special = ["<s>", "<pad>", "</s>", "<unk>"] if not t5 else ["<pad>", "</s>", "<unk>"]
    t.train_from_iterator(texts(), trainers.UnigramTrainer(vocab_size=600, special_tokens=special, unk_token="<unk>", show_progress=False))
    d = json.loads(t.to_str())
    d["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": charsmap()}
    if not t5:
        d["normalizer"] = {"type": "Sequence", "normalizers": [d["normalizer"], {
            "type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}
    t = Tokenizer.from_str(json.dumps(d))
    if not t5:
        t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    t.post_processor = template(t, "$A </s>" if t5 else "<s> $A </s>")
    return t


def unigram_bytes():
    t = unigram(True)
    d = json.loads(t.to_str())
    d["normalizer"] = {"type": "Nmt"}
    d["model"]["byte_fallback"] = True
    d["model"]["vocab"] += [["<0x%02X>" % b, -9.0] for b in range(256)]
    d["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}
    return Tokenizer.from_str(json.dumps(d))


def words(pre, normalizer=None):
    pieces = {}
    for text in texts(400):
        for w in ([p for p, _ in pre.pre_tokenize_str(normalizer.normalize_str(text) if normalizer else text)]):
            pieces[w] = len(pieces) if w not in pieces else pieces[w]
    # Every scalar's own words too, so that other boundaries give other ids.
    for c in list(range(0x20, 0x250)) + list(range(0x300, 0x600)) + list(range(0x2000, 0x2100)) + list(range(0x3000, 0x3100)):
        pieces.setdefault(chr(c), len(pieces))
    vocabulary = {"[UNK]": 0}
    for w in pieces:
        vocabulary.setdefault(w, len(vocabulary))
    t = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    t.pre_tokenizer = pre
    if normalizer:
        t.normalizer = normalizer
    t.add_tokens([AddedToken("word", single_word=True), AddedToken("Face", lstrip=True, rstrip=True), AddedToken("é", normalized=True),
                  AddedToken("a b", normalized=False), AddedToken("a b c", normalized=False)])
    return t


FAMILIES = {
    "bert-lower": lambda: wordpiece(True), "bert-cased": lambda: wordpiece(False), "bert-accents": lambda: wordpiece(True, strip=False),
    "gpt2": gpt2, "roberta": roberta, "clip": clip, "qwen2": lambda: split_bpe(QWEN2), "llama3": lambda: split_bpe(LLAMA3, ignore=True),
    "llama": lambda: llama(False), "llama-metaspace": lambda: llama(True), "llama-unknown": lambda: llama(False, fuse=False, fallback=False),
    "xlm-r": lambda: unigram(False), "t5": lambda: unigram(True), "unigram-bytes": unigram_bytes,
    "words-whitespace": lambda: words(P.Whitespace()), "words-space": lambda: words(P.WhitespaceSplit(), N.Sequence([N.NFD(), N.StripAccents()])),
    "words-punctuation": lambda: words(P.Sequence([P.WhitespaceSplit(), P.Punctuation("merged_with_previous")]), N.NFKC()),
    "words-digits": lambda: words(P.Sequence([P.Digits(individual_digits=True), P.CharDelimiterSplit(" ")]), N.Strip()),
    "words-scripts": lambda: words(P.Sequence([P.UnicodeScripts(), P.Digits()]), N.NFKD()),
    "words-split": lambda: words(P.Sequence([P.Split(Regex(r"[\p{P}\p{S}]+"), "contiguous"), P.Split(" ", "merged_with_next"),
                                             P.Split(Regex(r"\p{Lu}"), "merged_with_previous"), P.FixedLength(4)]), N.Sequence([N.Nmt(), N.Strip(left=True, right=False)])),
    "words-pattern": lambda: words(P.Sequence([P.Split(Regex(r"[^\w\s]|\\w"), "isolated"), P.Split(Regex(r"\d+|\W+"), "isolated", invert=True)])),
    "words-first": lambda: words(P.Sequence([P.WhitespaceSplit(), P.Metaspace(prepend_scheme="first")]), N.Sequence([N.Strip(), N.Lowercase()])),
    "bytes-normalized": lambda: bpe(N.ByteLevel(), P.Split(Regex("Ġ?[^Ġ]+"), "isolated"), None, ["<s>"]),
}

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in FAMILIES.items():
        make().save(str(folder / (name + ".json")), pretty=False)
        print(name)
