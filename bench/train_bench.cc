// How fast does a model of cria's size learn, and where does the time go? Steps on random tokens; prints one JSON
// object a line: tokens per second of whole steps, GFLOP/s of the matrix products and of attention's (three times the
// forward's; what is computed again is not counted), their share of the machine's multiply-add limit (in bfloat16,
// where that is asked for), measured in the same rounds.
//
//   train_bench [--width=256] [--layers=8] [--heads=4] [--head_size=64] [--dense_width=1024] [--expert_width=512]
//               [--experts=8] [--vocabulary=4096] [--tokens=2048] [--threads=0] [--steps=5] [--muon=0] [--bfloat16=0]
//
// bench/train_peer.py takes turns with PyTorch.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <string>

#include "base/rng.h"
#include "base/thread_pool.h"
#include "kernels/cpu/machine_limits.h"
#include "train/learner.h"
#include "train/optimizer.h"

namespace herd {
namespace {

double seconds_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

llama4::Config config_of(std::map<std::string, std::int64_t>& options) {
  llama4::Config config;
  llama4::TextConfig& text = config.text;
  text.vocabulary = options["vocabulary"];
  text.width = options["width"];
  text.layers = options["layers"];
  text.head_size = options["head_size"];
  text.heads = options["heads"];
  text.key_value_heads = 2;
  text.expert_width = options["expert_width"];
  text.dense_width = options["dense_width"];
  text.experts = options["experts"];
  text.chunk = 256;
  text.normalizes_qk = true;
  text.context = 4096;
  for (std::int64_t layer = 0; layer < text.layers; ++layer) {
    text.is_moe.push_back(text.experts > 0 && layer % 2 == 1);
    text.rotates.push_back((layer + 1) % 4 != 0);
  }
  return config;
}

// Tokens of one example: what attention can look back on.
constexpr std::int64_t example_tokens = 512;

// Multiply-adds of scores and of weighted values that a token needs, forward: of the keys that it may see, no others.
double attention_macs_per_token(const llama4::TextConfig& text) {
  double macs = 0;
  for (const bool rotates : text.rotates) {
    const std::int64_t reach = rotates ? std::min(text.chunk, example_tokens) : example_tokens;
    macs += static_cast<double>(2 * text.heads * text.head_size * (reach + 1)) / 2;
  }
  return macs;
}

// Multiply-adds of the matrices that a token meets, forward.
double macs_per_token(const llama4::TextConfig& text) {
  double macs = static_cast<double>(text.width * text.vocabulary);
  const std::int64_t kv = text.key_value_heads * text.head_size, q = text.heads * text.head_size;
  for (std::size_t layer = 0; layer < text.is_moe.size(); ++layer) {
    macs += static_cast<double>(text.width * (2 * q + 2 * kv));
    macs += static_cast<double>(3 * text.width *
                                (text.is_moe[layer] ? 2 * text.expert_width : text.dense_width));
    if (text.is_moe[layer]) macs += static_cast<double>(text.width * text.experts);
  }
  return macs;
}

void bench(std::map<std::string, std::int64_t> options) {
  const llama4::Config config = config_of(options);
  ThreadPool pool(static_cast<int>(options["threads"]));
  train::Learner learner(config, pool, {.bfloat16 = options["bfloat16"] != 0});
  initialize(learner.parameters(), config, 1);
  train::Optimizer optimizer({.muon = options["muon"] != 0});
  std::vector<train::Example> examples;
  for (std::int64_t left = options["tokens"], i = 0; left > 0; left -= example_tokens, ++i) {
    train::Example& example = examples.emplace_back();
    for (std::int64_t t = 0; t < std::min(example_tokens, left); ++t) {
      example.prompt.tokens.push_back(
          static_cast<std::int32_t>(uniform(7, static_cast<std::uint64_t>(i * example_tokens + t)) *
                                    static_cast<double>(config.text.vocabulary)));
      example.weight.push_back(1);
    }
  }
  std::vector<const train::Example*> pointers;
  for (const train::Example& example : examples) pointers.push_back(&example);
  const auto tokens = static_cast<double>(options["tokens"]);
  double best = 1e30, best_step = 1e30, fma = 0;
  for (std::int64_t step = 0; step < options["steps"]; ++step) {
    best = std::min(best, seconds_of([&] { learner.learn(pointers, 1.0 / tokens, 1.0); }));
    best_step = std::min(best_step, seconds_of([&] {
                           Context& ctx = learner.context();
                           const double length =
                               train::Optimizer::gradient_length(ctx, learner.parameters());
                           optimizer.step(ctx, learner.parameters(), 1.0, length);
                         }));
    const cpu::FmaTime peak =
        cpu::fma_time(20'000'000, {.pool = &pool, .bfloat16 = options["bfloat16"] != 0});
    fma = std::max(fma, peak.flops / peak.seconds);
  }
  const double matrices = 6 * macs_per_token(config.text) * tokens;
  const double flops = matrices + 6 * attention_macs_per_token(config.text) * tokens;
  fmt::print(
      "{{\"parameters\": {}, \"threads\": {}, \"tokens_per_s\": {:.0f}, \"learn_ms\": {:.1f}, "
      "\"optimizer_ms\": {:.1f}, \"of_matrices\": {:.2f}, "
      "\"gflop_per_s\": {:.1f}, \"fma_limit_gflop_per_s\": {:.1f}, \"of_fma_limit\": {:.2f}, "
      "\"arena_mb\": {:.0f}}}\n",
      learner.parameters().count(), pool.threads(), tokens / (best + best_step), best * 1e3,
      best_step * 1e3, matrices / flops, flops / best / 1e9, fma / 1e9, flops / best / fma,
      static_cast<double>(learner.context().arena.bytes_reserved()) / 1e6);
}

}  // namespace
}  // namespace herd

int main(int argc, char** argv) {
  std::map<std::string, std::int64_t> options{
      {"width", 256},        {"layers", 8},         {"heads", 4},   {"head_size", 64},
      {"dense_width", 1024}, {"expert_width", 512}, {"experts", 8}, {"vocabulary", 4096},
      {"tokens", 2048},      {"threads", 0},        {"steps", 5},   {"muon", 0},
      {"bfloat16", 0}};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string name =
        argument.substr(0, equals).substr(0, 2) == "--" ? argument.substr(2, equals - 2) : argument;
    if (equals == std::string::npos || !options.contains(name)) {
      fmt::print(stderr, "train_bench: {}: no such option\n", argument);
      return 2;
    }
    options[name] = std::strtoll(argument.c_str() + equals + 1, nullptr, 10);
  }
  herd::bench(options);
}
