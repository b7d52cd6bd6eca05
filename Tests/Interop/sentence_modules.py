#!/usr/bin/env python3
"""Variants of a sentence-transformers directory: `fanoise embed --model` against encode_query and encode_document.

    HF_HUB_OFFLINE=1 python3 Tests/Interop/sentence_modules.py --fanoise .build/release/fanoise DIRECTORY

DIRECTORY is all-MiniLM-L6-v2 or another one with a BertTokenizer. Changed in copies of it: poolings, alone and side by side, named the old way
and the new; prompts by side; lower case decided by tokenizer_config.json and by sentence_bert_config.json; max_seq_length.
Prints one line for each side and ends with code 1 if an element of a unit vector differs by more than 1e-5.
Works with torch 2.15, transformers 5.24, sentence-transformers 6.2.
"""
import argparse, json, os, shutil, sys, tempfile

import numpy as np

import agreement

OLD = {f"pooling_mode_{m}": True for m in (
    "cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")}
# Name; 1_Pooling/config.json; prompts; keys of sentence_bert_config.json; keys of tokenizer_config.json.
CASES = [
    ("max", {"pooling_mode": "max"}, {"query": "query: "}, {}, {}),
    ("weightedmean and max", {"pooling_mode": ["weightedmean", "max"]}, {"query": "query: "}, {}, {}),
    ("all of the old flags", OLD, {"query": "Q: ", "document": "D: "}, {}, {}),
    ("lasttoken, cased", {"pooling_mode": "lasttoken"}, {}, {}, {"do_lower_case": False}),
    ("lower case first", {"pooling_mode": "mean_sqrt_len_tokens"}, {}, {"do_lower_case": True},
     {"do_lower_case": False, "strip_accents": True}),
    ("short", {"pooling_mode": "cls"}, {"document": "a document: "}, {"max_seq_length": 12}, {"tokenize_chinese_chars": False}),
]


def update(path, keys, replace=False):
    with open(path) as file:
        content = {} if replace else json.load(file)
    with open(path, "w") as file:
        json.dump({**content, **keys}, file)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fanoise", default=".build/release/fanoise")
    parser.add_argument("--texts", type=int, default=100)
    parser.add_argument("directory")
    arguments = parser.parse_args()
    from sentence_transformers import SentenceTransformer
    texts = agreement.random_texts(arguments.texts, 5)
    for name, pooling, prompts, sentence, tokenizer in CASES:
        with tempfile.TemporaryDirectory() as folder:
            directory = os.path.join(folder, "model")
            shutil.copytree(arguments.directory, directory)
            with open(f"{directory}/config.json") as file:
                width = json.load(file)["hidden_size"]
            update(f"{directory}/1_Pooling/config.json", {"word_embedding_dimension": width, **pooling}, replace=True)
            update(f"{directory}/config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": None}, replace=True)
            update(f"{directory}/sentence_bert_config.json", sentence)
            update(f"{directory}/tokenizer_config.json", tokenizer)
            model = SentenceTransformer(directory, device="cpu")
            for side, encode in (("query", model.encode_query), ("target", model.encode_document)):
                ours = agreement.embed(arguments.fanoise, directory, side, [{"text": t} for t in texts], folder)
                agreement.compare(f"{name}, {side}", ours, encode(texts))
    sys.exit(1 if agreement.FAILED else 0)


if __name__ == "__main__":
    main()
