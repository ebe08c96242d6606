#!/bin/sh
# The tests of an AArch64 build under QEMU, on processors that differ in how they multiply bytes.
#   tests/arm_test.sh BUILD
#
# On "max" everything: NEON's float kernels and all four forms of quantized products. On the others what chooses among
# those and what they give; an instruction that a processor lacks ends the test. Nothing is learnt about speed.
set -eu
cd "$(dirname "$0")/.."
build=$1
# A tenth of the random cases: QEMU takes many instructions for one.
export HERD_TEST_SEEDS="${HERD_TEST_SEEDS:-20}"

run() {
  processor=$1 program=$2
  shift 2
  echo "== $program on $processor"
  qemu-aarch64 -cpu "$processor" "$build/$program" --gtest_brief=1 "$@"
}

for program in base_test quant_test kernels_test; do
  HERD_TEST_KERNELS=neon_i8mm run max "$program" --gtest_filter=-Slow/*
done
quantized="*Packed*:*Quantized*"
HERD_TEST_KERNELS=neon_dotprod run neoverse-n1 kernels_test "--gtest_filter=$quantized"
HERD_TEST_KERNELS=neon run cortex-a72 kernels_test "--gtest_filter=$quantized"
