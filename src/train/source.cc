#include "train/source.h"

#include <algorithm>

#include "base/base64.h"
#include "media/decode.h"
#include "train/packing.h"
#include "train/render.h"

namespace herd::train {
namespace {

constexpr std::size_t faults_shown_max = 20;
constexpr std::uint64_t file_bytes_max = std::uint64_t{4} << 30;
constexpr std::size_t line_bytes_max = std::size_t{16} << 20;

// A picture as chat requests have it: in the line itself, as data:image/png;base64,... Otherwise a file's name.
Result<media::Image> picture_of(std::string_view source, const fs::path& directory) {
  if (!source.starts_with("data:")) {
    if (source.contains("://"))
      return fail_with_hint(
          Code::training_data_invalid,
          fmt::format("a picture at {}: no addresses are opened", shown(source.substr(0, 64))),
          "give a file's name, or the picture itself: data:image/png;base64,...");
    HERD_TRY(const Mapping file, Mapping::open(directory / source));
    return media::decode_image(file.bytes());
  }
  const std::size_t comma = source.find(',');
  if (comma == std::string_view::npos || !source.substr(0, comma).ends_with(";base64"))
    return fail(Code::training_data_invalid,
                "a picture begins with {}, wanted data:image/png;base64,...",
                shown(source.substr(0, 32)));
  const Base64 decoded = decode_base64(source.substr(comma + 1));
  if (decoded.bad_at)
    return fail(Code::training_data_invalid,
                "a picture is not base64: the character at offset {} of {}", *decoded.bad_at,
                source.size() - comma - 1);
  return media::decode_image(decoded.bytes);
}

Result<Example> example_of_line(const engine::Bundle& bundle, std::string_view line,
                                const fs::path& directory, Weights weights) {
  if (line.size() > line_bytes_max)
    return fail(Code::training_data_invalid, "a line of {} bytes, at most {}", line.size(),
                line_bytes_max);
  HERD_TRY(const json::value value, parse_json(line));
  if (const json::value* text = find(value, "text"); text != nullptr && text->is_string())
    return example_of_text(bundle, text->as_string(), weights.document);
  const json::value* messages = find(value, "messages");
  if (messages == nullptr)
    return fail(
        Code::training_data_invalid,
        "an object with neither \"text\" nor \"messages\": there is nothing to learn in it");
  HERD_TRY(const text::Conversation conversation,
           text::parse_conversation(*messages, find(value, "tools")));
  const FindPicture given = [&](std::string_view source) { return picture_of(source, directory); };
  return example_of_chat(bundle, conversation, given, weights.prompt);
}

}  // namespace

Result<Example> example_of_sample(const engine::Bundle& bundle, const world::Sample& sample,
                                  Weights weights) {
  if (sample.is_document()) return example_of_text(bundle, sample.text, weights.document);
  const FindPicture drawn = [&](std::string_view source) -> Result<media::Image> {
    return sample.pictures[world::picture_index(source)];
  };
  return example_of_chat(bundle, sample.conversation, drawn, weights.prompt);
}

Result<double> Source::mean_tokens(std::int64_t length_max) const {
  constexpr std::uint64_t looked_at = 2000;
  std::size_t tokens = 0;
  for (std::uint64_t i = 0; i < looked_at; ++i) {
    HERD_TRY(Example example, at(i));
    if (is_learnable(example, length_max)) tokens += example.prompt.tokens.size();
  }
  return static_cast<double>(tokens) / static_cast<double>(looked_at);
}

Result<Example> WorldSource::at(std::uint64_t index) const {
  const std::size_t count = choice_.tasks.size();
  const world::Sample sample = count == 0
                                   ? choice_.mixture->make_sample(seed_, index, split_)
                                   : world::make_sample(*choice_.tasks[index % count], seed_,
                                                        index / count, split_, choice_.sizes);
  return example_of_sample(bundle_, sample, weights_);
}

Result<Example> FileSource::at(std::uint64_t index) const {
  std::call_once(counted_, [&] { rounds_.emplace(examples(), seed_); });
  return example(rounds_->at(index));
}

Result<double> FileSource::mean_tokens(std::int64_t length_max) const {
  return static_cast<double>(round(length_max).tokens) / static_cast<double>(examples());
}

FileSource::Round FileSource::round(std::int64_t length_max) const {
  Round round;
  for (std::size_t i = 0; i < examples(); ++i) {
    Example each = example(i);
    if (is_learnable(each, length_max))
      round.tokens += static_cast<std::int64_t>(each.prompt.tokens.size());
    else
      round.left_out.push_back(i);
  }
  return round;
}

Result<std::unique_ptr<JsonLinesSource>> JsonLinesSource::open(const engine::Bundle& bundle,
                                                               const fs::path& path,
                                                               std::uint64_t seed,
                                                               Weights weights) {
  HERD_TRY(const std::string content, read_file(path, file_bytes_max));
  std::string_view rest = content;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  auto source = std::make_unique<JsonLinesSource>(seed);
  std::string faults;
  std::size_t fault_count = 0, number = 0;
  while (!rest.empty()) {
    ++number;
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    auto example = example_of_line(bundle, line, path.parent_path(), weights);
    if (example) {
      source->examples_.push_back(std::move(*example));
      source->line_numbers_.push_back(number);
    } else if (++fault_count <= faults_shown_max) {
      faults += fmt::format("\n  line {}: {}", number, example.error().message);
    }
  }
  if (fault_count > 0)
    return fail(Code::training_data_invalid, "{}: {} of {} lines cannot be used:{}{}",
                path.string(), fault_count, number, faults,
                fault_count > faults_shown_max ? "\n  ..." : "");
  if (source->examples_.empty())
    return fail(Code::training_data_invalid, "{}: no line of data in it", path.string());
  return source;
}

std::string JsonLinesSource::place(std::size_t index) const {
  return fmt::format("line {}", line_numbers_[index]);
}

}  // namespace herd::train
