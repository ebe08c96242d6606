// What every vector file of this folder includes before Highway: the instruction sets that are not built, and the
// loop-unrolling pragma of the compiler at hand.
//
// Not built: SSSE3 (processors with it and without SSE4 are older than 2008; the scalar target serves them), and SVE
// and RVV, whose vectors have no size at compile time and so cannot be kept in the arrays our register tiles are made
// of.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

// Register tiles live in registers only if their loops are unrolled completely; -O2 does not promise that by itself.
#if defined(__clang__)
#define HERD_UNROLL _Pragma("clang loop unroll(full)")
#define HERD_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define HERD_UNROLL _Pragma("GCC unroll 64")
#define HERD_ROLLED _Pragma("GCC unroll 1")
#endif
