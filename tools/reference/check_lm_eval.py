"""lm-evaluation-harness against a running herd and against transformers: the same task, the same scores.

    build/herd serve models/cria --precision f32 --port 8123 &
    .venv/bin/python tools/reference/check_lm_eval.py --url http://127.0.0.1:8123 [--limit N]

The task is made here, from cria's own world (no download): multiple choice by log-probability. herd is asked through
/v1/completions with echo and logprobs (`local-completions`), transformers runs the same directory (`hf`) in float32.
Ends with 1 when a score differs, or the log-probability of an answer by more than 0.001 nats. With keys and values in
bf16, as herd keeps them without --precision f32, answers of 30 tokens differ by up to 0.3 nats.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import lm_eval
from lm_eval.models.huggingface import HFLM
from lm_eval.models.openai_completions import LocalCompletionsAPI
from lm_eval.tasks import TaskManager

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/cria"
TASK = """task: cria_choices
dataset_path: json
dataset_kwargs:
  data_files:
    test: {file}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
target_delimiter: " "
metric_list:
  - metric: acc
  - metric: acc_norm
metadata:
  version: 1
"""


def write_task(herd, directory, count):
    """Questions of cria's world with four answers, the right one among answers to other questions."""
    told = [herd, "gen", "--task", "language", "--count", str(4 * count), "--seed", "5"]
    pairs = []
    for line in subprocess.run(told, check=True, capture_output=True, text=True).stdout.splitlines():
        messages = [m for m in json.loads(line)["messages"] if m["role"] in ("user", "assistant")]
        if len(messages) >= 2 and all(isinstance(m["content"], str) for m in messages[:2]):
            pairs.append((messages[0]["content"], messages[1]["content"]))
    rows = []
    for i in range(count):
        question, right = pairs[i]
        others = [answer for q, answer in pairs[count:] if answer != right]
        choices = [right] + others[3 * i : 3 * i + 3]
        turn = i % 4
        choices = choices[-turn:] + choices[:-turn] if turn else choices
        rows.append({"question": question, "choices": choices, "answer": choices.index(right)})
    path = directory / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "cria_choices.yaml").write_text(TASK.format(file=path))


def evaluate(model, directory):
    return lm_eval.simple_evaluate(
        model=model,
        tasks=["cria_choices"],
        task_manager=TaskManager(include_path=str(directory), include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--herd", default=ROOT / "build/herd", help="the program that makes the questions")
    parser.add_argument("--limit", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        write_task(options.herd, directory, options.limit)
        herd = LocalCompletionsAPI(
            base_url=options.url + "/v1/completions",
            model="cria",
            tokenizer=str(MODEL),
            tokenizer_backend="huggingface",
            num_concurrent=4,
            max_retries=1,
            batch_size=4,
            add_bos_token=True,
        )
        peer = HFLM(pretrained=str(MODEL), device="cpu", dtype="float32", batch_size=1, add_bos_token=True)
        runs = {"herd": evaluate(herd, directory), "transformers": evaluate(peer, directory)}
    worst = 0.0
    samples = [sorted(run["samples"]["cria_choices"], key=lambda s: s["doc_id"]) for run in runs.values()]
    for ours, theirs in zip(*samples, strict=True):
        for a, b in zip(ours["filtered_resps"], theirs["filtered_resps"], strict=True):
            worst = max(worst, abs(float(a[0]) - float(b[0])))
    scores = {name: run["results"]["cria_choices"] for name, run in runs.items()}
    for name, score in scores.items():
        print(f"{name:>12}: acc {score['acc,none']:.4f}  acc_norm {score['acc_norm,none']:.4f}")
    print(f"largest difference of a log-probability: {worst:.6f} nats over {4 * len(samples[0])} choices")
    same = all(scores["herd"][m] == scores["transformers"][m] for m in ("acc,none", "acc_norm,none"))
    return 0 if same and worst < 0.001 else 1


if __name__ == "__main__":
    sys.exit(main())
