"""How fast is herd beside the engines that read the same GGUF file? In turns, so that all see the same machine.

  bench/peers/peers.py MODEL.gguf [--herd build/herd] [--llama DIR] [--ik DIR] [--node DIR] [--store MODEL.herd]
      [--prompt 512 ...] [--answer 64] [--batch 8 ...] [--turns 5] [--threads 2] [--start]
      [--json FILE] [--markdown FILE] [--ik-repack]

--llama and --ik are folders with llama-bench and llama-batched-bench, as llama.cpp and ik_llama.cpp build them; --node
is a folder whose node_modules has node-llama-cpp, which carries the official build. --store is the same model as a
packed store: herd once more, mapped instead of packed. In a turn every engine does every test once, and the order turns
around from turn to turn; the median of the turns counts, and for each engine the most memory that a process of
it held (ru_maxrss). --start times a process that opens the model, writes one token and ends; the first turn reads the
disk. Every engine gets a warm-up of its own where it has one.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


class Failed(Exception):
    """An engine that did not do its test, with the end of what it said."""


def run(command):
    """Output, seconds and the peak memory in bytes of one process."""
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        # Elsewhere than in the project: ik_llama.cpp leaves a llama.log where it stands.
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=said, cwd=tempfile.gettempdir())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begin
        out.seek(0)
        said.seek(0)
        if process.returncode != 0:
            raise Failed(f"{pathlib.Path(command[0]).name} ended with {process.returncode}: {said.read()[-300:]}")
        return out.read() + "\n" + said.read(), seconds, usage.ru_maxrss * 1024


class Herd:
    """`herd bench`; a repetition that is not counted comes first."""

    def __init__(self, program, model, threads):
        self.program, self.model, self.threads = program, model, threads

    def speeds(self, prompts, answer, batches):
        text, _, memory = run([self.program, "bench", self.model, "--json", "-r", 1, "-t", self.threads,
                               *(part for n in prompts or [0] for part in ("-p", n)), "-n", answer if batches else 0,
                               *(part for n in batches for part in ("-b", n))])
        rows = json.JSONDecoder().raw_decode(text[text.index("["):])[0]
        return {name_of(row["test"], row["batch"]): row["tps"] for row in rows}, memory

    def start(self):
        _, seconds, memory = run([self.program, "generate", self.model, "x", "--raw", "--max-tokens", 1, "--ctx", 512,
                                  "--threads", self.threads])
        return seconds, memory


class Llama:
    """llama-bench and llama-batched-bench, of llama.cpp or of ik_llama.cpp, whose options differ a little."""

    def __init__(self, folder, model, threads, is_ik, more, repacks=False):
        self.folder, self.model, self.threads, self.is_ik, self.more = folder, model, threads, is_ik, more
        self.repacks = repacks  # ik_llama.cpp's -rtr, whose two programs spell it differently

    def bench(self, prompts, answer, warm=True):
        cold = [] if warm else (["-w", 0] if self.is_ik else ["--no-warmup"])
        cold += ["-rtr", 1] if self.repacks else []
        text, seconds, memory = run([self.folder / "llama-bench", "-m", self.model,
                                     "-p", ",".join(map(str, prompts or [0])), "-n", answer, "-r", 1,
                                     "-t", self.threads, "-o", "json", *cold, *self.more])
        rows = json.JSONDecoder().raw_decode(text[text.index("["):])[0]
        return {name_of(f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}", 1): row["avg_ts"]
                for row in rows}, seconds, memory

    def speeds(self, prompts, answer, batches):
        found, _, memory = self.bench(prompts, answer if 1 in batches else 0)
        several = [batch for batch in batches if batch > 1]
        if not several:
            return found, memory
        shared = 8
        context = max(several) * (answer + shared) + 64
        try:
            text, _, more = run([self.folder / "llama-batched-bench", "-m", self.model, "-t", self.threads,
                                 "-c", context, "-npp", shared, "-ntg", answer,
                                 "-npl", ",".join(map(str, several)),
                                 *(["-rtr"] if self.repacks else []), *self.more])
        except Failed as error:  # llama-bench's rows stand all the same
            print(f"llama-batched-bench: {error}", file=sys.stderr)
            return found, memory
        for batch in several:
            # |    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |
            row = re.search(rf"^\|\s*{shared} \|\s*{answer} \|\s*{batch} \|(.*)\|\s*$", text, re.MULTILINE)
            if row is None:
                raise Failed(f"llama-batched-bench: no row of {batch} sequences")
            found[name_of(f"tg{answer}", batch)] = float(row[1].split("|")[4])
        return found, max(memory, more)

    def start(self):
        _, seconds, memory = self.bench([], 1, warm=False)
        return seconds, memory


class Node:
    """The official build out of npm; one sequence only."""

    def __init__(self, folder, model, threads):
        self.folder, self.model, self.threads = folder, model, threads

    def speeds(self, prompts, answer, batches):
        found, most = {}, 0
        for tokens in prompts or [0]:
            last = tokens == (prompts or [0])[-1]
            text, _, memory = run(["node", HERE / "node_llama_cpp.mjs", self.folder, self.model, tokens,
                                   answer if last and 1 in batches else 0, self.threads])
            row = json.loads(text.splitlines()[0])
            most = max(most, memory)
            if tokens:
                found[name_of(f"pp{tokens}", 1)] = row["prompt"]
            if last and 1 in batches:
                found[name_of(f"tg{answer}", 1)] = row["answer"]
        return found, most

    def start(self):
        return None


def name_of(test, batch):
    """A row of the table, of the names that `herd bench` and llama-bench give their tests."""
    if test.startswith("pp"):
        return f"prompt of {test[2:]}"
    return f"answers of {test[2:]}" + ("" if batch == 1 else f", {batch} at once")


def tests_of(options):
    """(name, unit)"""
    tests = [(name_of(f"pp{n}", 1), "tokens/s") for n in options.prompt]
    if options.answer > 0:
        tests += [(name_of(f"tg{options.answer}", b), "tokens/s") for b in options.batch]
    return tests + ([("start", "s")] if options.start else [])


def measure(engines, tests, options):
    """{test: {engine: [values]}}, {engine: peak bytes}. An engine does all its tests of a turn with one load of the
    model or two: they take a minute, and then the next one's turn begins."""
    values = {name: {engine: [] for engine in engines} for name, _ in tests}
    memory, broken = dict.fromkeys(engines, 0), set()
    for turn in range(options.turns):
        for name in list(engines) if turn % 2 == 0 else list(engines)[::-1]:
            if name in broken:
                continue
            try:
                found, most = engines[name].speeds(options.prompt, options.answer, options.batch)
                started = engines[name].start() if options.start else None
            except Failed as error:
                print(f"{name}: {error}", file=sys.stderr)
                broken.add(name)
                continue
            if started is not None:
                found["start"], most = started[0], max(most, started[1])
            memory[name] = max(memory[name], most)
            for test, unit in tests:
                if test in found:
                    values[test][name].append(found[test])
                    print(f"turn {turn + 1}  {test:<26} {name:<12} {found[test]:9.2f} {unit}", file=sys.stderr,
                          flush=True)
    return values, memory


def medians_of(values):
    return {name: {engine: statistics.median(found) for engine, found in row.items() if found}
            for name, row in values.items()}


def table(tests, medians, memory):
    """Markdown; the last column is herd beside the best of the others (more is better, for start as well)."""
    engines = list(memory)
    peers = [engine for engine in engines if not engine.startswith("herd")]
    lines = ["| | " + " | ".join(engines) + " | herd : best peer |", "|---" * (len(engines) + 2) + "|"]
    for name, unit in tests:
        row = medians[name]
        cells = [f"{row[engine]:.1f}" if engine in row else "-" for engine in engines]
        rivals = [row[engine] for engine in peers if engine in row]
        share = "-"
        if rivals and "herd" in row:
            share = f"{min(rivals) / row['herd']:.2f}" if unit == "s" else f"{row['herd'] / max(rivals):.2f}"
        lines.append(f"| {name}, {unit} | " + " | ".join(cells) + f" | {share} |")
    held = [f"{memory[engine] / 2**30:.2f}" if memory[engine] else "-" for engine in engines]
    rivals = [memory[engine] for engine in peers if memory[engine]]
    share = f"{min(rivals) / memory['herd']:.2f}" if rivals and memory.get("herd") else "-"
    return "\n".join([*lines, "| peak memory, GiB | " + " | ".join(held) + f" | {share} |"]) + "\n"


def absolute(path):
    return pathlib.Path(path).resolve()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=absolute)
    parser.add_argument("--herd", type=absolute, default=HERE.parents[1] / "build/herd")
    parser.add_argument("--llama", type=absolute)
    parser.add_argument("--ik", type=absolute)
    parser.add_argument("--llama-option", action="append", default=[], help="one more word for llama.cpp's programs")
    parser.add_argument("--ik-option", action="append", default=[], help="one more word for ik_llama.cpp's programs")
    parser.add_argument("--ik-repack", action="store_true", help="ik_llama.cpp repacks weights as it loads them (-rtr)")
    parser.add_argument("--node", type=absolute)
    parser.add_argument("--store", type=absolute)
    parser.add_argument("--prompt", type=int, action="append", default=[])
    parser.add_argument("--answer", type=int, default=64)
    parser.add_argument("--batch", type=int, action="append", default=[])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--start", action="store_true")
    parser.add_argument("--json", type=absolute)
    parser.add_argument("--markdown", type=absolute)
    options = parser.parse_args()
    engines = {"herd": Herd(options.herd, options.model, options.threads)}
    if options.store:
        engines["herd, store"] = Herd(options.herd, options.store, options.threads)
    if options.llama:
        engines["llama.cpp"] = Llama(options.llama, options.model, options.threads, False, options.llama_option)
    if options.ik:
        engines["ik_llama.cpp"] = Llama(options.ik, options.model, options.threads, True, options.ik_option,
                                        options.ik_repack)
    if options.node:
        engines["llama.cpp (npm)"] = Node(options.node, options.model, options.threads)
    tests = tests_of(options)
    values, memory = measure(engines, tests, options)
    medians = medians_of(values)
    if options.json:
        options.json.write_text(json.dumps({"model": options.model.name, "turns": options.turns,
                                            "threads": options.threads, "values": values, "medians": medians,
                                            "peak_memory_bytes": memory}, indent=1) + "\n")
    text = table(tests, medians, memory)
    if options.markdown:
        options.markdown.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
