#!/usr/bin/env bash
# Trains cria as its recipe says, and grades it. Takes hours; may be stopped and started again.
#   tools/make_cria.sh [OUT]     default: checkpoints/cria-new; the model is then in OUT/model
# The tokenizer of models/cria is the one trained with; the first step makes it again and says if the world has changed
# since, in which case the files in OUT/tokenizer are to be put into models/cria first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-checkpoints/cria-new}
herd=build/herd
cmake --build build --target herd
mkdir -p "$out"
if [ ! -e "$out/tokenizer/tokenizer.json" ]; then
  for stage in pretrain mid sft; do
    "$herd" gen --stage "$stage" --count 20000 --seed 77 --texts
  done >"$out/texts.jsonl"
  "$herd" train-tokenizer "$out/tokenizer" "$out/texts.jsonl" --field text --vocab-size 2048 --digits single
  cmp -s "$out/tokenizer/tokenizer.json" models/cria/tokenizer.json ||
    echo "note: the tokenizer differs from the one in models/cria, because the generated world has changed since" >&2
fi
"$herd" train models/cria/recipe.toml --out "$out"
"$herd" eval "$out/model" --limit 200 --markdown | tee "$out/scores.md"
"$herd" eval "$out/model" --needles --limit 20 | tee "$out/needles.txt"
