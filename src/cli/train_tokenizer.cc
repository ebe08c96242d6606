// herd train-tokenizer: a tokenizer of Llama 4's kind from the user's own text.
#include <algorithm>
#include <chrono>
#include <mutex>

#include "base/bytes.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/json_lines.h"
#include "cli/output.h"
#include "text/bpe.h"
#include "text/bpe_training.h"
#include "text/llama4_tokens.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace herd::cli {
namespace {

constexpr std::string_view special_lists[] = {"short", "full"};
constexpr std::string_view digit_ways[] = {"grouped", "single"};

struct TrainTokenizerOptions {
  std::string out;
  std::vector<std::string> files;
  std::optional<std::int64_t> vocab_size = {};
  std::string specials = "short";
  std::string digits = "grouped";
  std::uint64_t min_frequency = 2;
  std::optional<std::string> field = {};
  std::uint64_t limit_bytes = 0;
  std::int64_t threads = 0;
  bool json = false;

  static constexpr auto fields() {
    using O = TrainTokenizerOptions;
    return option_list(
        option("out", &O::out, "the directory to write tokenizer.json into; made if need be"),
        option("files", &O::files, "text, one document each; stdin when none is named"),
        option("vocab_size", &O::vocab_size, "ids in all: 256 bytes, merges and special tokens",
               Range{257, limits::vocabulary_max}),
        option("specials", &O::specials,
               "Llama 4's special tokens: 32 without the long runs of reserved ones, or all 2048",
               Choices{special_lists}),
        option("digits", &O::digits,
               "numbers in groups of up to three digits as Llama 4, or every digit a token",
               Choices{digit_ways}),
        option("min_frequency", &O::min_frequency, "pairs seen less often become no token",
               Range{1, 1ll << 53}),
        option("field", &O::field, "files are JSON lines, and this member of each is a document"),
        option("limit_bytes", &O::limit_bytes,
               "of all files together, take the first so many bytes; 0 for all", any_number),
        option("threads", &O::threads, "that count; 0 for all CPUs", Range{0, 1024}),
        option("json", &O::json, "one JSON document instead of text"));
  }
};

// One file, or stdin. The mapping or the string holds what `text` looks at.
struct Source {
  std::string name;
  Mapping mapping;
  std::string read;
  std::string_view text;
};

// What one thread takes at a time.
struct Part {
  const Source* source;
  std::string_view text;
};
constexpr std::size_t part_bytes = 1 << 20;

Result<Source> read_stdin(std::uint64_t bytes_max) {
  Source source{.name = "stdin", .mapping = {}, .read = {}, .text = {}};
  char buffer[1 << 16];
  while (source.read.size() < bytes_max) {
    const std::size_t got = std::fread(
        buffer, 1, std::min<std::uint64_t>(sizeof buffer, bytes_max - source.read.size()), stdin);
    if (got == 0) break;
    source.read.append(buffer, got);
  }
  if (std::ferror(stdin)) return fail(Code::io_failed, "reading stdin failed");
  return source;
}

Result<std::vector<Source>> open_sources(const TrainTokenizerOptions& options) {
  std::uint64_t left = options.limit_bytes == 0 ? ~0ull : options.limit_bytes;
  std::vector<Source> sources;
  if (options.files.empty()) {
    HERD_TRY(sources.emplace_back(), read_stdin(left));
  }
  for (const std::string& file : options.files) {
    HERD_TRY(Mapping mapping, Mapping::open(file));
    sources.push_back({.name = file, .mapping = std::move(mapping), .read = {}, .text = {}});
  }
  for (Source& source : sources) {
    source.text = source.mapping.bytes().empty() ? std::string_view(source.read)
                                                 : text_of(source.mapping.bytes());
    const bool cut = options.limit_bytes != 0 && source.text.size() >= left;
    source.text = source.text.substr(0, left);
    // Neither a character nor a line is taken in part.
    if (cut && options.field)
      source.text = source.text.substr(0, source.text.rfind('\n') + 1);
    else if (cut)
      source.text.remove_suffix(text::incomplete_tail(source.text));
    left -= std::min<std::uint64_t>(left, source.text.size());
    if (cut) left = 0;
  }
  return sources;
}

std::vector<Part> parts_of(const std::vector<Source>& sources, bool lines) {
  std::vector<Part> parts;
  for (const Source& source : sources)
    for (std::string_view rest = source.text; !rest.empty();) {
      std::size_t end = rest.size();
      if (rest.size() > part_bytes)
        end = lines ? std::min(rest.size() - 1, rest.find('\n', part_bytes)) + 1
                    : text::safe_cut(rest, part_bytes);
      parts.push_back({&source, rest.substr(0, end)});
      rest.remove_prefix(end);
    }
  return parts;
}

Result<text::PieceCounts> count(const TrainTokenizerOptions& options,
                                const std::vector<Source>& sources) {
  const std::vector<Part> parts = parts_of(sources, options.field.has_value());
  std::uint64_t total = 0;
  for (const Part& part : parts) total += part.text.size();
  if (total == 0)
    return fail_with_hint(
        Code::file_empty,
        fmt::format(
            "there is no text to train on in {}",
            sources.size() == 1 ? sources.front().name : fmt::format("{} files", sources.size())),
        "name files with text, or give it on stdin");
  ThreadPool pool(static_cast<int>(options.threads));
  Progress progress("counting", total);
  std::mutex mutex;
  std::int64_t failed =
      -1;  // of several errors the first in the text is told, at any number of threads
  Result<void> error;
  text::PieceCounts counts = text::count_pieces(
      static_cast<std::int64_t>(parts.size()),
      options.digits == "single" ? text::Split::single_digits : text::Split::llama4, pool,
      [&](std::int64_t item, text::PieceCounts& into) {
        const Part& part = parts[static_cast<std::size_t>(item)];
        if (!options.field) {
          into.add(part.text);
        } else if (auto counted =
                       each_text(part.source->name, part.source->text, part.text, *options.field,
                                 [&](std::string_view text) { into.add(text); });
                   !counted) {
          const std::lock_guard lock(mutex);
          if (failed < 0 || item < failed) error = std::move(counted);
          if (failed < 0 || item < failed) failed = item;
        }
        progress.add(part.text.size());
      });
  HERD_TRY_VOID(std::move(error));
  return counts;
}

Result<void> check_place(const fs::path& directory) {
  std::error_code error;
  if (!fs::exists(directory / "tokenizer.json", error)) return {};
  return fail_with_hint(
      Code::cannot_create,
      fmt::format("{}: is there already, and herd train-tokenizer overwrites nothing",
                  (directory / "tokenizer.json").string()),
      "give another directory, or remove it first");
}

Result<void> write(const fs::path& directory, const text::TokenizerContent& content,
                   const std::string& file) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return fail(Code::cannot_create, "{}: {}", directory.string(), error.message());
  HERD_TRY_VOID(write_file(directory / "tokenizer_config.json",
                           std::string_view(json_text(text::tokenizer_config(content)) + "\n")));
  return write_file(directory / "tokenizer.json", std::string_view(file));
}

// Tokens that the training text becomes: read back from the file, so that what is written is known to load.
Result<std::uint64_t> tokens_in(const text::PieceCounts& counts, const std::string& file) {
  HERD_TRY(const text::Tokenizer tokenizer, text::Tokenizer::from_json(file));
  std::uint64_t tokens = 0;
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    ids.clear();
    text::encode_piece(tokenizer.vocabulary(), tokenizer.merges(), counts.piece(i), ids);
    tokens += ids.size() * counts.count(i);
  }
  return tokens;
}

}  // namespace

Result<int> train_tokenizer(Arguments arguments) {
  TrainTokenizerOptions options;
  Flags flags("train-tokenizer", "Trains a byte-level BPE tokenizer of Llama 4's kind",
              "herd train-tokenizer my-model *.txt --vocab-size 4096 --digits single");
  flags.add(options, {{"out"}, {.field = "files", .required = false}});
  HERD_TRY(const std::optional<std::string> help, flags.parse(arguments));
  if (help) HERD_TRY_VOID(print(*help));
  if (help) return 0;
  if (!options.vocab_size)
    return fail_with_hint(Code::usage, "herd train-tokenizer: --vocab-size is missing",
                          "--vocab-size 4096 for a small model, 200000 as Llama 4");
  const text::BpeTraining training{.vocabulary = *options.vocab_size,
                                   .specials = options.specials == "full"
                                                   ? text::llama4_special_tokens()
                                                   : text::llama4_short_special_tokens(),
                                   .min_frequency = options.min_frequency};
  HERD_TRY_VOID(text::check_training(training));
  HERD_TRY_VOID(check_place(options.out));

  const auto start = std::chrono::steady_clock::now();
  HERD_TRY(const std::vector<Source> sources, open_sources(options));
  HERD_TRY(const text::PieceCounts counts, count(options, sources));
  Result<text::TokenizerContent> content = [&] {
    Progress progress(
        "merging", static_cast<std::uint64_t>(training.vocabulary) - 256 - training.specials.size(),
        ProgressUnit::items);
    return text::train_bpe(counts, training, [&](std::uint64_t tokens) { progress.add(tokens); });
  }();
  if (!content) return std::unexpected(std::move(content).error());
  const std::string file = text::tokenizer_json(*content);
  HERD_TRY(const std::uint64_t tokens, tokens_in(counts, file));
  HERD_TRY_VOID(write(options.out, *content, file));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const double bytes_a_token = static_cast<double>(counts.bytes()) / static_cast<double>(tokens);
  if (options.json)
    HERD_TRY_VOID(print_json(json::object{{"directory", options.out},
                                          {"vocabulary", content->size()},
                                          {"merges", content->merges.size()},
                                          {"special_tokens", content->specials.size()},
                                          {"text_bytes", counts.bytes()},
                                          {"text_tokens", tokens},
                                          {"bytes_per_token", bytes_a_token},
                                          {"different_pieces", counts.size()},
                                          {"seconds", took.count()}}));
  else
    HERD_TRY_VOID(
        print(fmt::format("{}: {} ids ({} bytes, {} merges, {} special tokens) from {} of text "
                          "with {} different pieces, in {:.1f} s\n"
                          "that text becomes {} tokens, {:.2f} bytes each\n",
                          options.out, grouped(static_cast<std::uint64_t>(content->size())), 256,
                          grouped(content->merges.size()), grouped(content->specials.size()),
                          human_bytes(counts.bytes()), grouped(counts.size()), took.count(),
                          grouped(tokens), bytes_a_token)));
  return 0;
}

}  // namespace herd::cli
