"""Numbers of fewer bits beside llama.cpp's: the same model quantized to the same format by both, and how far each's
predictions are from the original's (mean KL divergence over a text, as `herd compare` measures it).

  bench/quantizer_peer.py MODEL TEXT --learn TEXT --llama BIN [--herd build/herd] [--types q4_k,...] [--check]

MODEL: a directory that herd reads, rows whole blocks of 256, attention chunks of 128 tokens at least. BIN: llama.cpp's
build/bin. Every matrix gets the format (--pure on both sides). Two tables: without importances, and with those that
`herd imatrix` gathers from --learn; both quantizers read the same file. --check compares herd's file with the one that
llama-imatrix makes from the same text.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

# herd's name, and llama.cpp's type of file whose --pure is that format.
PEERS = {
    "q8_0": "Q8_0", "q6_k": "Q6_K", "q5_k": "Q5_K_S", "q5_1": "Q5_1", "q5_0": "Q5_0", "q4_k": "Q4_K_S",
    "q4_1": "Q4_1", "q4_0": "Q4_0", "iq4_nl": "IQ4_NL", "iq4_xs": "IQ4_XS", "q3_k": "Q3_K_S", "iq3_s": "IQ3_S",
    "iq3_xxs": "IQ3_XXS", "q2_k": "Q2_K", "iq2_s": "IQ2_M", "iq2_xs": "IQ2_XS", "iq2_xxs": "IQ2_XXS",
    "iq1_m": "IQ1_M", "iq1_s": "IQ1_S",
}


def run(*words):
    """What a program printed; None where it failed."""
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def divergence(options, file):
    """Mean KL divergence from the model, in nats; None without a file."""
    if not file.exists():
        return None
    out = run(options.herd, "compare", options.model, file, options.text, "--json")
    file.unlink()
    return None if out is None else json.loads(out)["kld_mean"]


def rows(options, folder, base, imatrix):
    """For each type: bits a number, llama.cpp's divergence, herd's."""
    ours, theirs = folder / "herd.gguf", folder / "llama.gguf"
    for name in options.types.split(","):
        extra = ["--imatrix", imatrix] if imatrix else []
        run(options.llama / "llama-quantize", "--pure", *extra, base, theirs, PEERS[name], 1)
        run(options.herd, "quantize", base, ours, "--pure", "--type", name, *extra)
        yield name, divergence(options, theirs), divergence(options, ours)


def table(options, folder, base, imatrix):
    """Prints one; gives the types at which herd is worse."""
    worse = []
    print("| format | llama.cpp | herd | herd / llama.cpp |\n|---|--:|--:|--:|")
    for name, theirs, ours in rows(options, folder, base, imatrix):
        if ours is None:
            sys.exit(f"herd could not make {name}")
        shown = "refuses" if theirs is None else f"{theirs:.5f}"
        ratio = "" if theirs is None else f"{ours / theirs:.3f}"
        print(f"| {name} | {shown} | {ours:.5f} | {ratio} |", flush=True)
        if theirs is not None and ours > theirs:
            worse.append(name)
    return worse


def means(path):
    """Mean squares of every tensor of an importance matrix."""
    import gguf  # pylint: disable=import-outside-toplevel

    data = {t.name: t.data.astype("float64") for t in gguf.GGUFReader(path).tensors}
    return {
        name[: -len(".in_sum2")]: (sums.reshape(data[name[: -len("in_sum2")] + "counts"].size, -1)
                                   / data[name[: -len("in_sum2")] + "counts"].reshape(-1, 1).clip(1))
        for name, sums in data.items() if name.endswith(".in_sum2")
    }


def with_embedding(path, out, base):
    """The importance matrix with ones for the embedding table, whose rows are taken and not multiplied: llama-quantize
    refuses to give a tensor that it knows nothing of the lowest types, and ones are what herd takes."""
    import gguf  # pylint: disable=import-outside-toplevel
    import numpy  # pylint: disable=import-outside-toplevel

    width = next(t for t in gguf.GGUFReader(base).tensors if t.name == "token_embd.weight").shape[0]
    writer = gguf.GGUFWriter(out, "imatrix")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["text"])
    writer.add_uint32("imatrix.chunk_count", 1)
    writer.add_uint32("imatrix.chunk_size", 128)
    for tensor in gguf.GGUFReader(path).tensors:
        writer.add_tensor(tensor.name, tensor.data)
    writer.add_tensor("token_embd.weight.in_sum2", numpy.ones((1, int(width)), "float32"))
    writer.add_tensor("token_embd.weight.counts", numpy.ones((1, 1), "float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check(options, folder, base, imatrix):
    """herd's mean squares beside llama.cpp's of the same text: windows begin elsewhere, so nearly alike."""
    other = folder / "llama.imatrix.gguf"
    run(options.llama / "llama-imatrix", "-m", base, "-f", options.learn, "-o", other, "-c", 128, "--no-ppl")
    ours, theirs = means(imatrix), means(other)
    largest = 0.0
    for name, want in theirs.items():
        if name not in ours:
            if "ffn_gate_inp" not in name:
                sys.exit(f"herd's file lacks {name}")
            continue
        have = ours[name]
        if have.shape != want.shape:
            sys.exit(f"{name}: {have.shape}, wanted {want.shape}")
        largest = max(largest, abs(have - want).sum() / want.sum())
    print(f"importances of {len(theirs)} tensors: at most {100 * largest:.1f} % from llama-imatrix's")


def main():
    """The tables, and a failure where herd is worse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--learn", type=Path, required=True)
    parser.add_argument("--llama", type=Path, required=True)
    parser.add_argument("--herd", type=Path, default=Path("build/herd"))
    parser.add_argument("--types", default=",".join(PEERS))
    parser.add_argument("--only", choices=("with", "without"))
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        base, imatrix = folder / "base.gguf", folder / "imatrix.gguf"
        run(options.herd, "convert", options.model, base, "--type", "f16")
        print(run(options.herd, "imatrix", options.model, options.learn, "--out", imatrix, "--window", 128))
        if options.check:
            check(options, folder, base, imatrix)
        both = folder / "both.imatrix.gguf"
        with_embedding(imatrix, both, base)
        worse = []
        for title, file in {"without": None, "with": both}.items():
            if options.only in (None, title):
                print(f"\n{title.capitalize()} importances:\n", flush=True)
                worse += table(options, folder, base, file)
    if worse:
        sys.exit(f"worse at {' '.join(worse)}")


if __name__ == "__main__":
    main()
