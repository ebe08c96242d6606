"""Writes tests/data/embeddings.json: prompts as one vector, by the transformers library, float32.

The outputs of the final norm over a prompt's tokens: their mean, and the last of them.
"""

import json
import pathlib

import torch

from variants import load

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    cases = []
    for name in ("scout", "chunks", "topk2"):
        directory = ROOT / "tests/data/models" / name
        model = load(None, directory)
        for length in (1, 40, 150):
            prompt = [240] + [(11 * i + length) % 230 for i in range(length)]
            with torch.no_grad():
                # The last of hidden_states is what the head reads: the final norm's outputs.
                rows = model(input_ids=torch.tensor([prompt]), use_cache=False, output_hidden_states=True)
            rows = rows.hidden_states[-1][0].double()
            cases.append(
                {
                    "model": name,
                    "prompt": prompt,
                    "mean": [round(x, 7) for x in rows.mean(0).tolist()],
                    "last": [round(x, 7) for x in rows[-1].tolist()],
                }
            )
    (ROOT / "tests/data/embeddings.json").write_text(json.dumps({"cases": cases}) + "\n")


if __name__ == "__main__":
    main()
