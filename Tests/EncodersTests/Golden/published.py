#!/usr/bin/env python3
"""Tiny published directories, written by the packages that publish such models, and what they compute, for PublishedModelTests.swift.

Each directory under published/ is what `save_pretrained` (transformers), `save` (sentence-transformers) or open_clip's file layout gives
for a randomly initialised model of odd sizes; expected.safetensors beside its weights holds inputs, outputs and, for a symmetric
contrastive loss at scale 20 over unit embeddings, the gradient with respect to every parameter under its published name: all in float64,
stored as float32. A side without a partner (a text or picture encoder alone) is compared with itself on a second set of inputs.

Run: HF_HUB_OFFLINE=1 python3 published.py
Made with torch 2.15.0, transformers 5.24.0, sentence-transformers 6.2.0, open_clip_torch 3.3.0, safetensors 0.8.0.
"""
import json, math, os, random, shutil, sys
import torch
from safetensors.torch import save_file
import transformers as hf

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "published")
ROWS = 5


def randomise(model, seed):
    """Initial values of norms and biases are 1 and 0: every parameter becomes random, so that each one matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "logit_" in name:
                p.fill_(1.5 if "scale" in name else -2.0)
                continue
            noise = torch.randn(p.shape, generator=generator, dtype=p.dtype)
            centre = 1.0 if p.ndim == 1 and ("norm" in name.lower() or "ln_" in name) and name.endswith("weight") else 0.0
            p.copy_(centre + noise * (0.3 if p.ndim == 1 else 1.0 / math.sqrt(p.shape[-1]) if p.ndim == 2 else 0.2))


def texts(vocabulary, longest, rng, first=None, last=None, avoid=()):
    allowed = [i for i in range(vocabulary) if i not in avoid]
    result = []
    for row in range(ROWS):
        ids = [rng.choice(allowed) for _ in range(longest if row == 0 else rng.randint(2, longest))]
        if first is not None:
            ids[0] = first
        if last is not None:
            ids[-1] = last
        result.append(ids)
    return result


def contrastive(a, b):
    a, b = (torch.nn.functional.normalize(x, dim=-1) for x in (a, b))
    logits = 20 * a @ b.T
    labels = torch.arange(a.shape[0])
    return (torch.nn.functional.cross_entropy(logits, labels) + torch.nn.functional.cross_entropy(logits.T, labels)) / 2


def finish(directory, model, sides, names=lambda n: n):
    """sides: two of (kind, inputs, outputs)."""
    expected = {}
    outputs = [side[2] for side in sides]
    for output in outputs:
        output.retain_grad()
    contrastive(*outputs).backward()
    for label, (kind, inputs, output) in zip("ab", sides):
        if kind == "text":
            expected[f"{label}.ids"] = torch.tensor([i for t in inputs for i in t], dtype=torch.int64)
            offsets = [0]
            for t in inputs:
                offsets.append(offsets[-1] + len(t))
            expected[f"{label}.offsets"] = torch.tensor(offsets, dtype=torch.int64)
        else:
            expected[f"{label}.pictures"] = inputs.float()
        expected[f"{label}.output"] = output.detach().float()
        expected[f"{label}.seed"] = output.grad.float()
    for name, p in model.named_parameters():
        if p.grad is not None and "logit_" not in name:
            expected["gradient." + names(name)] = p.grad.detach().float().contiguous()
    save_file(expected, os.path.join(directory, "expected.safetensors"))


def fresh(name):
    directory = os.path.join(ROOT, name)
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    return directory


def pictures(size, seed):
    return torch.randn(ROWS, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def text_alone(name, model, config, seed, pool, **ids):
    directory, rng = fresh(name), random.Random(seed)
    randomise(model, seed)
    model.save_pretrained(directory)
    model = model.double().eval()

    def encode(batch):
        rows = [pool(model(torch.tensor([t])).last_hidden_state[0]) for t in batch]
        return torch.stack(rows)

    a, b = texts(config.vocab_size, ids.pop("longest"), rng, **ids), texts(config.vocab_size, 4, rng, **ids)
    finish(directory, model, [("text", a, encode(a)), ("text", b, encode(b))])


def mean(x):
    return x.mean(0)


def bert(name, seed, **sizes):
    config = hf.BertConfig(**sizes)
    text_alone(name, hf.BertModel(config), config, seed, mean, longest=config.max_position_embeddings)


def roberta(name, seed, **sizes):
    config = hf.XLMRobertaConfig(**sizes)
    text_alone(
        name, hf.XLMRobertaModel(config), config, seed, mean,
        longest=config.max_position_embeddings - config.pad_token_id - 1, avoid=(config.pad_token_id,))


def mpnet(name, seed, longest, **sizes):
    config = hf.MPNetConfig(**sizes)
    text_alone(name, hf.MPNetModel(config), config, seed, mean, longest=longest, avoid=(1,))


def vit(name, seed, **sizes):
    directory = fresh(name)
    model = hf.ViTModel(hf.ViTConfig(**sizes))
    randomise(model, seed)
    model.save_pretrained(directory)
    model = model.double().eval()
    sides = []
    for offset in (1, 2):
        inputs = pictures(sizes["image_size"], seed + offset)
        sides.append(("pictures", inputs, model(inputs).last_hidden_state[:, 0]))
    finish(directory, model, sides)


def clip(name, seed, eos, text, vision, projection):
    directory, rng = fresh(name), random.Random(seed)
    text = dict(text, bos_token_id=0, eos_token_id=eos, pad_token_id=1)
    model = hf.CLIPModel(hf.CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection))
    randomise(model, seed)
    model.save_pretrained(directory)
    model = model.double().eval()
    # Where the end's number is 2, the highest number is the end of a text.
    last = text["vocab_size"] - 1 if eos == 2 else eos
    batch = texts(text["vocab_size"], text["max_position_embeddings"], rng, last=last, avoid=(last,))
    inputs = pictures(vision["image_size"], seed)
    pooled = [model.text_model(torch.tensor([t])).pooler_output[0] for t in batch]
    finish(directory, model, [
        ("text", batch, model.text_projection(torch.stack(pooled))),
        ("pictures", inputs, model.visual_projection(model.vision_model(inputs).pooler_output))])


def siglip(name, seed, text, vision):
    directory, rng = fresh(name), random.Random(seed)
    text = dict(text, bos_token_id=0, eos_token_id=1, pad_token_id=1)
    model = hf.SiglipModel(hf.SiglipConfig(text_config=text, vision_config=vision))
    randomise(model, seed)
    model.save_pretrained(directory)
    model = model.double().eval()
    context = text["max_position_embeddings"]
    batch = texts(text["vocab_size"], context, rng, last=1, avoid=(1,))
    padded = torch.tensor([t + [1] * (context - len(t)) for t in batch])
    inputs = pictures(vision["image_size"], seed)
    finish(directory, model, [
        ("text", batch, model.text_model(padded).pooler_output),
        ("pictures", inputs, model.vision_model(inputs).pooler_output)])


def open_clip(name, seed, config, custom):
    from open_clip.model import CLIP, CustomTextCLIP
    directory, rng = fresh(name), random.Random(seed)
    model = (CustomTextCLIP if custom else CLIP)(**{k: v for k, v in config.items() if k != "custom_text"})
    randomise(model, seed)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, os.path.join(directory, "open_clip_model.safetensors"))
    with open(os.path.join(directory, "open_clip_config.json"), "w") as file:
        json.dump({"model_cfg": config, "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3]}}, file, indent=2)
    model = model.double().eval()
    text = config["text_cfg"]
    last = text["eos_id"] if text.get("pool_type") == "eos" else text["vocab_size"] - 1
    batch = texts(text["vocab_size"], text["context_length"], rng, last=last, avoid=(0, last))
    padded = torch.tensor([t + [0] * (text["context_length"] - len(t)) for t in batch])
    inputs = pictures(config["vision_cfg"]["image_size"], seed)
    finish(directory, model, [
        ("text", batch, model.encode_text(padded)), ("pictures", inputs, model.encode_image(inputs))])


def sentence(name, seed, modes="cls", **options):
    """What sentence-transformers writes: a transformer with a tokenizer, pooling, a dense layer with tanh, normalisation."""
    from sentence_transformers import SentenceTransformer, models
    directory, rng = fresh(name), random.Random(seed)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [f"w{i}" for i in range(15)]
    source = os.path.join(directory, "source")
    config = hf.BertConfig(vocab_size=len(words), hidden_size=12, num_hidden_layers=1, num_attention_heads=3, intermediate_size=10,
                           max_position_embeddings=11)
    model = hf.BertModel(config)
    randomise(model, seed)
    model.save_pretrained(source)
    from tokenizers import Tokenizer, models as kinds, normalizers, pre_tokenizers, processors
    tokenizer = Tokenizer(kinds.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
        model_max_length=10).save_pretrained(source)
    transformer = models.Transformer(source, max_seq_length=9)
    pooling = models.Pooling(12, modes)
    dense = models.Dense(12 * (1 if isinstance(modes, str) else len(modes)), 7, activation_function=torch.nn.Tanh())
    whole = SentenceTransformer(modules=[transformer, pooling, dense, models.Normalize()], device="cpu", **options)
    whole.save(directory)
    shutil.rmtree(source)
    inner = (transformer.auto_model if hasattr(transformer, "auto_model") else transformer.model).double().eval()
    dense = dense.double()

    def encode(batch):
        rows = torch.cat([
            pooling({"token_embeddings": inner(torch.tensor([t])).last_hidden_state,
                     "attention_mask": torch.ones(1, len(t), dtype=torch.int64)})["sentence_embedding"] for t in batch])
        return torch.nn.functional.normalize(dense({"sentence_embedding": rows})["sentence_embedding"], dim=-1)

    both = torch.nn.ModuleDict({"inner": inner, "dense": dense})
    a, b = texts(len(words), 9, rng), texts(len(words), 5, rng)
    finish(directory, both, [("text", a, encode(a)), ("text", b, encode(b))],
           names=lambda n: n.replace("inner.", "", 1) if n.startswith("inner.") else n.replace("dense.", "2_Dense/", 1))


def main():
    os.makedirs(ROOT, exist_ok=True)
    bert("bert", 1, vocab_size=23, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
         max_position_embeddings=9, layer_norm_eps=1e-12)
    bert("bert-relu", 2, vocab_size=31, hidden_size=20, num_hidden_layers=1, num_attention_heads=1, intermediate_size=7,
         max_position_embeddings=18, type_vocab_size=3, hidden_act="relu", layer_norm_eps=1e-5)
    roberta("xlm-roberta", 3, vocab_size=29, hidden_size=10, num_hidden_layers=2, num_attention_heads=5, intermediate_size=16,
            max_position_embeddings=12, type_vocab_size=1, layer_norm_eps=1e-5)
    roberta("xlm-roberta-silu", 4, vocab_size=17, hidden_size=18, num_hidden_layers=1, num_attention_heads=2, intermediate_size=11,
            max_position_embeddings=20, type_vocab_size=1, hidden_act="silu", pad_token_id=3)
    mpnet("mpnet", 5, 7, vocab_size=27, hidden_size=12, num_hidden_layers=2, num_attention_heads=2, intermediate_size=18,
          max_position_embeddings=9)
    # Far enough for every bucket of distances.
    mpnet("mpnet-long", 6, 150, vocab_size=19, hidden_size=9, num_hidden_layers=1, num_attention_heads=3, intermediate_size=8,
          max_position_embeddings=160, hidden_act="gelu_new")
    vit("vit", 7, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=14, image_size=12, patch_size=4)
    vit("vit-odd", 8, hidden_size=10, num_hidden_layers=1, num_attention_heads=2, intermediate_size=9, image_size=13, patch_size=6,
        qkv_bias=False, layer_norm_eps=1e-6)
    clip("clip", 9, 2, dict(vocab_size=21, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
                            max_position_embeddings=8),
         dict(hidden_size=10, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12, image_size=8, patch_size=4), 6)
    clip("clip-gelu", 10, 7, dict(vocab_size=25, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=9,
                                  max_position_embeddings=11, hidden_act="gelu"),
         dict(hidden_size=15, num_hidden_layers=2, num_attention_heads=3, intermediate_size=8, image_size=10, patch_size=3,
              hidden_act="gelu"), 5)
    siglip("siglip", 11, dict(vocab_size=22, hidden_size=12, num_hidden_layers=1, num_attention_heads=3, intermediate_size=14,
                              max_position_embeddings=7),
           dict(hidden_size=12, num_hidden_layers=2, num_attention_heads=2, intermediate_size=10, image_size=8, patch_size=4))
    siglip("siglip-odd", 12, dict(vocab_size=13, hidden_size=14, num_hidden_layers=2, num_attention_heads=1, intermediate_size=9,
                                  max_position_embeddings=16, projection_size=10),
           dict(hidden_size=10, num_hidden_layers=1, num_attention_heads=5, intermediate_size=16, image_size=11, patch_size=5))
    text = dict(context_length=9, vocab_size=20, width=12, heads=3, layers=2)
    vision = dict(layers=1, width=16, head_width=8, mlp_ratio=2.0, patch_size=4, image_size=8)
    open_clip("open-clip", 13, dict(embed_dim=6, quick_gelu=True, vision_cfg=vision, text_cfg=text), False)
    open_clip("open-clip-custom", 14, dict(
        embed_dim=5, custom_text=True, vision_cfg=dict(vision, no_ln_pre=True, width=12, head_width=4),
        text_cfg=dict(text, width=8, heads=2, mlp_ratio=1.5, pool_type="eos", eos_id=4, proj_bias=True)), True)
    sentence("sentence", 15)
    sentence("sentence-pooled", 16, ["weightedmean", "max", "lasttoken", "mean_sqrt_len_tokens", "mean", "cls"],
             prompts={"query": "w1 ", "passage": "w2 ", "other": "w3 "}, default_prompt_name="other")


if __name__ == "__main__":
    main()
