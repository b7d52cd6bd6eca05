#!/usr/bin/env python3
"""Agreement with the packages that publish models: what `fanoise` computes from a directory, and what they load of what it exports.

    HF_HUB_OFFLINE=1 python3 Tests/Interop/agreement.py --fanoise .build/release/fanoise [--texts 2000] MODEL_DIRECTORY…

For each directory (all-MiniLM-L6-v2 and the like; a CLIP, a SigLIP, an open_clip directory):
  embed    the embeddings of random texts (and pictures) by `fanoise embed --model` against the package's own: largest difference of an
           element between unit vectors, least cosine
  export   the directory that `fanoise export` writes: every tensor bit for bit, every other file byte for byte, and the package's
           embeddings from it equal to those from the original; loading it must draw no warning, and `transformers` must report no missing,
           unexpected or mismatched key
Prints one line for each and ends with code 1 if one is outside its tolerance (1e-5 of an element, cosine 0.999999).
Works with torch 2.15, transformers 5.24, sentence-transformers 6.2, open_clip_torch 3.3.
"""
import argparse, io, json, logging, os, random, subprocess, sys, tempfile, warnings

import numpy as np
import torch

FAILED = False


def report(what, ok, text):
    global FAILED
    FAILED = FAILED or not ok
    print(f"{'ok  ' if ok else 'FAIL'} {what}: {text}", flush=True)


def random_texts(count, seed):
    rng = random.Random(seed)
    words = "a the red quick fox café naïve Straße ΑΒΓ привет 世界 こんにちは 한국어 שלום مرحبا 👍🏽 👩‍👩‍👧 e\u0301 \u200bzero ﬁne № ½ 10⁻³ <b> http://x.y/z?q=1".split(" ")
    ranges = [(0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x4E00, 0x4F00), (0x1F300, 0x1F600), (0x0, 0x20)]
    texts = ["[CLS] [SEP] [MASK]", "word " * 600]
    while len(texts) < count:
        if rng.random() < 0.6:
            texts.append(" ".join(rng.choice(words) for _ in range(rng.randint(1, 40))))
        else:
            low, high = rng.choice(ranges)
            texts.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 120))))
    # Rows of data may not be empty.
    return [t for t in texts if any(c.isprintable() and not c.isspace() for c in t)][:count]


def run(arguments):
    result = subprocess.run(arguments, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(arguments)}\n{result.stderr}")


class Remarks:
    """What a package says while it loads: warnings, log records of level WARNING and above."""

    def __enter__(self):
        self.records = []
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: self.records.append(record.getMessage())
        self.handler = handler
        for name in ("", "transformers", "sentence_transformers", "open_clip", "huggingface_hub"):
            logging.getLogger(name).addHandler(handler)
        self.catcher = warnings.catch_warnings(record=True)
        self.warnings = self.catcher.__enter__()
        warnings.simplefilter("always")
        return self

    def __exit__(self, *details):
        self.catcher.__exit__(*details)
        for name in ("", "transformers", "sentence_transformers", "open_clip", "huggingface_hub"):
            logging.getLogger(name).removeHandler(self.handler)
        self.records += [str(w.message) for w in self.warnings if not issubclass(w.category, (DeprecationWarning, FutureWarning))]
        self.records = sorted(set(self.records))


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def compare(what, ours, theirs):
    a, b = unit(ours.astype(np.float64)), unit(theirs.astype(np.float64))
    difference, cosine = np.abs(a - b).max(), (a * b).sum(1).min()
    report(what, difference <= 1e-5 and cosine >= 0.999999, f"{len(a)} rows, largest difference {difference:.1e}, least cosine 1 − {1 - cosine:.1e}")


def embed(fanoise, directory, side, rows, folder):
    source, output = os.path.join(folder, f"{side}.jsonl"), os.path.join(folder, f"{side}.npy")
    with open(source, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    run([fanoise, "embed", "--model", directory, "--side", side, "--input", source, "--output", output])
    return np.load(output)


def same_files(original, exported, weights):
    from safetensors import safe_open
    for folder, _, names in os.walk(original):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), original)
            if path.startswith(".") or not os.path.exists(os.path.join(exported, path)):
                if path.endswith((".json", ".txt", ".model")) and not path.startswith("."):
                    return f"{path} is missing"
                continue
            if name.endswith(".safetensors"):
                with safe_open(os.path.join(original, path), "pt") as a, safe_open(os.path.join(exported, path), "pt") as b:
                    if set(a.keys()) != set(b.keys()):
                        return f"{path}: tensors differ: {set(a.keys()) ^ set(b.keys())}"
                    for key in a.keys():
                        x, y = a.get_tensor(key), b.get_tensor(key)
                        if x.dtype != y.dtype or x.shape != y.shape or x.numpy(force=True).tobytes() != y.numpy(force=True).tobytes():
                            return f"{path}: {key} differs"
            elif open(os.path.join(original, path), "rb").read() != open(os.path.join(exported, path), "rb").read():
                return f"{path} differs"
    return None


def sentence_transformer(arguments, directory, folder):
    from sentence_transformers import SentenceTransformer
    name = os.path.basename(os.path.normpath(directory))
    texts = random_texts(arguments.texts, 1)
    original = SentenceTransformer(directory, device="cpu")
    theirs = original.encode(texts, batch_size=32)
    ours = embed(arguments.fanoise, directory, "query", [{"text": t} for t in texts], folder)
    compare(f"{name} embed", ours, theirs)
    exported = os.path.join(folder, "exported")
    run([arguments.fanoise, "export", "--model", directory, "--output", exported, "--format", "sentence-transformers"])
    with Remarks() as remarks:
        again = SentenceTransformer(exported, device="cpu")
    report(f"{name} export loads", not remarks.records, "; ".join(remarks.records)[:300] or "without remark")
    difference = same_files(directory, exported, "model.safetensors")
    report(f"{name} export files", difference is None, difference or "tensors bit for bit, files byte for byte")
    compare(f"{name} export embeds", again.encode(texts[:200], batch_size=32), theirs[:200])
    strict_transformers(name, exported)


def strict_transformers(name, exported):
    import transformers
    with Remarks() as remarks:
        model, info = transformers.AutoModel.from_pretrained(exported, output_loading_info=True)
    keys = {k: v for k, v in info.items() if v}
    report(f"{name} transformers loads", not keys and not remarks.records, f"{keys or ''} {'; '.join(remarks.records)[:300]}".strip() or "without remark")
    return model


def pair(arguments, directory, folder):
    """CLIP and SigLIP of transformers, CLIP of open_clip: exported in their own form, and CLIP in the other one too."""
    name = os.path.basename(os.path.normpath(directory))
    is_open = not os.path.exists(os.path.join(directory, "config.json"))
    own, other = ("open-clip", "huggingface") if is_open else ("huggingface", "open-clip")
    exported = os.path.join(folder, "exported")
    run([arguments.fanoise, "export", "--model", directory, "--output", exported, "--format", own])
    difference = same_files(directory, exported, None)
    report(f"{name} export files", difference is None, difference or "tensors bit for bit, files byte for byte")
    models = {own: load_pair(name, exported, own)}
    kind = "open_clip" if is_open else json.load(open(os.path.join(directory, "config.json")))["model_type"]
    if kind != "siglip":
        converted = os.path.join(folder, "converted")
        run([arguments.fanoise, "export", "--model", directory, "--output", converted, "--format", other])
        models[other] = load_pair(f"{name} as {other}", converted, other)
        outputs = {form: features(model, form) for form, model in models.items()}
        for index, what in enumerate(("texts", "pictures")):
            compare(f"{name} as {other} {what}", outputs[other][index], outputs[own][index])


def load_pair(name, directory, form):
    if form == "huggingface":
        return strict_transformers(name, directory).eval()
    import open_clip
    with Remarks() as remarks:
        model, _ = open_clip.create_model_from_pretrained("local-dir:" + directory)
    report(f"{name} open_clip loads", not remarks.records, "; ".join(remarks.records)[:300] or "without remark")
    return model.eval()


def features(model, form):
    """Texts that end in the model's end of text, and pictures."""
    torch.manual_seed(1)
    if form == "huggingface":
        text, size = model.config.text_config, model.config.vision_config.image_size
        length, vocabulary = text.max_position_embeddings, text.vocab_size
        end = vocabulary - 1 if text.eos_token_id == 2 else text.eos_token_id
    else:
        length, size, vocabulary = model.context_length, model.visual.image_size, model.vocab_size
        size = size[0] if isinstance(size, tuple) else size
        end = getattr(model, "text_eos_id", None) if getattr(model, "text_pool_type", "argmax") == "eos" else vocabulary - 1
    ids = torch.randint(3, vocabulary - 1, (8, length))
    ids[ids == end] = 3
    ids[:, -1] = end
    pictures = torch.randn(8, 3, size, size)
    with torch.no_grad():
        if form == "huggingface":
            return (model.text_projection(model.text_model(ids).pooler_output).numpy(),
                    model.visual_projection(model.vision_model(pictures).pooler_output).numpy())
        return model.encode_text(ids).numpy(), model.encode_image(pictures).numpy()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fanoise", default=".build/release/fanoise")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("directories", nargs="+")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    for directory in arguments.directories:
        with tempfile.TemporaryDirectory() as folder:
            isText = os.path.exists(os.path.join(directory, "modules.json"))
            (sentence_transformer if isText else pair)(arguments, directory, folder)
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
