"""The text of the tokenizer tests: more than 2 MB in over 20 scripts, code, numbers, spaces, emoji, marks, bad bytes.

Drawn from the lists of tests/data/text/corpus.json by a counter-based generator; src/text/corpus_for_test.h draws the
same bytes in C++, so that only hashes of what the reference tokenizers make of them are committed.
"""

import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data/text"
CHUNKS = 288
CHUNK_BYTES = 8192
MASK = 2**64 - 1


class Draw:
    """SplitMix64 (Steele, Lea, Flood 2014), one stream for each chunk."""

    def __init__(self, stream):
        self.state = stream * 0xD1342543DE82EF95 & MASK

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        return (z ^ z >> 31) % n

    def of(self, items):
        return items[self.below(len(items))]


def load():
    return json.loads((DATA / "corpus.json").read_text())


def has_invalid(chunk):
    """Every eighth chunk has bytes that are no UTF-8."""
    return chunk % 8 == 7


def sentence(source, draw, chunk):
    out = ""
    words = source["words"]
    own = words[chunk % len(words)]
    for _ in range(3 + draw.below(12)):
        out += draw.of(own if draw.below(4) else draw.of(words)) + " "
    return out[:-1] + draw.of(source["punctuation"])


def number(source, draw):
    zero = ord(draw.of(source["digits"]))
    out = "".join(chr(zero + draw.below(10)) for _ in range(1 + draw.below(12)))
    return out + draw.of([" ", ",", ".", "", "%\n", "/"])


def spaces(source, draw):
    one = draw.of(source["spaces"])
    return "".join(draw.of(source["spaces"]) if draw.below(8) == 0 else one for _ in range(1 + draw.below(20)))


def emoji(source, draw):
    joiner = draw.of(["", "\u200d", " "])
    return joiner.join(draw.of(source["emoji"]) for _ in range(1 + draw.below(5)))


def marked(source, draw):
    out = ""
    for _ in range(1 + draw.below(6)):
        out += draw.of(draw.of(source["words"]))
        out += "".join(draw.of(source["marks"]) for _ in range(draw.below(4)))
    return out


def random_characters(source, draw):
    out = ""
    for _ in range(1 + draw.below(8)):
        low, high = draw.of(source["ranges"])
        out += chr(low + draw.below(high - low + 1))
    return out


def item(source, draw, chunk):
    kind = draw.below(18)
    if kind == 9:
        return number(source, draw).encode()
    if kind == 10:
        return ("    " * draw.below(4) + draw.of(source["code"]) + "\n").encode()
    if kind == 11:
        return spaces(source, draw).encode()
    if kind == 12:
        return emoji(source, draw).encode()
    if kind == 13:
        return marked(source, draw).encode()
    if kind == 14:
        return random_characters(source, draw).encode()
    if kind == 15:
        return "".join(draw.of(source["nasty"]) for _ in range(1 + draw.below(12))).encode()
    if kind == 16 and has_invalid(chunk):
        return b"".join(bytes.fromhex(draw.of(source["invalid"])) for _ in range(1 + draw.below(3)))
    if kind == 17:
        return draw.of(source["punctuation"]).encode()
    return sentence(source, draw, chunk).encode()


def chunk(source, index):
    """The bytes of one chunk; at least CHUNK_BYTES."""
    draw = Draw(index + 1)
    out = b""
    while len(out) < CHUNK_BYTES:
        out += item(source, draw, index)
    return out


def chunks():
    source = load()
    return [chunk(source, i) for i in range(CHUNKS)]


def hash_of(values):
    """FNV-1a over whole numbers, 16 hexadecimal digits."""
    h = 0xCBF29CE484222325
    for v in values:
        h = ((h ^ v) * 0x100000001B3) & MASK
    return f"{h:016x}"


if __name__ == "__main__":  # writes the whole text, for benchmarks
    import sys

    sys.stdout.buffer.write(b"".join(chunks()))
