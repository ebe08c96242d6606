#!/usr/bin/env python3
"""Do transformers and compressed-tensors load the FP8 and int4 directories that herd writes, with herd's logits?

usage: check_compressed.py HERD

FP8 of models/cria, and int4 of tests/data/models/int4, whose rows are whole groups. Both libraries take the weights
apart; what goes into a matrix in FP8 they round as the configuration says (a scale a token), which herd does not, so
that comparison is made twice: as written, where the most likely tokens must be equal, and with inputs left alone. What
goes into a matrix in int4 herd rounds to eight bits and they do not: there herd's logits are those of the same weights
written as float32.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from transformers import Llama4ForCausalLM, Llama4ForConditionalGeneration

ROOT = pathlib.Path(__file__).parents[2]


def run(*command):
    """A program whose failure is ours."""
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


def compare(herd, directory, ids, ours_of=None):
    """The largest difference of logits over their largest, and how often the most likely token is the same. `ours_of`:
    the directory for herd, if another one."""
    config = json.loads((directory / "config.json").read_text())
    kind = Llama4ForConditionalGeneration if config["model_type"] == "llama4" else Llama4ForCausalLM
    model, report = kind.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager",
                                         output_loading_info=True)
    assert not report["missing_keys"], sorted(report["missing_keys"])
    assert not report["unexpected_keys"], sorted(report["unexpected_keys"])
    with torch.no_grad():
        theirs = model.eval()(input_ids=torch.tensor([ids])).logits[0].numpy()
    out = directory / "logits.npy"
    run(herd, "logits", ours_of or directory, "--tokens", ",".join(map(str, ids)), "--precision", "f32", "--out", out)
    ours = np.load(out)
    return np.abs(ours - theirs).max() / np.abs(theirs).max(), (ours.argmax(1) == theirs.argmax(1)).mean()


def main():
    """Both formats; says the differences."""
    herd = pathlib.Path(sys.argv[1]).resolve()
    ids = [3 * i * i % 200 + 1 for i in range(48)]
    with tempfile.TemporaryDirectory() as folder:
        fp8, int4 = pathlib.Path(folder) / "fp8", pathlib.Path(folder) / "int4"
        run(herd, "convert", ROOT / "models/cria", fp8, "--type", "fp8")
        run(herd, "convert", ROOT / "tests/data/models/int4", int4, "--type", "int4")
        rounded, same = compare(herd, fp8, ids)
        print(f"FP8, inputs rounded by transformers: {rounded:.1e} of the largest logit, the same token {same:.0%}")
        assert rounded < 0.05 and same >= 0.95
        config = json.loads((fp8 / "config.json").read_text())
        config["quantization_config"]["config_groups"]["group_0"]["input_activations"] = None
        (fp8 / "config.json").write_text(json.dumps(config))
        plain = pathlib.Path(folder) / "plain"
        run(herd, "convert", int4, plain, "--type", "f32")
        for name, *directories in (("FP8, inputs left alone", fp8, fp8), ("int4", int4, plain)):
            difference, same = compare(herd, directories[0], ids, directories[1])
            print(f"{name}: {difference:.1e} of the largest logit, the same token {same:.0%}")
            assert difference < 1e-5 and same == 1


if __name__ == "__main__":
    main()
