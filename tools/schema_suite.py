#!/usr/bin/env python3
"""The official JSON Schema test suite (draft 2020-12) against herd's grammars: for each keyword, how many cases come
out as they must, and what is refused by name.

    python3 tools/schema_suite.py SUITE [--check build/grammar_check] [--write docs/schema_suite.md] [--verbose]

SUITE is a checkout of github.com/json-schema-org/JSON-Schema-Test-Suite, or a git directory of it. A document whose
members stand in another order than the schema's is tried in that order, too: grammars want them there. Exit status 1
when an invalid document is accepted.
"""

import argparse
import itertools
import json
import subprocess
import sys
from pathlib import Path

FOLDER = "tests/draft2020-12"


def read_suite(suite):
    """[(file, cases)] of the draft, optional formats included."""
    if (suite / FOLDER).is_dir():
        files = [(path.relative_to(suite / FOLDER).as_posix(), path.read_text())
                 for path in sorted((suite / FOLDER).rglob("*.json"))]
    else:
        git = ["git", "--git-dir", str(suite)]
        names = subprocess.run([*git, "ls-tree", "-r", "--name-only", "HEAD", FOLDER], check=True, capture_output=True,
                               text=True).stdout.split()
        files = [(name[len(FOLDER) + 1:],
                  subprocess.run([*git, "show", "HEAD:" + name], check=True, capture_output=True, text=True).stdout)
                 for name in names]
    return [(name, json.loads(text)) for name, text in files
            if not name.startswith("optional/") or name.startswith("optional/format/")]


def spellings(document, most=40):
    """The document as text, its members in all orders while they are few."""
    def ways(value):
        if isinstance(value, dict):
            orders = itertools.permutations(value.items()) if len(value) <= 4 else [tuple(value.items())]
            for order in orders:
                for inner in itertools.product(*(list(itertools.islice(ways(v), 6)) for _, v in order)):
                    yield "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {text}"
                                          for (k, _), text in zip(order, inner)) + "}"
        elif isinstance(value, list):
            for inner in itertools.product(*(list(itertools.islice(ways(v), 6)) for v in value)):
                yield "[" + ", ".join(inner) + "]"
        else:
            yield json.dumps(value, ensure_ascii=False)
    return list(itertools.islice(ways(document), most))


def ask(check, questions):
    answers = subprocess.run([check], input="\n".join(json.dumps(q, ensure_ascii=True) for q in questions) + "\n",
                             capture_output=True, text=True, check=True).stdout.strip().split("\n")
    return [json.loads(answer) for answer in answers]


def encodable(text):
    try:
        text.encode()
        return True
    except UnicodeEncodeError:
        return False


def run(check, suite, verbose):
    rows, wrong = [], []
    for name, groups in suite:
        row = {"name": name.removesuffix(".json"), "right": 0, "of": 0, "narrow": 0, "refused": 0, "reasons": set()}
        questions = []
        for group in groups:
            texts = [[text for text in spellings(case["data"]) if encodable(text)] for case in group["tests"]]
            questions.append({"schema": group["schema"], "texts": [text for some in texts for text in some]})
            group["texts"] = texts
        for group, answer in zip(groups, ask(check, questions)):
            if "error" in answer:
                row["refused"] += len(group["tests"])
                row["reasons"].add(answer["error"].split(": ", 1)[-1])
                continue
            accepts = iter(answer["accepts"])
            for case, texts in zip(group["tests"], group["texts"]):
                found = any([next(accepts) for _ in texts])
                row["of"] += 1
                row["right"] += found == case["valid"]
                if found and not case["valid"]:
                    wrong.append((name, group["description"], case["description"]))
                if case["valid"] and not found:
                    row["narrow"] += 1
                    if verbose:
                        print("narrower:", name, "|", group["description"], "|", case["description"])
        rows.append(row)
    return rows, wrong


def table(rows):
    lines = ["| keyword | right | of | valid, but refused | schema refused by name |", "|---|---|---|---|---|"]
    for row in rows:
        lines.append(f"| {row['name']} | {row['right']} | {row['of']} | {row['narrow']} | {row['refused']} |")
    total = {key: sum(row[key] for row in rows) for key in ("right", "of", "narrow", "refused")}
    sums = " | ".join(f"**{total[key]}**" for key in ("right", "of", "narrow", "refused"))
    lines.append(f"| **all** | {sums} |")
    return "\n".join(lines) + "\n", total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("suite", type=Path)
    parser.add_argument("--check", default="build/grammar_check")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    rows, wrong = run(options.check, read_suite(options.suite), options.verbose)
    text, total = table(rows)
    print(text)
    for case in wrong:
        print("accepted though invalid:", " | ".join(case))
    if options.write:
        document = options.write.read_text()
        begin, end = "<!-- suite -->\n", "<!-- /suite -->"
        before, rest = document.split(begin)
        options.write.write_text(before + begin + text + end + rest.split(end)[1])
    return 1 if wrong or total["of"] < 400 else 0


if __name__ == "__main__":
    sys.exit(main())
