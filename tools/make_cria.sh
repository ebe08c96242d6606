#!/usr/bin/env bash
# Makes cria from nothing: tokenizer, training, grades. Takes hours; may be stopped and started again.
#   tools/make_cria.sh [OUT]     default: training/cria; the model is then in OUT/model
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-training/cria}
herd=build/herd
cmake --build build --target herd
mkdir -p "$out"
if [ ! -e "$out/tokenizer/tokenizer.json" ]; then
  for stage in pretrain mid sft; do
    "$herd" gen --stage "$stage" --count 20000 --seed 77 --texts
  done >"$out/texts.jsonl"
  "$herd" train-tokenizer "$out/tokenizer" "$out/texts.jsonl" --field text --vocab-size 2048 --digits single
  cmp "$out/tokenizer/tokenizer.json" models/cria/tokenizer.json ||
    echo "note: the tokenizer differs from the one in models/cria, because the generated world has changed since" >&2
fi
"$herd" train models/cria/recipe.toml --out "$out"
"$herd" eval "$out/model" --limit 200 | tee "$out/scores.txt"
"$herd" eval "$out/model" --needles --limit 20 | tee "$out/needles.txt"
