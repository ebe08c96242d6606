// How much do answers gain from being written together? Tokens a second of the engine at 1, 2, 4, 8 and 16 requests at
// a time on one model; prints one JSON object a line. Greedy, prompts of their own, stop tokens ignored, so every run
// does the same work; the best of several rounds, because a shared machine is only ever slower.
//
//   serve_bench [models/cria] [--tokens=128] [--prompt=64] [--rounds=3] [--threads=0] [--draft_tokens=0]
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <ctime>
#include <map>
#include <string>

#include "base/rng.h"
#include "base/thread_pool.h"
#include "engine/stepper.h"
#include "llama4/load.h"

namespace herd::engine {
namespace {

class Ends : public Listener {
 public:
  explicit Ends(std::int64_t& tokens) : tokens_(&tokens) {}
  void token(const TokenEvent& /*event*/) override { ++*tokens_; }
  void finished(Result<Answer> answer) override {
    if (!answer) fmt::print(stderr, "{}\n", answer.error().message);
  }

 private:
  std::int64_t* tokens_;
};

struct Rates {
  double decode = 0, prefill = 0;  // tokens a second
  double decode_cpu = 0;           // tokens a second of processor time
};

Rates measure(const llama4::Model& model, const text::Tokenizer& tokenizer, ThreadPool& pool,
              std::int64_t together, std::map<std::string, std::int64_t>& options) {
  EngineOptions engine;
  engine.context = options["prompt"] + options["tokens"];
  engine.sequences = together;
  engine.draft_tokens = options["draft_tokens"];
  auto stepper = Stepper::create(model, tokenizer, pool, engine, DType::bf16).value();
  Rates best;
  for (std::int64_t round = 0; round < options["rounds"]; ++round) {
    std::int64_t tokens = 0;
    for (std::int64_t i = 0; i < together; ++i) {
      Request request;
      for (std::int64_t t = 0; t < options["prompt"]; ++t)
        request.prompt.tokens.push_back(static_cast<std::int32_t>(
            uniform(static_cast<std::uint64_t>(round * 100 + i), static_cast<std::uint64_t>(t)) *
            256));
      request.options.max_tokens = options["tokens"];
      request.options.ignore_eos = true;
      request.options.sampling.temperature = 0;
      stepper->add(static_cast<std::uint64_t>(round * 100 + i + 1), std::move(request), {},
                   std::make_shared<Ends>(tokens),  // shared with nobody after this
                   Request::Clock::now());
    }
    const auto start = Request::Clock::now();
    while (tokens < together) stepper->step(Request::Clock::now());  // all prompts are read
    const auto first = Request::Clock::now();
    const std::int64_t before = tokens;
    const std::clock_t cpu = std::clock();
    while (!stepper->idle()) stepper->step(Request::Clock::now());
    const auto end = Request::Clock::now();
    const double cpu_seconds = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
    best.decode_cpu = std::max(best.decode_cpu, static_cast<double>(tokens - before) / cpu_seconds);
    const auto seconds = [](auto time) { return std::chrono::duration<double>(time).count(); };
    best.prefill = std::max(
        best.prefill, static_cast<double>(together * options["prompt"]) / seconds(first - start));
    best.decode =
        std::max(best.decode, static_cast<double>(tokens - before) / seconds(end - first));
  }
  return best;
}

int bench(const std::string& path, std::map<std::string, std::int64_t> options) {
  auto loaded = llama4::load(path);
  auto tokenizer = text::Tokenizer::from_directory(path);
  if (!loaded || !tokenizer) {
    fmt::print(stderr, "{}\n", (loaded ? tokenizer.error() : loaded.error()).message);
    return 1;
  }
  ThreadPool pool(static_cast<int>(options["threads"]));
  Rates single;
  for (const std::int64_t together : {1, 2, 4, 8, 16}) {
    const Rates rates = measure((*loaded)->model(), *tokenizer, pool, together, options);
    if (together == 1) single = rates;
    fmt::print(
        "{{\"requests\": {}, \"threads\": {}, \"decode_tokens_per_s\": {:.0f}, \"of_single\": "
        "{:.2f}, "
        "\"decode_tokens_per_cpu_s\": {:.0f}, \"of_single_cpu\": {:.2f}, "
        "\"prefill_tokens_per_s\": {:.0f}}}\n",
        together, pool.threads(), rates.decode, rates.decode / single.decode, rates.decode_cpu,
        rates.decode_cpu / single.decode_cpu, rates.prefill);
  }
  return 0;
}

}  // namespace
}  // namespace herd::engine

int main(int argc, char** argv) {
  std::string path = "models/cria";
  std::map<std::string, std::int64_t> options{
      {"tokens", 128}, {"prompt", 64}, {"rounds", 3}, {"threads", 0}, {"draft_tokens", 0}};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    if (!argument.starts_with("--")) {
      path = argument;
      continue;
    }
    const auto option =
        equals == std::string::npos ? options.end() : options.find(argument.substr(2, equals - 2));
    if (option == options.end()) {
      fmt::print(stderr, "unknown option {}; see the top of bench/serve_bench.cc\n", argument);
      return 2;
    }
    std::from_chars(argument.data() + equals + 1, argument.data() + argument.size(),
                    option->second);
  }
  return herd::engine::bench(path, std::move(options));
}
