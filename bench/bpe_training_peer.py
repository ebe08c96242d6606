"""Is a tokenizer trained faster than by the tokenizers library? The same text and vocabulary, taking turns.

  .venv/bin/python bench/bpe_training_peer.py [--bench build/bpe_training_bench] [--herd build/herd] [--rounds 5]

Texts: the mixed corpus of the tests, and English prose and sources found on this machine (licences, changelogs and
Python's library), cut into documents of about 8 KB. For 1 and 2 threads each. The median of the clock and of the
processor's time. Before anything is timed, the merges of both must be the same, one by one; and a text encoded with the
file that `herd train-tokenizer` writes must give the same ids in herd and in transformers, special tokens included.
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

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools/reference"))
DOCUMENT = 8192
SPECIALS = 32


def split_pattern(digits):
    text = (ROOT / "src/text/llama4_tokens.h").read_text()
    begin = text.index("single_digit_split_pattern" if digits == "single" else "llama4_split_pattern")
    lines = text[begin : text.index(";\n", begin)].split("\n")[1:]
    return "".join(line.strip().removeprefix('R"RE(').removesuffix(')RE"') for line in lines)


def documents(paths, limit):
    out, total = [], 0
    for path in paths:
        try:
            text = path.read_bytes().decode()
        except (UnicodeDecodeError, OSError):
            continue
        out += [text[i : i + DOCUMENT] for i in range(0, len(text), DOCUMENT)]
        total += len(text)
        if total > limit:
            break
    return out


def texts(limit):
    import corpus

    library = pathlib.Path(os.__file__).parent
    mixed = [c.decode() for i, c in enumerate(corpus.chunks()) if not corpus.has_invalid(i)]
    prose = sorted(p for p in pathlib.Path("/usr/share/common-licenses").iterdir() if p.is_file())
    prose += sorted((ROOT / ".venv").glob("lib/*/site-packages/*/METADATA"))
    return {
        "mixed corpus": mixed,
        "English prose": documents(prose, limit),
        "Python sources": documents(sorted(library.rglob("*.py")), limit),
    }


def theirs(docs, vocabulary, digits="grouped"):
    """The merges of the tokenizers library as pairs, and the seconds of clock and processor."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(split_pattern(digits)), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, min_frequency=2, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    clock, processor = time.perf_counter(), time.process_time()
    tokenizer.train_from_iterator(docs, trainer)
    seconds = time.perf_counter() - clock, time.process_time() - processor
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(m) for m in merges], seconds


def peer(path, vocabulary, rounds):
    """Another process: the library reads how many threads it may have from its environment, once."""
    docs = pathlib.Path(path).read_bytes().decode(errors="surrogateescape").split("\udcff")
    for _ in range(rounds):
        sys.stdin.readline()
        print(json.dumps(theirs(docs, vocabulary)[1]), flush=True)


def check(herd, docs, file, vocabulary, digits):
    """Number of merges and of texts on which both sides agree; stops at the first that differs."""
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as out:
        lines = pathlib.Path(out) / "lines.jsonl"
        lines.write_text("".join(json.dumps({"text": d}) + "\n" for d in docs))
        subprocess.run([herd, "train-tokenizer", f"{out}/model", lines, "--field", "text", "--digits", digits,
                        "--vocab-size", str(vocabulary + SPECIALS)], check=True, capture_output=True)
        ours = json.loads(pathlib.Path(out, "model/tokenizer.json").read_text())["model"]["merges"]
        ours = [tuple(m.split(" ")) for m in ours]
        reference, _ = theirs(docs, vocabulary, digits)
        differ = [i for i, pair in enumerate(zip(ours, reference)) if pair[0] != pair[1]]
        assert not differ and len(ours) == len(reference), (len(ours), len(reference), differ[:1])

        loaded = AutoTokenizer.from_pretrained(f"{out}/model")
        sample = [*docs[:: max(1, len(docs) // 40)], "<|eot|>a<|patch|> b<|begin_of_text|>", "", "12345 \u0664\u0665"]
        for text in sample:
            said = subprocess.run([herd, "tokenize", f"{out}/model", "--special"], input=text.encode(), check=True,
                                  capture_output=True)
            ids = json.loads(said.stdout)
            assert loaded.encode(text, add_special_tokens=False) == ids, text
            assert loaded.encode(text) == [loaded.bos_token_id, *ids]
            assert loaded.decode(ids) == text
        assert len(loaded) == vocabulary + SPECIALS and loaded.eos_token == "<|eot|>"
        return len(ours), len(sample)


def race(options, path, vocabulary, threads):
    """Rounds of herd and of the library, one after the other: the records of both."""
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads),
                                "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false"}
    sides = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for command in (
            [options.bench, path, str(vocabulary), str(threads), f"--rounds={options.rounds}", "--wait"],
            [sys.executable, __file__, "--peer", path, "--vocabulary", str(vocabulary),
             "--rounds", str(options.rounds)],
        )
    ]
    records = [[], []]
    for _ in range(options.rounds):
        for side, record in zip(sides, records):
            side.stdin.write("\n")
            side.stdin.flush()
            record.append(json.loads(side.stdout.readline()))
    for side in sides:
        side.stdin.close()
        side.wait()
    return records


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bench", default=ROOT / "build/bpe_training_bench")
    arguments.add_argument("--herd", default=ROOT / "build/herd")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--vocabulary", type=int, default=4096)
    arguments.add_argument("--limit", type=int, default=8_000_000, help="bytes of a text")
    arguments.add_argument("--peer", help="internal: the other side of the race")
    options = arguments.parse_args()
    if options.peer:
        return peer(options.peer, options.vocabulary, options.rounds)

    print("| text | threads | herd MB/s | tokenizers MB/s | ratio | herd CPU s | tokenizers CPU s | ratio |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as scratch:
        for name, docs in texts(options.limit).items():
            file = pathlib.Path(scratch) / "text"
            file.write_bytes(b"\xff".join(d.encode() for d in docs))
            for digits in ("grouped", "single"):
                merges, sample = check(options.herd, docs, file, options.vocabulary, digits)
                print(f"{name}, digits {digits}: {merges} merges and the ids of {sample} texts are the same",
                      file=sys.stderr)
            for threads in (1, 2):
                ours, other = race(options, str(file), options.vocabulary, threads)
                size = ours[0]["bytes"] / 1e6
                mine, mine_cpu = (statistics.median(r[k] for r in ours) for k in ("seconds", "cpu_seconds"))
                clock, cpu = (statistics.median(r[k] for r in other) for k in (0, 1))
                row = [f"{name}, {size:.1f} MB", str(threads), f"{size / mine:.1f}", f"{size / clock:.2f}",
                       f"{clock / mine:.0f}×", f"{mine_cpu:.2f}", f"{cpu:.2f}", f"{cpu / mine_cpu:.0f}×"]
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
