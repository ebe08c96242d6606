"""tidy's rules about files, documents and tables. See tidy.py."""

import fnmatch
import re
from pathlib import PurePosixPath

from make_error_docs import error_docs

BLOB_BYTES_MAX = 200_000

# Files that may be larger, and why. Patterns of fnmatch; `*` also matches slashes.
LARGE_FILES = {
    "tests/data/models/*": "tiny models and the numbers that the reference computes with them",
    "tests/data/gguf/*": "some of these models as GGUF, written by others' tools",
    "models/cria/*": "the embedded model",
}
LARGE_FILES_BYTES_MAX = {"tests/data/": 20_000_000}  # together

DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "models/*/README.md")


def documents(tree):
    return [path for path in tree.files if any(fnmatch.fnmatch(path, pattern) for pattern in DOCUMENTS)]


def rule_unfinished(tree):
    """Unfinished work is an issue."""
    words = "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"))
    pattern = re.compile(rf"\b({words})\b(?!\s*\(#\d+\))")
    for path in tree.paths(".cc", ".h", ".py", ".sh", ".md", ".cmake", ".txt", ".ts", "Makefile"):
        if path.startswith("tests/data/"):
            continue
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            if match := pattern.search(line):
                yield path, number, f"{match[1]} without an issue; do it now, or write {match[1]}(#number)"


def rule_blobs(tree):
    """A repository is for reading."""
    for path, data in tree.files.items():
        if len(data) > BLOB_BYTES_MAX and not any(fnmatch.fnmatch(path, pattern) for pattern in LARGE_FILES):
            yield path, 1, (f"{len(data)} bytes, at most {BLOB_BYTES_MAX}; generate it, shrink it, or add it to "
                            "LARGE_FILES in tools/tidy_files.py with a reason")
    for folder, limit in LARGE_FILES_BYTES_MAX.items():
        together = sum(len(data) for path, data in tree.files.items() if path.startswith(folder))
        if together > limit:
            yield folder, 1, f"{together} bytes together, at most {limit}; make the data smaller"


def rule_machine_paths(tree):
    """The tree knows no machine."""
    pattern = re.compile(r"(?<![\w.$}])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me)/[\w.]")
    for path in tree.files:
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            if match := pattern.search(line):
                yield path, number, f"'{match[0]}...' is a path of one machine; write it relative to the repository"


def _expand_braces(path):
    match = re.search(r"\{([^{}]*)\}", path)
    if not match:
        return [path]
    return [each for part in match[1].split(",")
            for each in _expand_braces(path[: match.start()] + part + path[match.end():])]


def _exists(tree, path):
    path = path.rstrip("/")
    folders = {str(parent) for file in tree.files for parent in PurePosixPath(file).parents}
    known = list(tree.files) + list(folders)
    return any(fnmatch.fnmatch(each, path) for each in known) if "*" in path else path in known


def _missing_paths(tree, document, span):
    """The paths that a `code span` names and the tree does not have."""
    if not re.fullmatch(r"[\w./*{},-]+", span) or "/" not in span:
        return []
    top = {path.split("/")[0] for path in tree.files if "/" in path}
    in_src = {path.split("/")[1] for path in tree.files if path.count("/") > 1 and path.startswith("src/")}
    first = span.split("/")[0]
    missing = []
    for path in _expand_braces(span):
        if first in top and first != "build":
            if not _exists(tree, path):
                missing.append(path)
        elif first in in_src and re.search(r"\.\w+$|/$", path):
            if not _exists(tree, "src/" + path):
                missing.append("src/" + path)
    return missing


def rule_doc_paths(tree):
    """Documents name what is there."""
    for document in documents(tree):
        in_fence = False
        for number, line in enumerate(tree.text(document).split("\n"), 1):
            if line.lstrip().startswith("```"):
                in_fence = not in_fence
            if in_fence:
                continue
            for span in re.findall(r"`([^`]+)`", line):
                for missing in _missing_paths(tree, document, span):
                    yield document, number, f"`{missing}` does not exist; correct the path or delete the sentence"
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
                if "://" in target or target.startswith("mailto:"):
                    continue
                folder = PurePosixPath(document).parent
                parts = []
                for part in (folder / target).parts:
                    parts = parts[:-1] if part == ".." else parts + [part]
                if not _exists(tree, "/".join(parts)):
                    yield document, number, f"link to {target}, which does not exist; correct or delete it"


def _test_names(tree):
    names = set()
    for path in tree.paths("_test.cc"):
        code = tree.code(path)
        for suite, name in re.findall(r"\bTEST(?:_F|_P)?\s*\(\s*(\w+)\s*,\s*(\w+)\s*\)", code):
            names.add(f"{suite}.{name}")
        names.update(re.findall(r"\bTYPED_TEST\s*\(\s*(\w+)", code))
    for path in tree.paths("_test.py"):
        text = tree.text(path)
        names.update(f"{PurePosixPath(path).name}::{name}" for name in re.findall(r"def (test_\w+)", text))
    return names


def rule_doc_tests(tree):
    """Documents name tests that exist."""
    names = _test_names(tree)
    suites = {name.split(".")[0] for name in names}
    for document in documents(tree):
        for number, line in enumerate(tree.text(document).split("\n"), 1):
            for span in re.findall(r"`([A-Z]\w+\.[A-Z*]\w*|\w+_test\.py::\w+)`", line):
                known = span.split(".")[0] in suites if span.endswith(".*") else span in names
                if not known:
                    yield document, number, f"no test is called {span}; correct the name or write the test"


def rule_error_docs(tree):
    """docs/errors.md is made from the table."""
    table = tree.text("src/base/error_codes.h")
    if table and tree.text("docs/errors.md") != error_docs(table):
        yield "docs/errors.md", 1, "is not what tools/make_error_docs.py makes of src/base/error_codes.h; run it"


def rule_error_codes_used(tree):
    """The catalogue of errors has no dead rows."""
    code = "".join(tree.code(path) for path in tree.cxx(under=("src/",)) if path != "src/base/error_codes.h")
    table = tree.code("src/base/error_codes.h")
    for match in re.finditer(r"\bCodeRow\{Code::(\w+)", table):
        if not re.search(rf"\bCode::{match[1]}\b", code):
            line = table.count("\n", 0, match.start()) + 1
            yield "src/base/error_codes.h", line, f"nothing fails with Code::{match[1]}; delete the row"


def rule_limits_tested(tree):
    """Every limit is used, and tested at its edge."""
    header = "src/base/limits.h"
    sources = "".join(tree.code(path) for path in tree.cxx(under=("src/",)) if not path.endswith("_test.cc"))
    tests = "".join(tree.text(path) for path in tree.paths("_test.cc"))
    for match in re.finditer(r"\binline constexpr [\w:]+ (\w+) =", tree.code(header)):
        line = tree.code(header).count("\n", 0, match.start()) + 1
        if not re.search(rf"\blimits::{match[1]}\b", sources):
            yield header, line, f"nothing uses limits::{match[1]}; use it where the value arrives, or delete it"
        elif not re.search(rf"\blimits::{match[1]}\b", tests):
            yield header, line, f"no test names limits::{match[1]}; test it at the limit and one past it"
