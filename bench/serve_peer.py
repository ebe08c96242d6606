"""How many tokens a second do 16 people get from herd's server, and from llama.cpp's with the same file?

  python3 bench/serve_peer.py --model cria.gguf --llama-server path/to/llama-server [--prompt 64] [--tokens 64]

Both servers are started on one GGUF file, with as many places as there are users and the same number of threads, and
asked by turns: herd, peer, peer, herd, ... In a turn every user sends `--requests` requests to /v1/completions, one
after the other: a prompt of token ids that nobody sent before, greedy, the end token ignored, the answer streamed. The
same ids go to both, and what the servers count must be what was asked for. The first turn of each warms up and is left
out; the medians of the others are printed, and the median of the ratios of neighbouring turns.

Without --llama-server herd is measured alone. `--herd-options` and `--llama-options` are handed on. Standard library
alone; needs Linux (processor time of the servers comes from /proc).
"""

import argparse
import asyncio
import json
import os
import pathlib
import random
import re
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]

WRITTEN = re.compile(rb'"text": ?"(?!")')  # an event that shows something of the answer
USAGE = re.compile(rb'"usage": ?\{')


class Server:
    """A program that answers on a port of this machine until stop()."""

    def __init__(self, name, command, port, ready, log):
        self.name, self.port = name, port
        self.log = open(log, "wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 600
        while not self.answers(ready):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                sys.exit(f"{name} did not become ready; see {log}")
            time.sleep(0.2)

    def answers(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as reply:
                return reply.status == 200
        except OSError:
            return False

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


class Stream(asyncio.Protocol):
    """One request and its answer: when what arrived. Looks into as little of it as will do."""

    def __init__(self, head, body):
        self.head, self.body = head, body
        self.seen, self.times, self.rest, self.usage = b"", [], b"", None
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.start = time.perf_counter()
        transport.write(self.head + self.body)

    def data_received(self, data):
        now = time.perf_counter()
        if not self.seen:
            self.seen = data[:200]
        *events, self.rest = (self.rest + data).split(b"\n\n")
        for event in events:
            if WRITTEN.search(event):
                self.times.append(now)
            found = USAGE.search(event)
            if found:
                self.usage = json.loads(event[event.index(b"{"):event.rindex(b"}") + 1])["usage"]

    def connection_lost(self, error):
        self.end = time.perf_counter()
        if not self.ended.done():
            self.ended.set_result(error)


def request_of(port, prompt, tokens):
    body = json.dumps({
        "model": "model", "prompt": prompt, "max_tokens": tokens, "temperature": 0, "ignore_eos": True, "stream": True,
        "stream_options": {"include_usage": True}}).encode()
    head = (f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    return head, body


async def answer(server, prompt, tokens):
    head, body = request_of(server.port, prompt, tokens)
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(lambda: Stream(head, body), "127.0.0.1", server.port)
    await stream.ended
    counted = stream.usage and (stream.usage["prompt_tokens"], stream.usage["completion_tokens"])
    if counted != (len(prompt), tokens) or not stream.times:
        sys.exit(f"{server.name} counted {counted} tokens, wanted {(len(prompt), tokens)}; it said {stream.seen!r}")
    return stream


async def turn(server, options, number):
    """All users at once; figures of the whole."""

    async def user(index):
        streams = []
        for request in range(options.requests):
            words = random.Random(f"{options.seed} {number} {index} {request}")
            prompt = [words.randrange(options.first_id, options.last_id) for _ in range(options.prompt)]
            streams.append(await answer(server, prompt, options.tokens))
        return streams

    cpu, start = server.cpu_seconds(), time.perf_counter()
    streams = sum(await asyncio.gather(*(user(i) for i in range(options.users))), [])
    seconds, cpu = time.perf_counter() - start, server.cpu_seconds() - cpu
    firsts = [1000 * (s.times[0] - s.start) for s in streams]
    gaps = [1000 * (b - a) for s in streams for a, b in zip(s.times, s.times[1:])]
    return {
        "server": server.name, "tokens_per_s": options.tokens * len(streams) / seconds,
        "prompt_tokens_per_s": options.prompt * len(streams) / seconds,
        "first_p50_ms": percentile(firsts, 50), "first_p95_ms": percentile(firsts, 95),
        "gap_p50_ms": percentile(gaps, 50), "gap_p95_ms": percentile(gaps, 95),
        "tokens_per_cpu_s": options.tokens * len(streams) / cpu, "load": os.getloadavg()[0]}


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, -(-len(ordered) * percent // 100) - 1)] if ordered else 0.0


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def start_servers(options, folder):
    context = options.prompt + options.tokens + 16
    port = free_port()
    command = [options.herd, "serve", options.model, "--name", "model", "--port", str(port),
               "--data", f"{folder}/data", "--threads", str(options.threads),
               "--max-batch", str(options.users), "--ctx", str(context)]
    command += shlex.split(options.herd_options)
    servers = [Server("herd", command, port, "/ready", f"{options.logs}/herd.log")]
    if options.llama_server:
        port = free_port()
        command = [options.llama_server, "-m", options.model, "--alias", "model", "--host", "127.0.0.1",
                   "--port", str(port), "-t", str(options.threads), "-tb", str(options.threads),
                   "-np", str(options.users), "-c", str(context * options.users)]
        try:
            servers.append(Server("llama.cpp", command + shlex.split(options.llama_options), port, "/health",
                                  f"{options.logs}/llama.log"))
        except SystemExit:
            servers[0].stop()
            raise
    return servers


FIGURES = [("tokens_per_s", "tokens/s"), ("prompt_tokens_per_s", "prompt tokens/s"),
           ("first_p50_ms", "first, median ms"), ("first_p95_ms", "first, 95 % ms"),
           ("gap_p50_ms", "gap, median ms"), ("gap_p95_ms", "gap, 95 % ms"),
           ("tokens_per_cpu_s", "tokens per CPU s"), ("load", "load")]


def report(turns, options):
    """The table of docs/performance.md, and what issue 4 asks for."""
    names = sorted({t["server"] for t in turns})  # herd first
    print(f"\n{options.users} users, {options.requests} requests each, {options.prompt} tokens in, "
          f"{options.tokens} out")
    print("| server | " + " | ".join(title for _, title in FIGURES) + " |\n|---|" + "--:|" * len(FIGURES))
    for name in names:
        cells = [statistics.median(t[key] for t in turns if t["server"] == name) for key, _ in FIGURES]
        print(f"| {name} | " + " | ".join(f"{c:.{0 if c >= 100 else 1}f}" for c in cells) + " |")
    if len(names) == 2:
        for key in ("tokens_per_s", "first_p95_ms"):
            ours, theirs = ([t[key] for t in turns if t["server"] == name] for name in names)
            ratios = sorted(a / b for a, b in zip(ours, theirs))
            print(f"{key}: {names[0]} / {names[1]} = {statistics.median(ratios):.2f} "
                  f"({ratios[0]:.2f} to {ratios[-1]:.2f} over {len(ratios)} turns)")


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a GGUF file with 16-bit weights")
    parser.add_argument("--herd", default=str(ROOT / "build/herd"))
    parser.add_argument("--llama-server", default="")
    parser.add_argument("--herd-options", default="--draft-tokens 0", help="handed to herd serve")
    parser.add_argument("--llama-options", default="", help="handed to llama-server")
    parser.add_argument("--logs", default=tempfile.gettempdir(), help="folder for what the servers print")
    numbers = {"users": 16, "requests": 1, "prompt": 64, "tokens": 64, "turns": 5, "threads": os.cpu_count(),
               "first-id": 256, "last-id": 2000, "seed": 1}
    for name, value in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    return parser.parse_args()


def main():
    options = read_options()
    turns = []
    with tempfile.TemporaryDirectory() as folder:
        servers = start_servers(options, folder)
        try:
            for number in range(options.turns + 1):
                for server in servers if number % 2 == 0 else servers[::-1]:
                    figures = asyncio.run(turn(server, options, number))
                    print(json.dumps(figures, default=str), flush=True)
                    if number > 0:
                        turns.append(figures)
        finally:
            for server in servers:
                server.stop()
    report(turns, options)


if __name__ == "__main__":
    main()
