#include "train/text_source.h"

#include <algorithm>

#include "text/utf8.h"
#include "train/render.h"

namespace herd::train {
namespace {

constexpr std::uint64_t file_bytes_max = std::uint64_t{4} << 30;
constexpr std::string_view separators[] = {"<|endoftext|>", "<|end_of_text|>"};
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

Result<std::vector<fs::path>> text_files(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return std::vector<fs::path>{path};
  std::vector<fs::path> files;
  for (auto at = fs::recursive_directory_iterator(path, error); at != fs::end(at);
       at.increment(error)) {
    const fs::path extension = at->path().extension();
    if (at->is_regular_file(error) && (extension == ".txt" || extension == ".md"))
      files.push_back(at->path());
  }
  if (error) return fail(Code::io_failed, "{}: {}", path.string(), error.message());
  if (files.empty())
    return fail(Code::training_data_invalid, "{}: no .txt or .md file in it", path.string());
  std::ranges::sort(files);
  return files;
}

std::vector<std::string_view> documents_of(std::string_view text) {
  std::vector<std::string_view> documents;
  std::size_t begin = 0;
  const auto add = [&](std::size_t end) {
    const std::string_view document = text.substr(begin, end - begin);
    if (!is_blank(document)) documents.push_back(document);
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t next = std::min(end + 1, text.size());
    if (std::ranges::find(separators, line) != std::end(separators)) {
      add(at);
      begin = next;
    }
    at = next;
  }
  add(text.size());
  return documents;
}

Result<std::string> read_text(const fs::path& path) {
  HERD_TRY(std::string text, read_file(path, file_bytes_max));
  if (const auto fault = text::first_invalid_utf8(text)) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(*fault);
    return fail_with_hint(Code::invalid_utf8,
                          fmt::format("{}: line {} has the byte 0x{:02x}, which is no UTF-8 there",
                                      path.string(), std::count(text.begin(), end, '\n') + 1,
                                      static_cast<unsigned char>(text[*fault])),
                          "iconv -t utf-8 turns texts of other encodings into UTF-8");
  }
  if (text.starts_with(byte_order_mark)) text.erase(0, byte_order_mark.size());
  return text;
}

Result<std::unique_ptr<TextSource>> TextSource::open(const engine::Bundle& bundle,
                                                     const fs::path& path, std::uint64_t seed,
                                                     float weight, std::int64_t length_max) {
  auto source = std::make_unique<TextSource>(seed);
  source->weight_ = weight;
  HERD_TRY(const std::vector<fs::path> files, text_files(path));
  for (const fs::path& file : files) {
    HERD_TRY(const std::string text, read_text(file));
    const auto part = static_cast<std::uint32_t>(source->names_.size());
    source->names_.push_back(file.string());
    for (const std::string_view document : documents_of(text)) {
      const Example whole = example_of_text(bundle, document, weight);
      const std::size_t begin = source->tokens_.size();
      source->tokens_.insert(source->tokens_.end(), whole.prompt.tokens.begin(),
                             whole.prompt.tokens.end());
      append_pieces(begin, source->tokens_.size(), static_cast<std::size_t>(length_max), part,
                    source->pieces_);
    }
  }
  if (source->pieces_.empty())
    return fail(Code::training_data_invalid, "{}: no text in it", path.string());
  return source;
}

Example TextSource::example(std::size_t index) const {
  const Piece& piece = pieces_[index];
  const auto begin = tokens_.begin() + static_cast<std::ptrdiff_t>(piece.begin);
  Example example;
  example.is_document = true;
  example.prompt.tokens.assign(begin, begin + static_cast<std::ptrdiff_t>(piece.length));
  example.weight.assign(piece.length, weight_);
  return example;
}

std::string TextSource::place(std::size_t index) const {
  return fmt::format("piece {} of {}", index + 1, names_[pieces_[index].part]);
}

}  // namespace herd::train
