"""Does llama.cpp see what herd sees? Both serve the GGUF and the mmproj file that `herd convert` writes of a model,
and answer the same questions about the same pictures, greedily.

  python3 tools/reference/check_mmproj.py LLAMA_SERVER [--herd build/herd] [--model models/cria] [--count 24]
      [--vision-type q8_0]

LLAMA_SERVER is the program of that name out of llama.cpp's own build (its tools/server, which holds mtmd). Printed:
every answer that differs, then how many were equal and how many right. llama.cpp leaves out the `<|image|>` token that
Meta's processor puts before a single tile, so its prompts are one token shorter and a close answer may turn; and it
exchanges the rows and columns of a picture's vectors (check_mmproj_vectors.py).
"""

import argparse
import base64
import contextlib
import json
import pathlib
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def server(command, port):
    process = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(120):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health").read()
                break
            if process.poll() is not None:
                raise SystemExit(f"{command[0]} ended with status {process.returncode}")
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1/chat/completions"
    finally:
        process.terminate()
        process.wait()


def answer(address, png, question):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(png).decode()}}
    body = {"model": "model", "temperature": 0, "max_tokens": 40,
            "messages": [{"role": "user", "content": [picture, {"type": "text", "text": question}]}]}
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.loads(urllib.request.urlopen(request).read())["choices"][0]["message"]["content"].strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("llama_server")
    parser.add_argument("--herd", default=str(ROOT / "build/herd"))
    parser.add_argument("--model", default=str(ROOT / "models/cria"))
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--vision-type", default="auto", help="of herd convert")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        here = pathlib.Path(name)
        text, vision = str(here / "model.gguf"), str(here / "mmproj-model.gguf")
        convert = [options.herd, "convert", options.model, text, "--type", "f16", "--vision-out", vision,
                   "--vision-type", options.vision_type]
        subprocess.run(convert, check=True)
        samples = subprocess.run(
            [options.herd, "gen", "--task", "shapes", "--split", "held_out", "--count", str(options.count),
             "--pictures", str(here)], check=True, capture_output=True, text=True).stdout
        equal = {"herd": 0, "llama.cpp": 0, "both": 0}
        with (server([options.herd, "serve", text, "--mmproj", vision], 18098) as ours,
              server([options.llama_server, "-m", text, "--mmproj", vision, "-c", "2048", "--jinja"], 18099) as theirs):
            for sample in map(json.loads, samples.splitlines()):
                question = sample["messages"][0]["content"][-1]["text"]
                wanted = sample["messages"][1]["content"]
                png = (here / f"shapes-{sample['index']}-0.png").read_bytes()
                a, b = answer(ours, png, question), answer(theirs, png, question)
                equal["both"] += a == b
                equal["herd"] += a == wanted
                equal["llama.cpp"] += b == wanted
                if a != b:
                    print(f"{question} | wanted {wanted} | herd {a} | llama.cpp {b}")
        print(f"of {options.count}: {equal['both']} equal; herd right {equal['herd']}, llama.cpp right "
              f"{equal['llama.cpp']}")


if __name__ == "__main__":
    main()
