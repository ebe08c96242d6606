#!/usr/bin/env python3
"""Each rule of tidy finds a planted violation, names the replacement, and lets the clean form pass."""

import json
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import tidy  # noqa: E402
from cxx_text import code_only, comments_of, functions_of, without_comments  # noqa: E402
from make_error_docs import error_docs  # noqa: E402

HEADER = "// What it is for.\n#pragma once\n"


def tree_of(files, **more):
    return tidy.Tree({path: text.encode() for path, text in files.items()}, **more)


class Lexer(unittest.TestCase):
    def test_blanks_comments_and_literals_but_keeps_positions(self):
        text = 'int a; // new\nauto b = "new \\" x"; /* new\nnew */ char c = \'"\'; int d = 1\'000;'
        code = code_only(text)
        self.assertNotIn("new", code)
        self.assertEqual(len(code), len(text))
        self.assertEqual(code.count("\n"), text.count("\n"))
        self.assertTrue(code.endswith("int d = 1'000;"))
        self.assertIn('"new', without_comments(text))

    def test_blanks_raw_strings(self):
        self.assertNotIn("new", code_only('auto a = R"(new " // )"; auto b = R"x(new )" )x";'))

    def test_gives_comments_by_line(self):
        self.assertEqual(comments_of("a\nb // one\n/* two\nthree */"), {2: "// one", 3: "/* two", 4: "three */"})

    def test_finds_functions_by_their_braces(self):
        source = """
namespace n {
Foo::Foo(int a) : x_{a}, y_{b} {
  if (a) { b(); }
}
void f(Options o = {}, char c = '{') { }
template <class T> requires(is<T>) decltype(auto) g(T t) { }
TEST(Suite, Name) { auto l = [] { return "}"; }; }
struct X { void operator()(int) const { } int y = {3}; };
constexpr auto z = [](int x) { };
}
"""
        found = [(f.name, f.first_line, f.last_line) for f in functions_of(code_only(source))]
        self.assertEqual(found, [("Foo::Foo", 3, 5), ("f", 6, 6), ("g", 7, 7), ("TEST(Suite, Name)", 8, 8),
                                 ("operator()", 9, 9)])


# rule: [(files with a violation, path and line of the finding, words of the replacement)], [files that are clean]
CASES = {
    "layers": (
        [
            ({"src/base/a.h": HEADER + '#include "tensor/t.h"\n', "src/tensor/t.h": HEADER},
             "src/base/a.h:3", "base may not include tensor"),
            ({"src/text/a.h": HEADER + '#include "media/t.h"\n', "src/media/t.h": HEADER},
             "src/text/a.h:3", "move what both need further down"),
            ({"src/text/a.h": HEADER + '#include "b.h"\n', "src/text/b.h": HEADER},
             "src/text/a.h:3", "write the path from src/"),
            ({"src/new_room/a.h": HEADER}, "src/new_room/a.h:1", "add it to LAYERS"),
            ({"src/a.h": HEADER}, "src/a.h:1", "move the file into the layer"),
        ],
        [{"src/checkpoint/a.h": HEADER + '#include "quant/t.h"\n#include "checkpoint/b.h"\n#include <vector>\n',
          "src/checkpoint/b.h": HEADER, "src/quant/t.h": HEADER},
         {"src/base/a.h": HEADER + '// #include "cli/c.h"\n', "src/cli/c.h": HEADER}],
    ),
    "file_length": (
        [({"src/base/a.cc": "\n" * 601}, "src/base/a.cc:601", "give the second noun a file of its own")],
        [{"src/base/a.cc": "\n" * 600}],
    ),
    "function_length": (
        [({"src/base/a.cc": "void f() {\n" + "  g();\n" * 69 + "}\n"}, "src/base/a.cc:1", "name its steps")],
        [{"src/base/a.cc": "void f() {\n" + "  g();\n" * 68 + "}\n"}],
    ),
    "conditional_compilation": (
        [({"src/base/a.cc": "#ifdef X\n#endif\n"}, "src/base/a.cc:1", "decide at run time"),
         ({"src/base/a.cc": "\n#  if X\n#endif\n"}, "src/base/a.cc:2", "choose a file in CMakeLists.txt")],
        [{"src/kernels/cpu/a.cc": "#if HWY_TARGET\n#endif\n", "src/base/a.cc": "// #if x\n"}],
    ),
    "pragma_once": (
        [({"src/base/a.h": "// What.\n"}, "src/base/a.h:1", "write it after the comment")],
        [{"src/base/a.h": HEADER, "src/kernels/cpu/x-inl.h": ""}],
    ),
    "highway": (
        [({"src/ops/a.cc": "HWY_EXPORT(X);\n"}, "src/ops/a.cc:1", "add a kernel to src/kernels/table.h"),
         ({"src/ops/a.cc": "#include <hwy/highway.h>\n"}, "src/ops/a.cc:1", "add a kernel")],
        [{"src/kernels/cpu/a.cc": "HWY_EXPORT(X);\n", "src/kernels/parity_test.cc": "hwy::X();\n"}],
    ),
    "cuda": (
        [({"src/ops/a.cc": "cudaMalloc(x);\n"}, "src/ops/a.cc:1", "go through the kernel table")],
        [{"src/ops/a.cc": "// CUDA does the same.\n", "src/kernels/cuda/a.cc": "cudaMalloc(x);\n"}],
    ),
    "raw_memory": (
        [({"src/ops/a.cc": "auto x = new int;\n"}, "src/ops/a.cc:1", "use std::make_unique"),
         ({"src/ops/a.cc": "delete x;\n"}, "src/ops/a.cc:1", "'delete'"),
         ({"src/ops/a.cc": "::operator new(3);\n"}, "src/ops/a.cc:1", "an Arena"),
         ({"src/ops/a.cc": "void* x = std::malloc(3);\n"}, "src/ops/a.cc:1", "malloc"),
         ({"src/ops/a.cc": "free(x);\n"}, "src/ops/a.cc:1", "free")],
        [{"src/ops/a.cc": '#include <new>\nA(const A&) = delete;\n// a new day\n'
                           'auto s = "new"; x.free(); is_free(x);\n',
          "src/base/arena.cc": "::operator new(3);\n"}],
    ),
    "shared_ptr": (
        [({"src/ops/a.cc": "std::shared_ptr<int> x;\n"}, "src/ops/a.cc:1", "or use unique_ptr")],
        [{"src/ops/a.cc": "// Shared by all requests on one prefix.\nstd::shared_ptr<int> x;\n"}],
    ),
    "threads": (
        [({"src/ops/a.cc": "std::thread x;\n"}, "src/ops/a.cc:1", "use ThreadPool"),
         ({"src/ops/a.cc": "#pragma omp parallel\n"}, "src/ops/a.cc:1", "use ThreadPool")],
        [{"src/base/a.cc": "std::thread x;\n", "src/ops/a_test.cc": "std::jthread x;\n",
          "src/ops/a.cc": "std::thread::hardware_concurrency();\n"}],
    ),
    "banned_headers": (
        [({"src/ops/a.cc": "#include <regex>\n"}, "src/ops/a.cc:1", "write a linear scanner"),
         ({"src/ops/a.cc": "#include <cassert>\n"}, "src/ops/a.cc:1", "use HERD_CHECK"),
         ({"src/ops/a.cc": "#include <boost/json.hpp>\n"}, "src/ops/a.cc:1", "use base/json.h")],
        [{"src/base/json.h": "#include <boost/json.hpp>\n", "src/ops/a.cc": "#include <vector>\n"}],
    ),
    "banned_calls": (
        [({"src/ops/a.cc": f"{call}(x);\n"}, "src/ops/a.cc:1", words) for call, words in [
            ("assert", "HERD_CHECK"), ("alloca", "std::vector"), ("std::strcpy", "fmt::format"),
            ("sprintf", "fmt::format"), ("gets", "no bound"), ("atoi", "from_chars"), ("std::stoi", "from_chars"),
            ("strtok", "string_view"), ("system", "herd runs none"), ("popen", "herd runs none"),
            ("dlopen", "link it"), ("std::rand", "philox"), ("setenv", "pass an argument")]],
        [{"src/ops/a.cc": "static_assert(x); snprintf(x); options.system(x); reader.gets(); operand(x); brand(y);\n",
          "src/ops/a_test.cc": "std::stoi(x);\n"}],
    ),
    "throw": (
        [({"src/ops/a.cc": "throw 1;\n"}, "src/ops/a.cc:1", "return fail(")],
        [{"src/ops/a.cc": "// may throw\n", "src/ops/a_test.cc": "throw 1;\n"}],
    ),
    "reinterpret_cast": (
        [({"src/ops/a.cc": "\nreinterpret_cast<int*>(x);\n"}, "src/ops/a.cc:2", "base/bytes.h")],
        [{"src/ops/a.cc": "static_cast<int*>(x);\n"}],
    ),
    "using_namespace": (
        [({"src/ops/a.cc": "namespace herd {\nusing namespace std;\n}\n"}, "src/ops/a.cc:2", "using x::y"),
         ({"src/ops/a.h": "using namespace std::literals;\n"}, "src/ops/a.h:1", "write the names")],
        [{"src/ops/a.cc": "using namespace std::string_literals;\nvoid f() {\n  using namespace x;\n}\n"}],
    ),
    "own_header_first": (
        [({"src/ops/a.cc": '#include <vector>\n\n#include "ops/a.h"\n', "src/ops/a.h": HEADER},
          "src/ops/a.cc:1", 'make it "ops/a.h"'),
         ({"src/ops/a.cc": "// nothing\n", "src/ops/a.h": HEADER}, "src/ops/a.cc:1", 'make it "ops/a.h"')],
        [{"src/ops/a.cc": '#include "ops/a.h"\n\n#include <vector>\n', "src/ops/a.h": HEADER,
          "src/ops/a_test.cc": '#include "ops/a.h"\n'}],
    ),
    "own_includes": (
        [({"src/ops/a.h": HEADER + "// std::vector\nstd::vector<int> f(std::string);\n#include <vector>\n"},
          "src/ops/a.h:4", "std::string without #include <string>"),
         ({"src/ops/a.h": HEADER + "json::value f();\n"}, "src/ops/a.h:3", "<boost/json.hpp>")],
        [{"src/ops/a.h": HEADER + '#include "ops/b.h"\nstd::vector<std::string_view> f();\n',
          "src/ops/b.h": HEADER + '#include "ops/a.h"\n#include <string>\n#include <vector>\n',
          "src/ops/c-inl.h": "std::vector<int> f();\n", "src/ops/c.cc": "std::vector<int> f() {}\n"}],
    ),
    "built": (
        [({"src/ops/a_test.cc": ""}, "src/ops/a_test.cc:1", "CMakeLists.txt globs")],
        [{"src/ops/b.cc": ""}],
    ),
    "columns": (
        [({"src/ops/a.cc": "\tx;\n"}, "src/ops/a.cc:1", "write spaces"),
         ({"src/ops/a.cc": "x; \n"}, "src/ops/a.cc:1", "delete them"),
         ({"src/ops/a.cc": "x" * 101 + "\n"}, "src/ops/a.cc:1", "at most 100"),
         ({"src/ops/a.cc": "//" + "x" * 119 + "\n"}, "src/ops/a.cc:1", "at most 120")],
        [{"src/ops/a.cc": "x" * 100 + "\n//" + "é" * 118 + "\n", "src/base/error_codes.h": "x" * 130 + "\n",
          "docs/a.md": "x" * 200 + "\n"}],
    ),
    "kernel_parity": (
        [({"src/kernels/table.h": "struct KernelTable {\n  const char* name;\n  void (*add)(const AddArgs&) = nullptr;\n};\n",
           "src/kernels/parity_test.cc": "// nothing\n"}, "src/kernels/table.h:3", "add one")],
        [{"src/kernels/table.h": "struct KernelTable {\n  void (*add)(const AddArgs&) = nullptr;\n};\n",
          "src/kernels/parity_test.cc": "compare(&KernelTable::add);\n"}],
    ),
    "unfinished": (
        [({"src/ops/a.cc": "// TO" + "DO: more\n"}, "src/ops/a.cc:1", "do it now")],
        [{"src/ops/a.cc": "// TO" + "DO(#12): more\n"}],
    ),
    "blobs": (
        [({"docs/picture.bin": "x" * 200_001}, "docs/picture.bin:1", "LARGE_FILES"),
         ({"tests/data/models/a/model.safetensors": "x" * 20_000_001}, "tests/data/:1", "make the data smaller")],
        [{"docs/picture.bin": "x" * 200_000, "tests/data/models/a/model.safetensors": "x" * 300_000}],
    ),
    "machine_paths": (
        [({"docs/a.md": "see /wo" + "rk/main\n"}, "docs/a.md:1", "relative to the repository"),
         ({"tools/a.sh": "cd /ro" + "ot/x\n"}, "tools/a.sh:1", "relative to the repository")],
        [{"docs/a.md": "see src/wo" + "rk/main, https://x.org/ho" + "me/x and $HOME/ro" + "ot/x\n"}],
    ),
    "doc_paths": (
        [({"README.md": "see `src/base/gone.h`\n", "src/base/a.h": HEADER}, "README.md:1", "correct the path"),
         ({"README.md": "see `base/a.{h,cc}`\n", "src/base/a.h": HEADER}, "README.md:1", "src/base/a.cc"),
         ({"docs/a.md": "see [x](gone.md)\n"}, "docs/a.md:1", "link to gone.md")],
        [{"README.md": "`src/base/a.h` `base/a.h` `src/*/a.h` `src/base/` `a/b` [x](docs/a.md) [y](https://z.org/q)\n",
          "docs/a.md": "[x](../README.md) `application/json`\n```\nsrc/gone/x.h\n```\n", "src/base/a.h": HEADER}],
    ),
    "doc_tests": (
        [({"README.md": "proved by `Options.DoNotExist`\n"}, "README.md:1", "write the test"),
         ({"README.md": "proved by `tidy_test.py::test_gone`\n"}, "README.md:1", "no test is called")],
        [{"README.md": "`Options.Work` `Options.*` `tidy_test.py::test_x` `Class.member`\n",
          "src/base/a_test.cc": "TEST(Options, Work) {}\n", "tools/tidy_test.py": "def test_x():\n"}],
    ),
    "error_docs": (
        [({"src/base/error_codes.h": 'CodeRow{Code::busy, "E1004", "busy", 75, "taken"},\n', "docs/errors.md": "old\n"},
          "docs/errors.md:1", "run it")],
        [],
    ),
    "error_codes_used": (
        [({"src/base/error_codes.h": 'CodeRow{Code::busy, "E1004", "busy", 75, "taken"},\n', "docs/errors.md": ""},
          "src/base/error_codes.h:1", "delete the row")],
        [{"src/base/error_codes.h": 'CodeRow{Code::busy, "E1004", "busy", 75, "taken"},\n',
          "src/base/a.cc": "return fail(Code::busy);\n"}],
    ),
    "limits_tested": (
        [({"src/base/limits.h": "inline constexpr std::uint64_t x_max = 3;\n"}, "src/base/limits.h:1", "delete it"),
         ({"src/base/limits.h": "inline constexpr std::uint64_t x_max = 3;\n", "src/base/a.cc": "limits::x_max;\n"},
          "src/base/limits.h:1", "test it at the limit")],
        [{"src/base/limits.h": "inline constexpr std::uint64_t x_max = 3;\n", "src/base/a.cc": "limits::x_max;\n",
          "src/base/a_test.cc": "limits::x_max + 1;\n"}],
    ),
}


class Rules(unittest.TestCase):
    def found(self, rule, files):
        tree = tree_of(files, compile_commands={"src/ops/b.cc"})
        return [f"{path}:{line}: {message}" for path, line, message in tidy.rules()[rule](tree)]

    def test_every_rule_has_a_case(self):
        self.assertEqual(set(CASES), set(tidy.rules()))

    def test_planted_violations_are_found(self):
        for rule, (violations, _) in CASES.items():
            self.assertTrue(violations, rule)
            for files, where, words in violations:
                with self.subTest(rule=rule, files=files):
                    found = self.found(rule, files)
                    self.assertTrue(any(text.startswith(where + ":") and words in text for text in found), found)

    def test_clean_files_pass(self):
        for rule, (_, clean) in CASES.items():
            for files in clean:
                with self.subTest(rule=rule, files=files):
                    self.assertEqual(self.found(rule, files), [])

    def test_error_docs_list_every_row(self):
        table = 'CodeRow{Code::busy, "E1004", "busy", 75,\n        "taken"},\n'
        docs = error_docs(table)
        self.assertIn("| E1004 | `busy` | 75 | taken |", docs)
        files = {"src/base/error_codes.h": table, "docs/errors.md": docs}
        self.assertEqual(self.found("error_docs", files), [])


class Debts(unittest.TestCase):
    def tree(self, files, **debts):
        return tree_of({**files, tidy.DEBTS: json.dumps(debts)})

    def test_grant_a_size_and_nothing_more(self):
        def found(lines, granted):
            return tidy.findings(self.tree({"src/base/a.cc": "\n" * lines}, file_lines={"src/base/a.cc": granted}))
        self.assertEqual(found(700, 700), [])
        self.assertIn("701 lines, at most 700", found(701, 700)[0])

    def test_cover_so_many_findings_of_one_file_and_rule(self):
        owed = {"findings": {"src/ops/a.cc: throw": 2}}
        self.assertEqual(tidy.findings(self.tree({"src/ops/a.cc": "throw 1;\n" * 2}, **owed)), [])
        self.assertEqual(len(tidy.findings(self.tree({"src/ops/a.cc": "throw 1;\n" * 3}, **owed))), 3)
        self.assertEqual(len(tidy.findings(self.tree({"src/ops/b.cc": "throw 1;\n"}, **owed))), 1)
        self.assertEqual(len(tidy.findings(self.tree({"src/ops/a.cc": "throw 1;\nstd::rand();\n"}, **owed))), 1)

    def test_only_go_down(self):
        for lines, left in ((650, {"src/base/a.cc": 650}), (800, {"src/base/a.cc": 700}), (600, {})):
            tree = self.tree({"src/base/a.cc": "\n" * lines}, file_lines={"src/base/a.cc": 700})
            tidy.findings(tree)
            self.assertEqual(tree.lowered["file_lines"], left)
        for count, left in ((1, {"src/ops/a.cc: throw": 1}), (3, {"src/ops/a.cc: throw": 2}), (0, {})):
            tree = self.tree({"src/ops/a.cc": "throw 1;\n" * count}, findings={"src/ops/a.cc: throw": 2})
            tidy.findings(tree)
            self.assertEqual(tree.lowered["findings"], left)


if __name__ == "__main__":
    unittest.main()
