// How fast is a tokenizer trained? Prints one JSON object a round: seconds of the clock and of the processor, apart for
// counting pieces and for merging, and the hash of what was trained.
//
//   bpe_training_bench TEXT VOCABULARY THREADS [--rounds=N] [--wait]
//
// TEXT holds documents with a byte 0xFF between them (no UTF-8 has one). --wait: a round begins when a line arrives on
// stdin, so that bench/bpe_training_peer.py can take turns with it.
#include <fmt/format.h>
#include <time.h>

#include <charconv>
#include <cstdio>
#include <iostream>

#include "base/file.h"
#include "text/bpe_training.h"
#include "text/vocabulary.h"

namespace {

struct Moment {
  double clock, processor;
};

double seconds_of(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}
Moment now() { return {seconds_of(CLOCK_MONOTONIC), seconds_of(CLOCK_PROCESS_CPUTIME_ID)}; }

int number_in(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int run(const std::string& path, int vocabulary, int threads, int rounds, bool wait) {
  const auto text = herd::read_file(path, 4ull << 30);
  if (!text) {
    fmt::print(stderr, "{}\n", to_string(text.error()));
    return 66;
  }
  std::vector<std::string_view> documents;
  for (std::string_view rest = *text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\xff'), rest.size());
    documents.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  herd::ThreadPool pool(threads);
  std::string line;
  for (int round = 0; round < rounds && (!wait || std::getline(std::cin, line)); ++round) {
    const Moment start = now();
    const auto counts = herd::text::count_pieces(
        static_cast<std::int64_t>(documents.size()), herd::text::Split::llama4, pool,
        [&](std::int64_t item, herd::text::PieceCounts& into) {
          into.add(documents[static_cast<std::size_t>(item)]);
        });
    const Moment counted = now();
    const auto trained = herd::text::train_bpe(
        counts,
        {.vocabulary = vocabulary + 1, .specials = {"<|begin_of_text|>"}, .min_frequency = 2});
    const Moment merged = now();
    if (!trained) {
      fmt::print(stderr, "{}\n", to_string(trained.error()));
      return 65;
    }
    fmt::print(R"({{"seconds": {:.6f}, "cpu_seconds": {:.6f}, "counting_seconds": {:.6f}, )"
               R"("merging_seconds": {:.6f}, "bytes": {}, "pieces": {}, "hash": "{:016x}"}})"
               "\n",
               merged.clock - start.clock, merged.processor - start.processor,
               counted.clock - start.clock, merged.clock - counted.clock, counts.bytes(),
               counts.size(), herd::text::hash_bytes(herd::text::tokenizer_json(*trained), 0));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words;
  int rounds = 5;
  bool wait = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--wait")
      wait = true;
    else if (argument.starts_with("--rounds="))
      rounds = number_in(argument.substr(9));
    else
      words.emplace_back(argument);
  }
  if (words.size() != 3) {
    fmt::print(stderr, "usage: bpe_training_bench TEXT VOCABULARY THREADS [--rounds=N] [--wait]\n");
    return 2;
  }
  return run(words[0], number_in(words[1]), number_in(words[2]), rounds, wait);
}
