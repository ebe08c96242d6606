#include "train/make_shards.h"

#include "train/render.h"
#include "train/shard.h"
#include "train/source.h"
#include "train/text_source.h"

namespace herd::train {
namespace {

constexpr float read_weight = 0.5f;  // tells what is read from what is said, which weighs 1

class Writer {
 public:
  Writer(const engine::Bundle& bundle, fs::path out, std::size_t tokens_per_file)
      : out_(std::move(out)),
        per_file_(tokens_per_file),
        vocabulary_(bundle.config.text.vocabulary),
        tokenizer_(tokenizer_checksum(bundle.tokenizer)) {}

  Result<void> add(const Example& example) {
    std::vector<TokenRole> roles;
    for (const float weight : example.weight)
      roles.push_back(example.is_document     ? TokenRole::document
                      : weight == 1           ? TokenRole::said
                      : weight == read_weight ? TokenRole::read
                                              : TokenRole::nothing);
    content_.add(example.prompt.tokens, roles);
    ++totals_.documents;
    totals_.tokens += roles.size();
    return content_.tokens.size() < per_file_ ? Result<void>() : flush();
  }

  Result<void> flush() {
    if (content_.tokens.empty()) return {};
    const fs::path path = out_ / fmt::format("part-{:05}.tokens", totals_.files++);
    HERD_TRY_VOID(write_shard(path, content_, vocabulary_, tokenizer_));
    content_ = {};
    return {};
  }

  [[nodiscard]] const ShardTotals& totals() const { return totals_; }

 private:
  fs::path out_;
  std::size_t per_file_;
  std::int64_t vocabulary_;
  std::uint64_t tokenizer_;
  ShardContent content_;
  ShardTotals totals_;
};

Result<void> add_json_lines(const engine::Bundle& bundle, const fs::path& path, Writer& writer) {
  HERD_TRY(const auto lines, JsonLinesSource::open(bundle, path, 0, {.prompt = read_weight}));
  for (std::size_t i = 0; i < lines->examples(); ++i) {
    const Example example = lines->example(i);
    if (!example.prompt.pictures.empty())
      return fail(Code::training_data_invalid,
                  "{}: {} has a picture, but shards hold tokens alone; name the file in the recipe",
                  path.string(), lines->place(i));
    HERD_TRY_VOID(writer.add(example));
  }
  return {};
}

Result<void> add_texts(const engine::Bundle& bundle, const fs::path& path, Writer& writer) {
  HERD_TRY(const std::vector<fs::path> files, text_files(path));
  for (const fs::path& file : files) {
    HERD_TRY(const std::string text, read_text(file));
    for (const std::string_view document : documents_of(text))
      HERD_TRY_VOID(writer.add(example_of_text(bundle, document, 1)));
  }
  return {};
}

}  // namespace

Result<ShardTotals> make_shards(const engine::Bundle& bundle, const std::vector<fs::path>& inputs,
                                const fs::path& out, std::size_t tokens_per_file) {
  std::error_code error;
  fs::create_directories(out, error);
  if (error) return fail(Code::cannot_create, "{}: {}", out.string(), error.message());
  if (const auto there = shard_files(out); there)
    return fail_with_hint(Code::cannot_create,
                          fmt::format("{} has {} shards already", out.string(), there->size()),
                          "another --out, or remove them");
  Writer writer(bundle, out, tokens_per_file);
  for (const fs::path& path : inputs) {
    if (path.extension() == ".jsonl")
      HERD_TRY_VOID(add_json_lines(bundle, path, writer));
    else
      HERD_TRY_VOID(add_texts(bundle, path, writer));
  }
  HERD_TRY_VOID(writer.flush());
  if (writer.totals().documents == 0)
    return fail(Code::training_data_invalid, "there is no text in what was named");
  return writer.totals();
}

}  // namespace herd::train
