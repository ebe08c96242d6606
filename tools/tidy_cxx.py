"""tidy's rules about C++ sources. See tidy.py."""

import re

from cxx_text import functions_of, scopes_of, without_comments

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
CODE_COLUMNS_MAX = 100
COMMENT_COLUMNS_MAX = 120  # prose is not wrapped again when a word changes

# From the ground up; a folder may include itself and what stands in a lower row. The picture is in ARCHITECTURE.md.
LAYERS = [
    ["base"],
    ["tensor"],
    ["quant", "text", "media", "grammar", "checkpoint"],
    ["kernels", "comm", "world"],
    ["ops"],
    ["nn"],
    ["llama4"],
    ["engine"],
    ["train"],
    ["server", "eval"],
    ["cli"],
]
ALSO_ALLOWED = {("checkpoint", "quant")}
LAYER = {folder: row for row, folders in enumerate(LAYERS) for folder in folders}


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def includes_of(text):
    """[(line, delimiter, path)]"""
    pattern = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.MULTILINE)
    return [(line_of(text, m.start()), m[1], m[2]) for m in pattern.finditer(without_comments(text))]


def matches(tree, paths, pattern):
    """Every match of `pattern` in code: (path, line, match)."""
    compiled = re.compile(pattern)
    for path in paths:
        code = tree.code(path)
        for match in compiled.finditer(code):
            yield path, line_of(code, match.start()), match


def is_test(path):
    return path.endswith("_test.cc") or path.startswith(("tests/", "fuzz/", "bench/")) or "/testing/" in path or (
        path.endswith(("_for_test.h", "test_support.h")))


def rule_layers(tree):
    """Folders include downwards only."""
    for path in tree.cxx():
        folder = path.split("/")[1] if path.startswith("src/") else None
        if folder is not None and "/" not in path.removeprefix("src/"):
            yield path, 1, "sources live in a folder of src/; move the file into the layer it belongs to"
            continue
        if folder is not None and folder not in LAYER:
            yield path, 1, f"folder '{folder}' is in no layer; add it to LAYERS in tools/tidy_cxx.py"
            continue
        for line, delimiter, included in includes_of(tree.text(path)):
            if delimiter != '"' or path.startswith(("fuzz/", "bench/")):
                continue
            beside = path.rsplit("/", 1)[0] + "/" + included
            if f"src/{included}" not in tree.files and not (folder is None and beside in tree.files):
                yield path, line, f'"{included}" is no file of src/; write the path from src/, or <...> for a library'
                continue
            other = included.split("/")[0]
            if folder is None or other == folder or (folder, other) in ALSO_ALLOWED:
                continue
            if LAYER.get(other, 99) >= LAYER[folder]:
                yield path, line, (
                    f"{folder} may not include {other}, which is not below it; move what both need further down, "
                    "or pass it in as an argument")


def rule_file_length(tree):
    """Files do not grow past the guide."""
    for path in tree.paths(".cc", ".h", ".py", ".ts", ".cu", ".cuh", ".cmake", "CMakeLists.txt"):
        lines = tree.text(path).count("\n")
        granted = tree.granted("file_lines", path, lines, FILE_LINES_MAX)
        if lines > granted:
            yield path, lines, f"{lines} lines, at most {granted}; give the second noun a file of its own"


def rule_function_length(tree):
    """Functions fit a screen."""
    for path in tree.cxx():
        for function in functions_of(tree.code(path)):
            lines = function.last_line - function.first_line + 1
            granted = tree.granted("function_lines", f"{path}::{function.name}", lines, FUNCTION_LINES_MAX)
            if lines > granted:
                yield path, function.first_line, (
                    f"{function.name} has {lines} lines, at most {granted}; name its steps as functions below it")


def rule_conditional_compilation(tree):
    """#if is for instruction sets, in one folder."""
    for path in tree.cxx():
        if path.startswith(("src/kernels/cpu/", "src/kernels/cuda/")):
            continue
        for match in re.finditer(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)\b", tree.code(path), re.MULTILINE):
            yield path, line_of(tree.code(path), match.start()), (
                f"#{match[1]} outside src/kernels/cpu; decide at run time, or choose a file in CMakeLists.txt")


def rule_pragma_once(tree):
    """Headers say #pragma once."""
    for path in tree.paths(".h", under=("src/", "tests/", "bench/", "fuzz/")):
        if path.startswith("src/kernels/cpu/") and path.endswith("-inl.h"):
            continue  # included once per instruction set, by design
        if not re.search(r"^#pragma once$", tree.text(path), re.MULTILINE):
            yield path, 1, "no #pragma once; write it after the comment that opens the file"


def rule_highway(tree):
    """Vector code stays in one folder."""
    for path in tree.cxx():
        in_kernels = path.startswith("src/kernels/")
        if path.startswith("src/kernels/cpu/") or (in_kernels and is_test(path)):
            continue
        for line, _, included in includes_of(tree.text(path)):
            if included.startswith("hwy/"):
                yield path, line, "Highway outside src/kernels/cpu; add a kernel to src/kernels/table.h and call that"
        for _, line, match in matches(tree, [path], r"\bHWY_\w+|\bhwy::"):
            yield path, line, f"{match[0]} outside src/kernels/cpu; add a kernel to src/kernels/table.h and call that"


def rule_cuda(tree):
    """Device code stays in one folder."""
    for path in tree.cxx():
        if path.startswith(("src/kernels/cuda/", "src/kernels/no_cuda/")) or path == "src/comm/nccl.cc":
            continue
        for _, line, match in matches(tree, [path], r"\b(?:cuda|cublas|nccl|CUDA)\w*"):
            yield path, line, f"{match[0]} outside src/kernels/cuda; go through the kernel table"


# Who may own memory by hand, and why.
RAW_MEMORY = {
    "src/base/arena.cc": "the allocator itself",
    "src/base/memory.cc": "buffers wrap the allocator",
}


def rule_raw_memory(tree):
    """Owners are types."""
    pattern = (r"#\s*include\b.*|(?<!operator )\bnew\b(?!\s*\()|\bnew\s*\(|(?<![=] )(?<!=)\bdelete\b(?!\s*;)|\boperator (?:new|delete)\b|"
               r"(?<![\w.>])(?:std::)?(?:malloc|calloc|realloc|aligned_alloc|posix_memalign|free)\s*\(")
    for path, line, match in matches(tree, tree.cxx(), pattern):
        if path not in RAW_MEMORY and not match[0].startswith("#"):
            yield path, line, (f"'{match[0].strip()}'; use std::make_unique, std::vector, an Arena or a Buffer "
                               "(wrappers of C libraries: RAW_MEMORY in tools/tidy_cxx.py, with the reason)")


def rule_shared_ptr(tree):
    """Sharers are named."""
    for path, line, _ in matches(tree, tree.cxx(), r"\bshared_ptr\s*<|\bmake_shared\s*<"):
        comments = tree.comments(path)
        near = " ".join(comments.get(at, "") for at in range(line - 3, line + 2))
        if "share" not in near.lower():
            yield path, line, "shared_ptr without a comment that says who shares it; say so, or use unique_ptr"


def rule_threads(tree):
    """One pool computes."""
    for path, line, match in matches(
            tree, tree.cxx(), r"\bstd::(?:thread|jthread|async)\b(?!::)|\.detach\s*\(|\bpthread_create\b|#\s*pragma\s+omp\b"):
        if not path.startswith("src/base/") and not is_test(path):
            yield path, line, f"'{match[0]}' outside src/base; use ThreadPool (base/thread_pool.h)"


BANNED_HEADERS = {
    "regex": "backtracking dies on long input; write a linear scanner (text/split.h shows one)",
    "cassert": "NDEBUG takes it away; use HERD_CHECK (base/check.h)",
    "assert.h": "NDEBUG takes it away; use HERD_CHECK (base/check.h)",
    "iostream": "slow to compile and not formatted; use fmt::print, base/log.h, or cli/line_reader.h to read",
    "format": "GCC 12 has none; use fmt::format",
    "print": "GCC 12 has none; use fmt::print",
    "expected": "use Result<T> (base/result.h), which carries the error",
    "boost/json/src.hpp": "compiled once, in base/json_impl.cc",
    "boost/json.hpp": "use base/json.h, which holds hostile text to the limits",
    "spdlog/spdlog.h": "use base/log.h, which escapes control characters",
    "CLI/CLI.hpp": "costs ten seconds in each file; use cli/flags.h",
}
HOME_OF_HEADER = {
    "expected": ("src/base/result.h",),
    "boost/json/src.hpp": ("src/base/json_impl.cc",),
    "boost/json.hpp": ("src/base/json.h",),
    "spdlog/spdlog.h": ("src/base/log.cc",),
    "CLI/CLI.hpp": ("src/cli/flags.cc",),
    "iostream": ("src/cli/line_reader.cc",),
}


def rule_banned_headers(tree):
    """Headers that have a better home."""
    for path in tree.cxx():
        for line, _, included in includes_of(tree.text(path)):
            if included == "iostream" and path.startswith("bench/"):
                continue
            if included in BANNED_HEADERS and path not in HOME_OF_HEADER.get(included, ()):
                yield path, line, f"<{included}>: {BANNED_HEADERS[included]}"


BANNED_CALLS = {
    r"assert": "NDEBUG takes it away; use HERD_CHECK (base/check.h)",
    r"alloca": "the stack has no limit check; use std::vector or the Arena",
    r"strcpy|strcat|stpcpy|sprintf|vsprintf|gets": "no bound; use std::string and fmt::format",
    r"atoi|atol|atoll|atof|stoi|stol|stoll|stoul|stoull|stof|stod|strtol|strtoul|strtod|sscanf":
        "no or lax error; use std::from_chars and check the rest is empty, or base/options.h",
    r"strtok": "keeps hidden state; use std::string_view::find",
    r"system|popen|execv|execvp|execl|execlp": "runs a shell or a program; herd runs none",
    r"dlopen": "loads code by name; link it (NCCL alone is opened, in comm/nccl.cc)",
    r"rand|srand|drand48": "hidden state; use philox (base/rng.h), which depends on seed and position alone",
    r"setenv|putenv": "changes the process for everybody; pass an argument",
}


def rule_banned_calls(tree):
    """Functions that have a better one."""
    for names, instead in BANNED_CALLS.items():
        for path, line, match in matches(tree, tree.cxx(), rf"(?<![\w.>:])(?:std::|::)?({names})\s*\("):
            if is_test(path) and (match[1].startswith("sto") or match[1] in ("setenv", "putenv")):
                continue
            if match[1] == "dlopen" and path == "src/comm/nccl.cc":
                continue
            yield path, line, f"{match[1]}(): {instead}"


def rule_throw(tree):
    """Errors are values."""
    for path, line, _ in matches(tree, tree.cxx(), r"\bthrow\b"):
        if is_test(path):
            continue
        yield path, line, "throw; return fail(Code::..., ...) for the world's errors, HERD_CHECK for ours"


HOME_OF_CASTS = {
    "src/base/bytes.h": "views of the same memory",
    "src/kernels/cpu/decode-inl.h": "vectors of any element type, from the bytes of a mapped file",
}


def rule_reinterpret_cast(tree):
    """Casts have a home."""
    for path, line, _ in matches(tree, tree.cxx(), r"\breinterpret_cast\b"):
        if path not in HOME_OF_CASTS:
            yield path, line, ("reinterpret_cast; use text_of, bytes_of or octets_of (base/bytes.h), ByteReader::pod, "
                               "std::bit_cast, or static_cast from void*")


def rule_using_namespace(tree):
    """Names come from where they say."""
    for path in tree.cxx():
        scopes = None
        for _, line, match in matches(tree, [path], r"\busing\s+namespace\s+([\w:]+)"):
            if path.endswith(".cc") and match[1].endswith("literals"):
                continue  # brings suffixes, no names
            if scopes is None:
                scopes = [scope for scope in scopes_of(tree.code(path)) if scope.kind in ("function", "other")]
            if not any(scope.begin < match.start() < scope.end for scope in scopes):
                yield path, line, "using namespace outside a function; write the names, or `using x::y;`"


def rule_own_header_first(tree):
    """x.cc includes x.h first: where nothing is compiled beforehand, that proves that x.h compiles alone. Headers
    without one: tests/CMakeLists.txt."""
    for path in tree.paths(".cc", under=("src/",)):
        if path.startswith("src/kernels/cpu/"):
            continue  # Highway has files included again, and wants to say so first
        stem = path.removeprefix("src/").removesuffix(".cc")
        for own in dict.fromkeys((stem + ".h", stem.removesuffix("_test") + ".h")):
            if f"src/{own}" not in tree.files:
                continue
            included = includes_of(tree.text(path))
            first = included[0][2] if included else "nothing"
            if first != own:
                line = included[0][0] if included else 1
                yield path, line, f'the first include is "{first}"; make it "{own}", so that it is seen to compile alone'
            break


# Names that headers use, by the headers of the library that promise them: any one of these will do.
PROMISED = {
    r"std::(string|to_string|stoi|stol|stof|stod)\b": ("string",),
    r"std::string_view\b": ("string_view", "string"),
    r"std::vector\b": ("vector",),
    r"std::span\b": ("span",),
    r"std::(u?int(8|16|32|64)_t)\b": ("cstdint",),
    r"std::(optional|nullopt)\b": ("optional",),
    r"std::((unique|shared|weak)_ptr|make_(unique|shared)|enable_shared_from_this)\b": ("memory",),
    r"std::array\b": ("array",),
    r"std::function\b": ("functional",),
    r"std::(multi)?map\b": ("map",),
    r"std::unordered_(multi)?map\b": ("unordered_map",),
    r"std::(multi)?set\b": ("set",),
    r"std::(expected|unexpected)\b": ("expected",),
    r"std::(mutex|lock_guard|unique_lock|scoped_lock|once_flag)\b": ("mutex",),
    r"std::chrono::": ("chrono",),
    r"std::filesystem::": ("filesystem",),
    r"std::(from|to)_chars\b": ("charconv",),
    r"std::mem(cpy|move|set|cmp)\b": ("cstring",),
    r"std::(fabs|exp2?|fma|sqrt|pow|isfinite|isnan|lround)\b": ("cmath",),
    r"std::(clamp|fill|copy|copy_n|sort|min_element|max_element)\b": ("algorithm",),
    r"\bfmt::": ("fmt/format.h", "fmt/core.h"),
    r"\b(json|boost::json)::": ("boost/json.hpp",),
}


def rule_own_includes(tree):
    """A header includes what it needs. Compiling does not tell where these headers are compiled beforehand."""
    promised = [(re.compile(pattern), names) for pattern, names in PROMISED.items()]
    reached = {}

    def reach(path):
        """Angle-bracket includes of a file and of what it includes of ours."""
        if path not in reached:
            reached[path] = set()  # a circle of includes ends here
            for _, delimiter, name in includes_of(tree.text(path)):
                reached[path] |= {name} if delimiter == "<" else reach("src/" + name)
        return reached[path]

    for path in tree.paths(".h", under=("src/",)):
        if path.endswith("-inl.h"):
            continue  # a piece of other files
        code = tree.code(path)
        for pattern, names in promised:
            match = pattern.search(code)
            if match and not reach(path).intersection(names):
                line = line_of(code, match.start())
                yield path, line, f"{match[0]} without #include <{names[0]}>, here or in what it includes"


def rule_built(tree):
    """What is not built rots."""
    if tree.compile_commands is None:
        return
    for path in tree.paths(".cc", under=("src/", "tests/", "bench/")):
        if path not in tree.compile_commands:
            yield path, 1, "no target builds it; CMakeLists.txt globs src/<folder>/, tests/*_test.cc and bench/*_bench.cc"


def rule_columns(tree):
    """Lines fit; no tabs, no trailing spaces."""
    tables = ("src/base/error_codes.h",)  # one row a line reads better
    for path in tree.paths(".cc", ".h", ".py", ".sh", ".cmake", ".txt", ".md", ".json", ".yml", ".ts",
                           under=("src/", "tests/", "bench/", "fuzz/", "tools/", "cmake/", "docs/", "web/")):
        if path.startswith("tests/data/"):
            continue
        cxx = path.endswith((".cc", ".h"))
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            if "\t" in line:
                yield path, number, "a tab; write spaces, or \\t in a literal"
            if line != line.rstrip():
                yield path, number, "spaces at the end of the line; delete them"
            is_comment = line.lstrip().startswith(("//", "#"))
            limit = CODE_COLUMNS_MAX if cxx and not is_comment else COMMENT_COLUMNS_MAX
            if (cxx or path.endswith(".py")) and len(line) > limit and path not in tables and '\\n"' not in line:
                yield path, number, f"{len(line)} columns, at most {limit}; break the line (make format)"


def rule_kernel_parity(tree):
    """Every kernel is compared with the reference."""
    table = tree.code("src/kernels/table.h")
    struct = re.search(r"\bstruct KernelTable\b(.*?)\n};", table, re.DOTALL)
    cases = ["src/kernels/parity_test.cc", *tree.cxx(under=("src/kernels/testing/",))]
    test = "".join(without_comments(tree.text(path)) for path in cases)
    for match in re.finditer(r"\(\*(\w+)\)", struct[1] if struct else ""):
        if not re.search(rf"\b{match[1]}\b", test):
            line = line_of(table, struct.start(1) + match.start())
            yield "src/kernels/table.h", line, f"kernel {match[1]} has no case in src/kernels/parity_test.cc; add one"
