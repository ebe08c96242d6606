#include "text/stream_decoder.h"

#include "text/utf8.h"

namespace herd::text {

std::string StreamDecoder::push(std::int32_t id) {
  if (skip_special_ && tokenizer_->is_special(id)) return {};
  held_ += tokenizer_->bytes_of(id);
  const std::size_t tail = incomplete_tail(held_);
  std::string out = replace_invalid_utf8(std::string_view(held_).substr(0, held_.size() - tail));
  held_.erase(0, held_.size() - tail);
  return out;
}

std::string StreamDecoder::finish() {
  std::string out = replace_invalid_utf8(held_);
  held_.clear();
  return out;
}

}  // namespace herd::text
