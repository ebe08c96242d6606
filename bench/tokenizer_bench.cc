// How fast is text turned into ids, on one thread? Prints one JSON object a round: seconds of processor time, bytes,
// ids.
//
//   tokenizer_bench TOKENIZER TEXT [--rounds=N] [--wait]
//
// TEXT holds documents with a byte 0xFF between them (no UTF-8 has one); each is encoded by itself, special tokens as
// text. --wait: a round begins when a line arrives on stdin, so that bench/tokenizer_peer.py can take turns with it.
// Processor time, not the clock: the comparison holds on a machine that others use as well.
#include <fmt/format.h>
#include <time.h>

#include <charconv>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "text/split.h"
#include "text/tokenizer.h"

namespace {

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::vector<std::string_view> documents_of(std::string_view text) {
  std::vector<std::string_view> documents;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\xff'), text.size());
    documents.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return documents;
}

int run(const std::string& tokenizer_path, const std::string& text_path, int rounds, bool wait) {
  const double begin = processor_seconds();
  const auto tokenizer = herd::text::Tokenizer::from_file(tokenizer_path);
  if (!tokenizer) {
    fmt::print(stderr, "{}\n", to_string(tokenizer.error()));
    return 65;
  }
  const double load = processor_seconds() - begin;
  const auto text = herd::read_file(text_path, 1ull << 30);
  if (!text) {
    fmt::print(stderr, "{}\n", to_string(text.error()));
    return 66;
  }
  const auto documents = documents_of(*text);
  std::size_t bytes = 0;
  for (const auto document : documents) bytes += document.size();

  std::vector<std::int32_t> ids;
  std::string line;
  for (int round = 0; round < rounds && (!wait || std::getline(std::cin, line)); ++round) {
    const double start = processor_seconds();
    std::size_t total = 0;
    for (const auto document : documents) {
      ids.clear();
      tokenizer->append(document, herd::text::SpecialTokens::as_text, ids);
      total += ids.size();
    }
    const double encoded = processor_seconds();
    std::size_t pieces = 0;
    for (const auto document : documents)
      for (std::size_t at = 0; at < document.size(); ++pieces)
        at = herd::text::piece_end(document, at);
    const double cut = processor_seconds();
    fmt::print(R"({{"seconds": {:.6f}, "mb_per_s": {:.1f}, "split_seconds": {:.6f}, )"
               R"("load_seconds": {:.3f}, "bytes": {}, "pieces": {}, "ids": {}}})"
               "\n",
               encoded - start, static_cast<double>(bytes) / (encoded - start) * 1e-6,
               cut - encoded, load, bytes, pieces, total);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> paths;
  int rounds = 5;
  bool wait = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--wait")
      wait = true;
    else if (argument.starts_with("--rounds="))
      std::from_chars(argument.data() + 9, argument.data() + argument.size(), rounds);
    else
      paths.emplace_back(argument);
  }
  if (paths.size() != 2) {
    fmt::print(stderr, "usage: tokenizer_bench TOKENIZER TEXT [--rounds=N] [--wait]\n");
    return 2;
  }
  return run(paths[0], paths[1], rounds, wait);
}
