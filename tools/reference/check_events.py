"""Does TensorBoard read what herd writes, and is it what curves.csv says?

Usage: check_events.py OUT      the directory of a training; best of one that was stopped and taken up again
"""

import csv
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# TensorBoard's name, curves.csv's column.
CURVES = {
    "loss/train": "loss",
    "loss/held_out": "held_out",
    "rate": "rate",
    "gradient_length": "gradient",
    "tokens_per_second": "tokens_per_s",
    "experts/worst_load": "worst_load",
    "experts/unused": "unused_experts",
}
TOLERANCE = 5e-3  # curves.csv rounds, speeds to whole tokens


def close(a, b):
    return abs(a - b) <= TOLERANCE * max(1, abs(a), abs(b))


def main():
    (out,) = sys.argv[1:]
    events = EventAccumulator(out, size_guidance={"scalars": 0})
    events.Reload()
    with open(f"{out}/curves.csv") as file:
        rows = list(csv.DictReader(file))
    bad = 0
    for tag, column in CURVES.items():
        wanted = [(int(row["step"]), float(row[column])) for row in rows if row[column]]
        found = [(s.step, s.value) for s in events.Scalars(tag)] if tag in events.Tags()["scalars"] else []
        same = [s for s, _ in wanted] == [s for s, _ in found]
        same = same and all(close(a, b) for (_, a), (_, b) in zip(wanted, found))
        bad += not same
        print(f"{'ok ' if same else 'BAD'} {tag}: {len(found)} points, {len(wanted)} in curves.csv")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
