"""Writes tests/data/choices.json: log-probabilities of continuations by the transformers library, float32.

For some tiny models: a prompt of words, continuations of one to five words, and the sum of ln p over each one's tokens.
"""

import json
import pathlib

import torch

from variants import load

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONTINUATIONS = [[17], [200], [3, 4, 5], [90, 91], [17, 3, 200, 66, 8]]


def sums_of(model, prompt):
    sums = []
    for continuation in CONTINUATIONS:
        tokens = torch.tensor([prompt + continuation])
        rows = torch.log_softmax(model(input_ids=tokens, use_cache=False).logits[0].double(), -1)
        sums.append(sum(rows[len(prompt) + i - 1, token].item() for i, token in enumerate(continuation)))
    return sums


def main():
    cases = []
    for name in ("scout", "chunks", "topk2"):
        directory = ROOT / "tests/data/models" / name
        model = load(None, directory)
        for length in (1, 9, 40):
            prompt = [240] + [(7 * i + length) % 230 for i in range(length)]
            with torch.no_grad():
                cases.append({"model": name, "prompt": prompt, "sums": sums_of(model, prompt)})
    document = {"continuations": CONTINUATIONS, "cases": cases}
    (ROOT / "tests/data/choices.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
