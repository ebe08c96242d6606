#!/usr/bin/env python3
"""Answers written under random logits, judged by an independent validator (the Python package jsonschema).

    python tools/reference/check_grammar.py build/grammar_check [--schemas 300] [--tokenizer FILE] [--write FILE]

For random schemas of the keywords that herd follows: every text that grammar_check writes must be JSON and valid. With
--write, a short form for tests where Python is absent: schemas, texts that the validator found valid, and changed ones
that it found invalid.
"""

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path

import jsonschema

WORDS = ["a", "b", "name", "note text", "é", "x/y", "q\"uote", "n_1", "Ünï", "tab\t"]
PATTERNS = ["^[a-z]+$", "^\\d{3}-\\d{2}$", "ab|cd", "^(x|yz){1,3}$", "\\s", "^[^\"]{2}", "[A-Z]$"]
FORMATS = ["date", "email", "ipv4", "uuid", "hostname"]


class Schemas:
    """Random schemas, each a function of its seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.defs = {}

    def make(self):
        schema = self.any(0)
        if self.defs:
            schema = {"$defs": self.defs, **schema} if isinstance(schema, dict) else schema
        return schema

    def any(self, depth):
        kinds = [self.string, self.integer, self.number, self.enum, self.const, self.plain, self.types]
        if depth < 3:
            kinds += [self.object, self.object, self.array, self.any_of, self.all_of, self.ref]
        if depth == 0:
            kinds = [self.object, self.array, self.any_of]
        return self.random.choice(kinds)(depth)

    def string(self, _):
        schema = {"type": "string"}
        kind = self.random.randrange(4)
        if kind == 0:
            low = self.random.randrange(4)
            schema |= {"minLength": low, "maxLength": low + self.random.randrange(6)}
        elif kind == 1:
            schema["pattern"] = self.random.choice(PATTERNS)
        elif kind == 2:
            schema["format"] = self.random.choice(FORMATS)
        return schema

    def bounds(self, numbers):
        low, high = sorted(numbers)
        keys = self.random.choice([("minimum", "maximum"), ("exclusiveMinimum", "maximum"), ("minimum", None)])
        return {key: value for key, value in zip(keys, (low, high)) if key}

    def integer(self, _):
        schema = {"type": "integer"}
        if self.random.random() < 0.6:
            schema |= self.bounds([self.random.randrange(-300, 300) for _ in range(2)])
            schema.pop("exclusiveMinimum", None)
        if self.random.random() < 0.3:
            schema["multipleOf"] = self.random.choice([2, 3, 7])
            schema.pop("maximum", None)
        return schema

    def number(self, _):
        schema = {"type": "number"}
        if self.random.random() < 0.6:
            low = self.random.randrange(-90, 90) / 4
            schema |= self.bounds([low, low + self.random.randrange(1, 90) / 8])
        return schema

    def enum(self, _):
        return {"enum": self.random.sample([1, None, "a", "b\n", True, [1], {"k": "v"}, -2.5, "é"], 3)}

    def const(self, _):
        return {"const": self.random.choice(["x", 7, None, {"a": [1, 2]}, []])}

    def plain(self, _):
        return {"type": self.random.choice(["boolean", "null", "string", "integer", "number"])}

    def types(self, _):
        return {"type": self.random.sample(["string", "null", "integer", "boolean", "array"], 2)}

    def object(self, depth):
        names = self.random.sample(WORDS, self.random.randrange(5))
        schema = {"type": "object", "properties": {name: self.any(depth + 1) for name in names}}
        schema["required"] = [name for name in names if self.random.random() < 0.6]
        kind = self.random.randrange(4)
        if kind < 2:
            schema["additionalProperties"] = False
        elif kind == 2:
            schema["additionalProperties"] = self.any(depth + 1)
        else:
            schema |= {"patternProperties": {"^p_": self.any(depth + 1)}, "additionalProperties": False}
        return schema

    def array(self, depth):
        schema = {"type": "array", "items": self.any(depth + 1)}
        if self.random.random() < 0.5:
            low = self.random.randrange(3)
            schema |= {"minItems": low, "maxItems": low + self.random.randrange(3)}
        if self.random.random() < 0.3:
            schema["prefixItems"] = [self.any(depth + 1) for _ in range(self.random.randrange(1, 3))]
        return schema

    def any_of(self, depth):
        return {"anyOf": [self.any(depth + 1) for _ in range(self.random.randrange(1, 4))]}

    def all_of(self, _):
        return {"allOf": [{"type": "integer"}, {"minimum": self.random.randrange(-9, 9)}, {"maximum": 90}]}

    def ref(self, depth):
        name = f"d{len(self.defs)}"
        self.defs[name] = {}
        body = {"type": "object", "properties": {"v": self.any(depth + 1), "next": {"$ref": "#/$defs/" + name}},
                "required": ["v"], "additionalProperties": False}
        self.defs[name] = body
        return {"$ref": "#/$defs/" + name}


def changed(value, rng):
    """The document with one thing changed."""
    if isinstance(value, dict) and value and rng.random() < 0.7:
        key = rng.choice(list(value))
        if rng.random() < 0.3:
            return {k: v for k, v in value.items() if k != key}
        return {k: changed(v, rng) if k == key else v for k, v in value.items()}
    if isinstance(value, list) and value and rng.random() < 0.7:
        index = rng.randrange(len(value))
        return [changed(v, rng) if i == index else v for i, v in enumerate(value)]
    return rng.choice([None, "", "zzz", -1, 10_000, 0.125, True, [], {}, [None] * 9, {"other": 1}])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("check")
    parser.add_argument("--schemas", type=int, default=300)
    parser.add_argument("--tokenizer")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    schemas = [Schemas(seed).make() for seed in range(options.schemas)]
    command = [options.check] + ([options.tokenizer] if options.tokenizer else [])
    lines = "".join(json.dumps({"schema": schema, "walks": 4, "seed": seed}) + "\n"
                    for seed, schema in enumerate(schemas))
    answers = [json.loads(line) for line in
               subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout.split("\n") if line]
    texts = refused = failures = dead_ends = 0
    kept = []
    for seed, (schema, answer) in enumerate(zip(schemas, answers)):
        if "error" in answer:
            refused += 1
            print("refused:", answer["error"][:150])
            continue
        dead_ends += answer["dead_ends"]
        validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
        rng = random.Random(seed)
        valid, invalid = [], []
        for text in answer["texts"]:
            texts += 1
            try:
                document = json.loads(text)
                validator.validate(document)
            except (ValueError, jsonschema.ValidationError) as error:
                failures += 1
                print(f"WRONG seed {seed}: {text[:200]}: {str(error)[:200]}\n  {json.dumps(schema)[:600]}")
                continue
            valid.append(text)
            for _ in range(3):
                other = changed(document, rng)
                if not validator.is_valid(other):
                    invalid.append(json.dumps(other, ensure_ascii=False))
        short = [text for text in valid if len(text) < 160][:2]
        kept.append({"schema": schema, "valid": short, "invalid": sorted(set(invalid), key=len)[:3]})
    print(f"{len(schemas)} schemas, {refused} refused by name, {texts} texts, {failures} wrong, {dead_ends} dead ends")
    if options.write:
        kept = [case for case in kept if case["valid"] and len(json.dumps(case)) < 900][:60]
        options.write.write_text("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in kept) + "\n]\n")
    return 1 if failures or dead_ends or refused > len(schemas) // 4 or texts < len(schemas) else 0


if __name__ == "__main__":
    sys.exit(main())
