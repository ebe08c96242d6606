#include "world/weight.h"

#include "text/python_text.h"
#include "world/turns.h"

namespace herd::world {

double text_bytes_of(const Sample& sample) {
  constexpr int definition_indent = 4;  // as the chat format prints it
  std::size_t bytes = sample.text.size();
  if (sample.conversation.tools)
    for (const json::value& tool : *sample.conversation.tools)
      bytes += text::python_json(tool, definition_indent).size();
  for (const text::Message& message : sample.conversation.messages) {
    for (const text::ContentPart& part : message.parts)
      if (part.kind == text::ContentPart::Kind::text) bytes += part.text.size();
    if (!message.tool_calls.empty()) bytes += json_line(calls_json(message.tool_calls)).size();
    if (message.role == text::Role::tool) bytes += json_line(message.result).size();
  }
  return static_cast<double>(bytes);
}

double bytes_of(const Sample& sample) {
  constexpr std::int64_t side = 112;
  double bytes = text_bytes_of(sample);
  for (const media::Image& picture : sample.pictures) {
    const std::int64_t rows = (picture.height + side - 1) / side;
    const std::int64_t columns = (picture.width + side - 1) / side;
    const std::int64_t tiles =
        rows * columns == 1 ? 1 : rows * columns + 1;  // and the whole, small
    bytes += static_cast<double>(tiles) * tokens_per_tile * bytes_per_token;
  }
  return bytes;
}

}  // namespace herd::world
