"""Is herd three times as fast as the tokenizers library? One thread each, taking turns.

  .venv/bin/python bench/tokenizer_peer.py [--bench build/tokenizer_bench] [--rounds 7]

Texts: the mixed corpus of the tests, Debian's licences (English prose), herd's own sources, each
cut into documents of about 8 KB. Tokenizers: Meta's tokenizer.model where llama_models is installed
(HF gets it as its own converter writes it), and the small one of the tests. HF is measured by its
two ways, the faster counts; tiktoken for comparison. Times are medians of processor time. There
must be as many ids on both sides, or nothing is printed.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools/reference"))

import corpus
from tokenizers import Tokenizer

DOCUMENT = 8192


def documents(text):
    return [text[i : i + DOCUMENT] for i in range(0, len(text), DOCUMENT)]


def texts():
    chunks = corpus.chunks()
    shared = sorted(pathlib.Path("/usr/share/common-licenses").iterdir())
    licences = "".join(p.read_text() for p in shared if p.is_file())
    sources = "".join(p.read_text() for p in sorted(ROOT.glob("src/*/*.cc")))
    return {
        "mixed corpus": [c.decode() for i, c in enumerate(chunks) if not corpus.has_invalid(i)],
        "English prose": documents(licences),
        "C++ sources": documents(sources),
    }


def meta_as_json(path):
    """Meta's ranks as tokenizer.json, by transformers' own converter; no special tokens in it."""
    from llama_models.llama4.tokenizer import Tokenizer as Meta
    from transformers.convert_slow_tokenizer import TikTokenConverter

    converted = json.loads(TikTokenConverter(str(path),
                                             pattern=Meta.O200K_PATTERN).converted().to_str())
    converted["added_tokens"] = []
    return Tokenizer.from_str(json.dumps(converted)), Meta.get_instance().model


def tokenizers_of(scratch):
    """(name, file for herd, HF tokenizer, tiktoken encoding or None)"""
    small = ROOT / "tests/data/text/tokenizer.json"
    plain = json.loads(small.read_text())
    plain["added_tokens"], plain["post_processor"] = [], None
    yield "small (3,000 words)", small, Tokenizer.from_str(json.dumps(plain)), None
    try:
        import llama_models.llama4.tokenizer as meta
    except ImportError:
        print("llama_models is not installed: Meta's tokenizer is left out", file=sys.stderr)
        return
    path = pathlib.Path(meta.__file__).parent / "tokenizer.model"
    yield "Meta's (200,000 words)", path, *meta_as_json(path)


def timed(function):
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--bench", default=ROOT / "build/tokenizer_bench")
    arguments.add_argument("--rounds", type=int, default=7)
    options = arguments.parse_args()

    print("| tokenizer | text | herd MB/s | tokenizers MB/s | ratio | tiktoken MB/s | ratio |")
    print("|---|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as scratch:
        for name, path, hf, encoding in tokenizers_of(scratch):
            for text_name, docs in texts().items():
                file = pathlib.Path(scratch) / "text"
                file.write_bytes(b"\xff".join(d.encode() for d in docs))
                herd = subprocess.Popen(
                    [options.bench, path, file, f"--rounds={options.rounds}", "--wait"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
                ways = {
                    "encode": lambda: [hf.encode(d, add_special_tokens=False).ids for d in docs],
                    "batch": lambda: [
                        e.ids for e in hf.encode_batch_fast(docs, add_special_tokens=False)
                    ],
                }
                if encoding:
                    ways["tiktoken"] = lambda: [encoding.encode_ordinary(d) for d in docs]
                ours, theirs = [], {way: [] for way in ways}
                for _ in range(options.rounds):
                    herd.stdin.write("\n")
                    herd.stdin.flush()
                    round_ = json.loads(herd.stdout.readline())
                    ours.append(round_["seconds"])
                    for way, function in ways.items():
                        seconds, ids = timed(function)
                        theirs[way].append(seconds)
                        assert sum(map(len, ids)) == round_["ids"], (way, text_name)
                herd.stdin.close()
                herd.wait()
                size = round_["bytes"] / 1e6
                mine = statistics.median(ours)
                best = min(statistics.median(theirs["encode"]), statistics.median(theirs["batch"]))
                row = [name, f"{text_name}, {size:.1f} MB", f"{size / mine:.1f}",
                       f"{size / best:.2f}", f"{best / mine:.0f}×"]
                if encoding:
                    other = statistics.median(theirs["tiktoken"])
                    row += [f"{size / other:.2f}", f"{other / mine:.0f}×"]
                else:
                    row += ["", ""]
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
