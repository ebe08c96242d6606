"""Writes the expected values of the tokenizer tests, from HF tokenizers, tiktoken and Meta's own.

  tests/data/text/tokenizer.json  a small byte-level BPE with Llama 4's split, trained on corpus.py
  tests/data/text/expected.json   hashes of pieces and token ids, one for each chunk of the corpus

What each reference is asked, for every chunk:
  pieces    lengths in bytes of the pieces of Llama 4's split: Oniguruma inside HF tokenizers
  singles   the same where every digit is a piece, the split of models that herd trains from nothing
  small     ids of the small tokenizer with special tokens as text: HF tokenizers
  merged    the same with ignore_merges off
  parsed    the same as `small` with special tokens parsed (chunks that are UTF-8)
  ranked    the small vocabulary as tiktoken would use it
  meta      ids of Meta's tokenizer.model: tiktoken, as llama_models sets it up
Bytes that are no UTF-8 reach the references as Python's surrogateescape makes them characters, one
for each byte; the regex sees U+FFFD in their place (as tiktoken itself does), and the pieces are
mapped back to bytes before merging.
"""

import itertools
import json
import pathlib

import corpus
import tiktoken
from llama_models.llama4 import tokenizer as meta
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)

DATA = corpus.DATA
PATTERN = meta.Tokenizer.O200K_PATTERN
SPLIT = pre_tokenizers.Split(Regex(PATTERN), "isolated")
SINGLES = pre_tokenizers.Split(Regex(PATTERN.replace(r"\p{N}{1,3}", r"\p{N}")), "isolated")
WORDS = 2972
SPECIAL = (
    meta.BASIC_SPECIAL_TOKENS
    + meta.LLAMA4_TEXT_POST_TRAIN_SPECIAL_TOKENS[:14]
    + [t for t in meta.LLAMA4_VISION_SPECIAL_TOKENS[:13] if "reserved" not in t]
    + ["<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
       "<|reserved_special_token_2|>"]
)


def byte_alphabet():
    """byte -> the character that stands for it in tokenizer.json."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {b: chr(b) for b in own}
    for b in range(256):
        if b not in table:
            table[b] = chr(0x100 + len(table) - len(own))
    return table


ALPHABET = byte_alphabet()


def train(chunks):
    texts = [c.decode() for i, c in enumerate(chunks) if not corpus.has_invalid(i)]
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [SPLIT, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=WORDS,
        initial_alphabet=list(ALPHABET.values()),
        special_tokens=[],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIAL])
    begin = "<|begin_of_text|>"
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))]
            ),
        ]
    )
    return tokenizer


def without_special(tokenizer, **model):
    """A tokenizer that knows no special tokens, so that their names are text."""
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = []
    data["post_processor"] = None
    data["model"].update(model)
    return Tokenizer.from_str(json.dumps(data))


def pieces_of(text_bytes, split=SPLIT):
    """The pieces of the split, as bytes."""
    text = text_bytes.decode(errors="surrogateescape")
    seen = "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 else c for c in text)
    out, at = [], 0
    for piece, _ in split.pre_tokenize_str(seen):
        own = text[at : at + len(piece)]
        assert own == piece or "\ufffd" in piece
        out.append(own.encode(errors="surrogateescape"))
        at += len(piece)
    assert b"".join(out) == text_bytes
    return out


def ids_by_piece(model, pieces):
    return [t.id for p in pieces for t in model.tokenize("".join(ALPHABET[b] for b in p))]


def tiktoken_of(tokenizer):
    back = {c: b for b, c in ALPHABET.items()}
    words = without_special(tokenizer).get_vocab()
    ranks = {bytes(back[c] for c in word): i for word, i in words.items()}
    return tiktoken.Encoding(name="small", pat_str=PATTERN, mergeable_ranks=ranks,
                             special_tokens={})


def short_strings(alphabet, length):
    return map("".join, itertools.product(alphabet, repeat=length))


# Every short string over these has its split hashed: one of each class, and for contractions.
SHORT_ALPHABET = ["a", "B", "\u00aa", "\u0301", "1", " ", "\n", "!", "/", "'", "s", "\t"]

# Leads, continuations and what belongs to neither.
BAD_BYTES = [0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE2, 0xED,
             0xEF, 0xF0, 0xF1, 0xF4, 0xF5]


def bad_text(stream):
    draw = corpus.Draw(1000 + stream)
    return bytes(draw.of(BAD_BYTES) for _ in range(200))


def main():
    chunks = corpus.chunks()
    small = train(chunks)
    small.save(str(DATA / "tokenizer.json"), pretty=False)
    plain = without_special(small)
    merged = without_special(small, ignore_merges=False)
    ranked = tiktoken_of(small)
    llama4 = meta.Tokenizer.get_instance()

    rows = []
    for i, text_bytes in enumerate(chunks):
        pieces = pieces_of(text_bytes)
        row = {
            "bytes": corpus.hash_of(text_bytes),
            "pieces": corpus.hash_of(map(len, pieces)),
            "singles": corpus.hash_of(map(len, pieces_of(text_bytes, SINGLES))),
            "small": ids_by_piece(plain.model, pieces),
            "merged": ids_by_piece(merged.model, pieces),
            "ranked": [t for p in pieces for t in ranked._encode_single_piece(p)],
            "meta": [t for p in pieces for t in llama4.model._encode_single_piece(p)],
        }
        if not corpus.has_invalid(i):  # whole texts, the way a user calls the references
            text = text_bytes.decode()
            assert row["small"] == plain.encode(text, add_special_tokens=False).ids
            assert row["merged"] == merged.encode(text, add_special_tokens=False).ids
            assert row["ranked"] == ranked.encode_ordinary(text)
            assert row["meta"] == llama4.encode(text, bos=False, eos=False)
            row["parsed"] = small.encode(text, add_special_tokens=False).ids
        rows.append({k: v if isinstance(v, str) else corpus.hash_of(v) for k, v in row.items()})

    short, short_singles = (
        [
            corpus.hash_of(
                len(piece)
                for string in short_strings(SHORT_ALPHABET, length)
                for piece in pieces_of(string.encode(), split)
            )
            for length in range(1, 6)
        ]
        for split in (SPLIT, SINGLES)
    )
    replaced = [corpus.hash_of(bad_text(i).decode(errors="replace").encode()) for i in range(64)]

    names = list(rows[0])
    with (DATA / "expected.json").open("w") as out:
        head = {"short_alphabet": SHORT_ALPHABET, "short": short, "short_singles": short_singles,
                "bad_bytes": BAD_BYTES, "replaced": replaced}
        out.write("{\n")
        for key, value in head.items():
            out.write(f"{json.dumps(key)}: {json.dumps(value)},\n")
        names.append("parsed")
        out.write('"columns": ' + json.dumps(names) + ',\n"chunks": [\n')
        out.write(",\n".join(json.dumps([row.get(n) for n in names]) for row in rows))
        out.write("\n]}\n")


if __name__ == "__main__":
    main()
