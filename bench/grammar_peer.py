"""How long do grammars take to compile and masks to make, beside xgrammar and llguidance?

  .venv/bin/python bench/grammar_peer.py [--bench build/grammar_bench] [--tokenizer FILE] [--rounds 3]

The same schemas, the same vocabulary (Meta's tokenizer.model where llama_models is installed: 202,048 tokens), the same
tokens of the same documents, one thread each, in turns; the time is that of the thread. Every implementation follows
every document with a mask before each token; each document is followed once on a fresh grammar, so that first visits
count. Medians over the rounds; the 99th percentile and the longest are over all masks. A mask that forbids the
document's next token ends the run.
"""

import argparse
import base64
import importlib.util
import json
import pathlib
import statistics
import subprocess
import sys
import time

import llguidance
import llguidance.numpy
import numpy
import torch
import xgrammar

ROOT = pathlib.Path(__file__).resolve().parents[1]
torch.set_num_threads(1)

TEXT = ("The harbour lies quiet before sunrise, and the first boats leave while gulls argue over scraps. Nobody "
        "hurries; the tide decides. Größe, façade, 東京, naïve: words travel with the cargo.")


def schemas():
    """name -> (schema, documents)"""
    record = {"type": "object", "properties": {
        "name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "email": {"type": "string", "format": "email"},
        "tags": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "maxItems": 5}},
        "required": ["name", "age", "email", "tags"], "additionalProperties": False}
    node = {"$defs": {"node": {"type": "object", "properties": {
        "text": {"type": "string", "maxLength": 200}, "score": {"type": "number"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
        "required": ["text", "score", "children"], "additionalProperties": False}}, "$ref": "#/$defs/node"}
    many = {f"field_{i:02}": [{"type": "string"}, {"type": "integer"}, {"type": "boolean"},
                              {"type": "array", "items": {"type": "number"}}][i % 4] for i in range(60)}
    big = {"type": "object", "properties": many, "required": list(many), "additionalProperties": False}
    constants = [f"{word}-{i}" for i in range(100) for word in TEXT.split()[:5]]
    words = {"type": "object", "properties": {"word": {"enum": constants}},
             "required": ["word"], "additionalProperties": False}
    dates = {"type": "object", "properties": {
        "from": {"type": "string", "format": "date"}, "code": {"type": "string", "pattern": "^[A-Z]{2}-\\d{4,6}$"},
        "id": {"type": "string", "format": "uuid"}}, "required": ["from", "code", "id"], "additionalProperties": False}
    tree = {"text": TEXT[:180], "score": 0.5, "children": [
        {"text": TEXT[20:150], "score": -1, "children": []}, {"text": "é", "score": 12.25, "children": []}]}
    filled = {name: [TEXT[i:i + 40], i * 7, i % 8 < 4, [i, 0.5]][i % 4] for i, name in enumerate(many)}
    return {
        "record": (record, [{"name": "Ada Lovelace", "age": 36, "email": "ada@example.com", "tags": ["red", "blue"]},
                            {"name": TEXT, "age": 150, "email": "x.y@mail.org", "tags": []}]),
        "nested, 200 characters": (node, [tree]),
        "any object": ({"type": "object"}, [tree, filled]),
        "60 fields": (big, [filled]),
        "500 constants": (words, [{"word": "harbour-77"}, {"word": "The-3"}]),
        "patterns, formats": (dates, [{"from": "2024-02-29", "code": "AB-12345",
                                       "id": "2eb8aa08-aa98-11ea-b4aa-73b441d16380"}]),
    }


def vocabulary(path):
    """The bytes of all tokens and the file's encoder; special tokens have none."""
    from tiktoken import Encoding

    lines = [line.split() for line in pathlib.Path(path).read_bytes().splitlines() if line]
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    encoder = Encoding("plain", pat_str=r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s+",
                       mergeable_ranks=ranks, special_tokens={})
    words = [b""] * (len(ranks) + 2048)
    for token, rank in ranks.items():
        words[rank] = token
    return words, encoder


class XGrammar:
    name = "xgrammar"

    def __init__(self, words, end, _):
        self.info = xgrammar.TokenizerInfo(words, vocab_size=len(words), stop_token_ids=[end])
        self.compiler = xgrammar.GrammarCompiler(self.info, max_threads=1, cache_enabled=False)
        self.mask = xgrammar.allocate_token_bitmask(1, len(words))

    def compile(self, schema):
        return self.compiler.compile_json_schema(json.dumps(schema), strict_mode=False)

    def follow(self, grammar, tokens, times):
        matcher = xgrammar.GrammarMatcher(grammar)
        for token in tokens:
            begin = time.thread_time()
            matcher.fill_next_token_bitmask(self.mask)
            times.append(time.thread_time() - begin)
            assert matcher.accept_token(token)


class LlGuidance:
    name = "llguidance"

    def __init__(self, words, end, encoder):
        class Tokens:
            eos_token_id, bos_token_id, tokens = end, None, words
            special_token_ids = [i for i, word in enumerate(words) if not word]

            def __call__(self, text):
                return encoder.encode(text if isinstance(text, str) else text.decode("utf-8", "replace"))

        for i in Tokens.special_token_ids:
            words[i] = b"<|%d|>" % i
        self.tokenizer = llguidance.LLTokenizer(llguidance.TokenizerWrapper(Tokens()))
        self.mask = llguidance.numpy.allocate_token_bitmask(1, len(words))

    def compile(self, schema):
        grammar = llguidance.LLMatcher.grammar_from_json_schema(schema)
        return llguidance.LLMatcher(self.tokenizer, grammar)

    def follow(self, grammar, tokens, times):
        matcher = grammar.deep_copy()
        for token in tokens:
            begin = time.thread_time()
            llguidance.numpy.fill_next_token_bitmask(matcher, self.mask, 0)
            times.append(time.thread_time() - begin)
            assert matcher.consume_token(token), matcher.get_error()


def herd(bench, tokenizer, name, schema, documents):
    line = json.dumps({"schema": schema, "documents": documents})
    out = subprocess.run([bench, tokenizer, "-"], input=line + "\n", capture_output=True, text=True, check=True).stdout
    return json.loads(out.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", default=ROOT / "build/grammar_bench")
    parser.add_argument("--tokenizer")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    path = options.tokenizer
    if path is None:
        found = importlib.util.find_spec("llama_models")
        if found is None:
            sys.exit("llama_models is not installed, and no --tokenizer was given")
        path = str(pathlib.Path(found.submodule_search_locations[0]) / "llama4/tokenizer.model")
    words, encoder = vocabulary(path)
    end = len(words) - 1
    peers = [kind(list(words), end, encoder) for kind in (XGrammar, LlGuidance)]
    print(f"{len(words)} tokens; xgrammar, llguidance {llguidance.get_version()}")
    print("| schema | who | compile ms | mask median us | 99 % us | longest us |")
    print("|---|---|---|---|---|---|")
    for name, (schema, texts) in schemas().items():
        documents = [encoder.encode(json.dumps(text, ensure_ascii=False)) for text in texts]
        compiled = {who: [] for who in ("herd", "xgrammar", "llguidance")}
        masks = {who: [] for who in compiled}
        for _ in range(options.rounds):
            own = herd(options.bench, path, name, schema, documents)
            compiled["herd"].append(own["compile_us"] / 1e6)
            masks["herd"] += [us / 1e6 for us in own["mask_us"]]
            for peer in peers:
                begin = time.thread_time()
                grammar = peer.compile(schema)
                compiled[peer.name].append(time.thread_time() - begin)
                for tokens in documents:
                    peer.follow(grammar, tokens, masks[peer.name])
        for who, times in masks.items():
            high = numpy.percentile(times, 99)
            print(f"| {name} | {who} | {statistics.median(compiled[who]) * 1e3:.2f} | "
                  f"{statistics.median(times) * 1e6:.1f} | {high * 1e6:.0f} | {max(times) * 1e6:.0f} |", flush=True)


if __name__ == "__main__":
    main()
