#include "cli/text_windows.h"

#include <algorithm>

#include "cli/json_lines.h"
#include "engine/bundle.h"
#include "text/utf8.h"

namespace herd::cli {
namespace {

constexpr std::uint64_t text_bytes_max = 1ull << 30;

// As many as are wanted.
void add_windows(std::span<const std::int32_t> tokens, std::int32_t begin_of_text,
                 const TextOptions& options, std::vector<Window>& out) {
  const bool has_begin = begin_of_text >= 0;
  const auto size = static_cast<std::size_t>(options.window - (has_begin ? 1 : 0));
  for (std::size_t at = 0; at + 1 < tokens.size(); at += size) {
    if (options.windows > 0 && static_cast<std::int64_t>(out.size()) == options.windows) return;
    Window window;
    if (has_begin) window.push_back(begin_of_text);
    const std::size_t end = std::min(at + size, tokens.size());
    for (std::size_t i = at; i < end; ++i) window.push_back(tokens[i]);
    if (window.size() >= 2) out.push_back(std::move(window));
  }
}

}  // namespace

Result<std::int64_t> window_size(const TextOptions& options, const ModelArguments& model) {
  constexpr std::int64_t usual = 256;
  const std::int64_t size = options.window > 0 ? options.window : model.ctx > 0 ? model.ctx : usual;
  if (size < 2) return fail(Code::out_of_range, "--window is {}, wanted 2 or more", size);
  return size;
}

Result<std::vector<Window>> windows_of(const fs::path& model, const llama4::Config& config,
                                       const TextOptions& options) {
  HERD_TRY(const text::Tokenizer tokenizer, engine::open_tokenizer(model));
  HERD_TRY(const std::string text, read_file(options.file, text_bytes_max));
  if (const auto at = text::first_invalid_utf8(text))
    return fail(Code::invalid_utf8, "{}: byte {} is not UTF-8, wanted a text", options.file, *at);
  std::vector<Window> out;
  const auto add = [&](std::string_view document) {
    add_windows(tokenizer.encode(document, text::SpecialTokens::as_text), config.bos_token, options,
                out);
  };
  if (options.field)
    HERD_TRY_VOID(each_text(options.file, text, text, *options.field, add));
  else
    add(text);
  if (out.empty()) return fail(Code::out_of_range, "{}: has fewer than two tokens", options.file);
  return out;
}

}  // namespace herd::cli
