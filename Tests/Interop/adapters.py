#!/usr/bin/env python3
"""Adapters between `peft` and `fanoise`: a folder that peft wrote is where training begins, and what fanoise writes gives equal outputs.

    HF_HUB_OFFLINE=1 python3 Tests/Interop/adapters.py --fanoise .build/release/fanoise [MODEL_DIRECTORY…]

For each directory (default: those of Tests/EncodersTests/Golden/published that transformers wrote), with random factors:
  read      `model.lora.query`/`target` name peft's folder; after an update that changes no bit, `fanoise export --adapters separate` gives
            every factor back bit for bit
  separate  trained for three steps; PeftModel.from_pretrained loads the folder with every factor in its place
  merged    `fanoise export`: transformers loads it without remark, and computes what the model with peft's adapter on top computes
Prints one line for each and ends with code 1 if one is outside its tolerance (1e-5 of the norm).
Works with torch 2.15, transformers 5.24, peft 0.21.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile, warnings

import torch
from safetensors.torch import load_file

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "EncodersTests", "Golden", "published")
FAILED = False
# Of every family: layers that are a part of a fused product here, one behind an activation, and those around the blocks.
TARGETS = {
    "bert": ["query", "value", "intermediate.dense"], "xlm-roberta": ["key", "output.dense"], "mpnet": ["q", "v", "o"],
    "vit": ["q_proj", "v_proj", "fc2", "projection"], "clip": ["q_proj", "k_proj", "out_proj", "visual_projection", "text_projection"],
    "siglip": ["q_proj", "v_proj", "fc1", "patch_embedding"],
}


def report(what, ok, text):
    global FAILED
    FAILED = FAILED or not ok
    print(f"{'ok  ' if ok else 'FAIL'} {what}: {text}", flush=True)


def run(arguments):
    result = subprocess.run(arguments, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(arguments)}\n{result.stderr}")


def complete(directory, model):
    """Tokenizer and processor for a directory that has none."""
    size = getattr(model.config, "image_size", None) or getattr(getattr(model.config, "vision_config", None), "image_size", None)
    if size and not os.path.exists(f"{directory}/preprocessor_config.json"):
        json.dump({"image_processor_type": "SiglipImageProcessor", "size": {"height": size, "width": size},
                   "image_mean": [0.5] * 3, "image_std": [0.5] * 3}, open(f"{directory}/preprocessor_config.json", "w"))
    if not os.path.exists(f"{directory}/tokenizer.json"):
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "red", "blue", "disc"]
        json.dump({"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
                   "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": None,
                   "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
                   "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                             "max_input_chars_per_word": 100, "vocab": {w: i for i, w in enumerate(words)}}},
                  open(f"{directory}/tokenizer.json", "w"))


def data(folder):
    from PIL import Image
    with open(f"{folder}/pairs.jsonl", "w") as file:
        for i in range(12):
            Image.new("RGB", (20, 20), (20 * i, 255 - 20 * i, i)).save(f"{folder}/{i}.png")
            file.write(json.dumps({"image": f"{i}.png", "text": ["a red disc", "a blue disc"][i % 2] + " a" * i}) + "\n")
    return f"{folder}/pairs.jsonl"


def outputs(model):
    config = model.config
    kind = config.model_type
    torch.manual_seed(3)
    text, vision = getattr(config, "text_config", config), getattr(config, "vision_config", config)
    ids = torch.randint(4, 8, (3, min(6, getattr(text, "max_position_embeddings", 8) - 2)))
    with torch.no_grad():
        if kind == "vit":
            return model(torch.randn(3, 3, config.image_size, config.image_size)).last_hidden_state
        if kind in ("clip", "siglip"):
            pixels = torch.randn(3, 3, vision.image_size, vision.image_size)
            result = model(input_ids=ids, pixel_values=pixels)
            return torch.cat([result.text_embeds, result.image_embeds])
        return model(ids).last_hidden_state


def load(directory):
    import transformers
    model = transformers.AutoModel.from_pretrained(directory)
    return model.eval()


def check(arguments, directory, folder):
    import peft
    name = os.path.basename(os.path.normpath(directory))
    base = f"{folder}/base"
    shutil.copytree(directory, base)
    if os.path.exists(f"{base}/expected.safetensors"):
        os.remove(f"{base}/expected.safetensors")
    model = load(base)
    complete(base, model)
    kind = model.config.model_type
    targets = TARGETS[kind]
    torch.manual_seed(1)
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=3, lora_alpha=6, target_modules=targets))
    for parameter_name, parameter in adapted.named_parameters():
        if "lora_" in parameter_name:
            torch.nn.init.normal_(parameter, std=0.3)
    theirs = f"{folder}/theirs"
    adapted.save_pretrained(theirs)
    pairs, is_pair = data(folder), kind in ("clip", "siglip")

    def train(label, steps, rate):
        options = [f"name={label}", f"output={folder}/runs", f"model.init={base}", "threads=1", f"steps={steps}", "batch.global=6",
                   f"data.train={pairs}", f"optimizer.learning_rate={rate}", "checkpoint.every=null", "evaluate.every=null",
                   "model.lora.rank=3", "model.lora.alpha=6", f"model.lora.targets={json.dumps(targets)}",
                   f"model.lora.query={theirs}"]
        if is_pair:
            options += [f"model.lora.target={theirs}"]
        else:
            column = "image" if kind == "vit" else "text"
            options += [f"data.query.column={column}", f"data.target.column={column}"]
            if kind == "vit":
                options += ["model.query.kind=vit", "model.target.kind=vit"]
        config = f"{folder}/config.yaml"
        open(config, "w").write("name: adapters\noutput: runs\nseed: 1\nsteps: 1\nmodel: {init: none}\ndata: {train: none}\n")
        run([arguments.fanoise, "train", "--config", config] + [x for option in options for x in ("--set", option)])
        side = ["--side", "query"] if kind == "vit" else []
        for form in ("merged", "separate"):
            run([arguments.fanoise, "export", "--run", f"{folder}/runs/{label}", "--output", f"{folder}/{label}-{form}",
                 "--adapters", form] + side)

    train("still", 1, 1e-30)
    a, b = (load_file(f"{x}/adapter_model.safetensors") for x in (theirs, f"{folder}/still-separate"))
    equal = set(a) == set(b) and all(torch.equal(a[key], b[key]) and a[key].shape == b[key].shape for key in a)
    report(f"{name} read", equal, f"{len(a)} factors bit for bit" if equal else f"differ: {sorted(set(a) ^ set(b))[:4]}")
    train("trained", 3, 1e-2)
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        separate = peft.PeftModel.from_pretrained(load(base), f"{folder}/trained-separate").eval()
    remarks = [str(r.message) for r in remarks if not issubclass(r.category, (DeprecationWarning, FutureWarning))]
    placed = {n: p for n, p in separate.named_parameters() if "lora_" in n}
    stored = load_file(f"{folder}/trained-separate/adapter_model.safetensors")
    good = len(placed) == len(stored) and all(torch.equal(p, stored[n.replace(".default", "")]) for n, p in placed.items())
    moved = any(not torch.equal(stored[key], a[key]) for key in stored)
    report(f"{name} separate", good and moved and not remarks, "; ".join(remarks)[:200] or f"{len(stored)} factors in their places")
    ours, theirs_out, plain = outputs(load(f"{folder}/trained-merged")), outputs(separate), outputs(load(base))
    error = ((ours - theirs_out).norm() / theirs_out.norm()).item()
    effect = ((plain - theirs_out).norm() / theirs_out.norm()).item()
    report(f"{name} merged", error < 1e-5 and effect > 1e-2, f"relative difference {error:.1e}; without adapters {effect:.1e}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fanoise", default=".build/release/fanoise")
    parser.add_argument("directories", nargs="*", default=[os.path.join(ROOT, name) for name in TARGETS])
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    import transformers
    transformers.logging.set_verbosity_error()
    for directory in arguments.directories:
        with tempfile.TemporaryDirectory() as folder:
            check(arguments, directory, folder)
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
