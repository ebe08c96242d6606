#!/usr/bin/env python3
"""Asserts on the built program what docs/hardening.md promises. Usage: hardening_test.py PROGRAM SOURCE_DIRECTORY"""

import json
import os
import re
import subprocess
import sys
import unittest

PROGRAM, SOURCES = "", ""


def read(*command):
    return subprocess.run([*command, PROGRAM], capture_output=True, text=True, check=True).stdout


class Hardening(unittest.TestCase):
    def test_is_position_independent(self):
        self.assertRegex(read("readelf", "-hW"), r"Type:\s+DYN")
        self.assertRegex(read("readelf", "-dW"), r"\(FLAGS_1\).*\bPIE\b")

    def test_relocations_are_read_only_and_bound_at_start(self):
        self.assertRegex(read("readelf", "-lW"), r"\bGNU_RELRO\b")
        dynamic = read("readelf", "-dW")
        self.assertRegex(dynamic, r"\(FLAGS_1\).*\bNOW\b")
        self.assertNotIn("TEXTREL", dynamic)

    def test_no_memory_is_writable_and_executable(self):
        segments = read("readelf", "-lW")
        stack = re.search(r"GNU_STACK\s+(?:0x\w+\s+){5}([RWE ]+?)\s+0x", segments)
        self.assertIsNotNone(stack)
        self.assertNotIn("E", stack[1])
        for flags in re.findall(r"^\s+LOAD\s+(?:0x\w+\s+){5}([RWE ]+?)\s+0x", segments, re.MULTILINE):
            self.assertFalse("W" in flags and "E" in flags, flags)

    def test_stack_is_guarded(self):
        self.assertRegex(read("readelf", "-W", "--dyn-syms"), r"UND __stack_chk_fail\b")

    def test_library_calls_are_checked(self):
        checked = re.findall(r"UND (__\w+_chk)\b", read("readelf", "-W", "--dyn-syms"))
        self.assertTrue([name for name in checked if name != "__stack_chk_fail"], checked)

    def test_indirect_branches_land_on_marks(self):
        main = read("objdump", "-d", "--no-show-raw-insn", "--disassemble=main")
        first = re.search(r"<main>:\n\s*[0-9a-f]+:\s*(\w+)", main)
        self.assertIsNotNone(first)
        self.assertEqual(first[1], "endbr64")

    def test_containers_check_their_bounds(self):
        self.assertIn("__glibcxx_assert_fail", read("readelf", "-W", "--dyn-syms"))

    def test_libraries_are_looked_for_in_system_folders_only(self):
        self.assertNotRegex(read("readelf", "-dW"), r"\((RPATH|RUNPATH)\)")

    def test_c47_starts_on_any_processor_of_its_kind(self):
        """Only Highway's kernels use newer instructions, each behind its look at the processor: no file of ours is
        compiled for more than the baseline, and the linker recorded no need for more."""
        commands = os.path.join(os.path.dirname(PROGRAM), "compile_commands.json")
        with open(commands, encoding="utf-8") as file:
            flags = [word for entry in json.load(file) for word in entry["command"].split()]
        self.assertGreater(len(flags), 100)
        self.assertEqual([flag for flag in flags if re.match(r"-m(arch|cpu|tune|avx|sse|fma|bmi)", flag)], [])
        needed = re.search(r"x86 ISA needed: (.*)", read("readelf", "-nW"))
        self.assertIn(needed and needed[1].strip(), (None, "x86-64-baseline"))

    def test_no_path_of_the_build_machine_is_inside(self):
        with open(PROGRAM, "rb") as file:
            self.assertNotIn((SOURCES.rstrip("/") + "/src/").encode(), file.read())


if __name__ == "__main__":
    PROGRAM, SOURCES = sys.argv[1], sys.argv[2]
    unittest.main(argv=sys.argv[:1])
