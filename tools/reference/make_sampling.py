#!/usr/bin/env python3
"""Distributions that transformers' logits processors leave, for tests/data/sampling/cases.json.

Each case: logits, the tokens seen before, the options, and the surviving tokens with their probabilities. Order of the
processors as transformers applies them: repetition penalty, temperature, top-k, top-p, min-p. Presence and frequency
penalties are OpenAI's formula (their API reference), written out here.
"""
import json
import pathlib

import torch
from transformers import (LogitsProcessorList, MinPLogitsWarper, RepetitionPenaltyLogitsProcessor,
                          TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper)

OUT = pathlib.Path(__file__).parents[2] / "tests/data/sampling/cases.json"
OPTIONS = [
    {},
    {"temperature": 0.6, "top_p": 0.9},
    {"temperature": 1.3, "top_k": 5},
    {"temperature": 1.0, "top_k": 1},
    {"temperature": 0.8, "top_p": 0.3},
    {"temperature": 1.0, "min_p": 0.2},
    {"temperature": 1.7, "min_p": 0.05, "top_k": 20, "top_p": 0.95},
    {"temperature": 1.0, "repetition_penalty": 1.4},
    {"temperature": 0.9, "repetition_penalty": 0.8, "top_k": 10},
    {"temperature": 1.0, "presence_penalty": 1.5},
    {"temperature": 1.0, "frequency_penalty": 0.7},
    {"temperature": 0.7, "presence_penalty": -0.5, "frequency_penalty": 0.3, "top_p": 0.8},
]


def survivors(logits, prompt, answer, options):
    scores = logits.clone()[None]
    if options.get("repetition_penalty", 1.0) != 1.0:
        seen = torch.tensor([prompt + answer])
        scores = RepetitionPenaltyLogitsProcessor(options["repetition_penalty"])(seen, scores)
    for token in set(answer):
        scores[0, token] -= (options.get("presence_penalty", 0.0)
                             + options.get("frequency_penalty", 0.0) * answer.count(token))
    steps = LogitsProcessorList([TemperatureLogitsWarper(options.get("temperature", 1.0))])
    if options.get("top_k", 0) > 0:
        steps.append(TopKLogitsWarper(options["top_k"]))
    if options.get("top_p", 1.0) < 1.0:
        steps.append(TopPLogitsWarper(options["top_p"]))
    if options.get("min_p", 0.0) > 0.0:
        steps.append(MinPLogitsWarper(options["min_p"]))
    probabilities = steps(None, scores)[0].double().softmax(-1)
    order = torch.argsort(probabilities, descending=True, stable=True)
    return [[int(t), float(probabilities[t])] for t in order if probabilities[t] > 0]


def main():
    torch.manual_seed(4)
    cases = []
    for index, options in enumerate(OPTIONS * 3):
        logits = (torch.randn(50) * (1.0 + index % 4)).float()
        prompt = torch.randint(0, 50, (6,)).tolist()
        answer = torch.randint(0, 50, (9,)).tolist() if index % 2 else [3, 3, 7]
        full = {"temperature": 1.0, "top_p": 1.0} | options
        cases.append({"logits": logits.tolist(), "prompt": prompt, "answer": answer,
                      "options": full, "choices": survivors(logits, prompt, answer, full)})
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    print(f"{OUT.name}: {len(cases)} cases")


if __name__ == "__main__":
    main()
