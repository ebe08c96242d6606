// A chat template and a conversation from anywhere. The first line of the input is the template, the rest the request.
#include "base/bytes.h"
#include "fuzz/text_oracles.h"
#include "text/chat.h"

namespace {

// Ids and text say the same, and control tokens are only those the renderer put there.
void check_prompt(const herd::text::Prompt& prompt) {
  const herd::text::Tokenizer& tokenizer = herd::fuzz::byte_tokenizer();
  const auto ids = prompt.ids(*tokenizer.special("<|image|>"));
  HERD_CHECK(tokenizer.decode(ids, false) == prompt.text);
  std::size_t starts = 0;
  std::size_t ends = 0;
  std::size_t images = 0;
  for (const herd::text::Segment& segment : prompt.segments) {
    HERD_CHECK(segment.image.has_value() == segment.ids.empty());
    if (segment.image) {
      HERD_CHECK(*segment.image == static_cast<int>(images));
      ++images;
    }
    for (const std::int32_t id : segment.ids) {
      starts += id == *tokenizer.special("<|header_start|>");
      ends += id == *tokenizer.special("<|header_end|>");
      HERD_CHECK(id != *tokenizer.special("<|image|>"));
      HERD_CHECK(starts == ends || starts == ends + 1);
    }
  }
  HERD_CHECK(images == prompt.images.size() && starts == ends);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  using text::ChatVersion;
  const std::string_view input = text_of({data, size});
  const std::size_t line = std::min(input.find('\n'), input.size());
  const text::ChatFormat format = text::recognise_chat_template(input.substr(0, line));
  HERD_CHECK(text::recognise_chat_template(input).version <= ChatVersion::vllm_json);

  const auto request = parse_json(input.substr(std::min(line + 1, input.size())));
  if (!request) return 0;
  const auto conversation = text::parse_conversation(*request);
  if (!conversation) {
    HERD_CHECK(!conversation.error().message.empty());
    return 0;
  }
  for (const auto version : {ChatVersion::basic, ChatVersion::release, ChatVersion::pythonic,
                             ChatVersion::json, ChatVersion::vllm_json})
    for (const bool in_user : {true, false}) {
      const auto renderer =
          text::ChatRenderer::create(fuzz::byte_tokenizer(), {version, format.texts, {}});
      HERD_CHECK(renderer);
      const auto prompt = renderer->render(*conversation, {.tools_in_user_message = in_user});
      if (prompt) check_prompt(*prompt);
    }
  return 0;
}
