#include "train/render.h"

#include <algorithm>
#include <map>

#include "text/chat.h"

namespace herd::train {
namespace {

// Renders and counts; pictures are cut once.
class Rendering {
 public:
  Rendering(const engine::Bundle& bundle, const text::ChatRenderer& renderer,
            const FindPicture& find_picture)
      : bundle_(bundle), renderer_(renderer), find_picture_(find_picture) {}

  // The prompt of messages [0, count), up to where the assistant speaks or as they stand.
  Result<engine::Prompt> prompt(const text::Conversation& conversation, std::size_t count,
                                bool assistant_speaks) {
    text::Conversation part{
        .messages = {conversation.messages.begin(),
                     conversation.messages.begin() + static_cast<std::ptrdiff_t>(count)},
        .tools = conversation.tools};
    text::RenderOptions options;
    options.add_generation_prompt = assistant_speaks;
    HERD_TRY(const text::Prompt rendered, renderer_.render(part, options));
    engine::Prompt out;
    for (const text::Segment& segment : rendered.segments) {
      out.tokens.insert(out.tokens.end(), segment.ids.begin(), segment.ids.end());
      if (!segment.image) continue;
      const std::string& source = rendered.images[static_cast<std::size_t>(*segment.image)];
      auto [cut, is_new] = tiles_.try_emplace(source);
      if (is_new) {
        HERD_TRY(const media::Image image, find_picture_(source));
        HERD_TRY(cut->second, bundle_.cut(image));
      }
      HERD_TRY_VOID(bundle_.append_picture(out, cut->second));
    }
    return out;
  }

 private:
  const engine::Bundle& bundle_;
  const text::ChatRenderer& renderer_;
  const FindPicture& find_picture_;
  std::map<std::string, media::Tiles> tiles_;
};

}  // namespace

Result<Example> example_of_chat(const engine::Bundle& bundle,
                                const text::Conversation& conversation,
                                const FindPicture& find_picture, float prompt_weight) {
  HERD_TRY(const text::ChatRenderer renderer,
           text::ChatRenderer::create(bundle.tokenizer, bundle.chat_format));
  Rendering rendering(bundle, renderer, find_picture);
  const std::vector<text::Message>& messages = conversation.messages;
  Example example;
  HERD_TRY(example.prompt, rendering.prompt(conversation, messages.size(), false));
  const std::vector<std::int32_t>& tokens = example.prompt.tokens;
  example.weight.assign(tokens.size(), prompt_weight);
  bool speaks = false;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role != text::Role::assistant) continue;
    HERD_TRY(const engine::Prompt before, rendering.prompt(conversation, i, true));
    const bool is_last = i + 1 == messages.size();
    std::size_t end = tokens.size();
    if (!is_last) {
      HERD_TRY(const engine::Prompt after, rendering.prompt(conversation, i + 1, false));
      end = after.tokens.size();
    }
    const bool continues = before.tokens.size() <= end && end <= tokens.size() &&
                           std::equal(before.tokens.begin(), before.tokens.end(), tokens.begin());
    if (!continues)
      return fail(Code::conversation_invalid,
                  "messages[{}]: this chat format shows what comes before the answer differently "
                  "once it is given, so it cannot be learned from",
                  i);
    std::fill(example.weight.begin() + static_cast<std::ptrdiff_t>(before.tokens.size()),
              example.weight.begin() + static_cast<std::ptrdiff_t>(end), 1.0f);
    speaks = true;
  }
  if (!speaks)
    return fail(Code::conversation_invalid, "no message is the assistant's: nothing to learn");
  for (const std::int64_t patch : example.prompt.patches)
    example.weight[static_cast<std::size_t>(patch)] = 0;
  return example;
}

Example example_of_text(const engine::Bundle& bundle, std::string_view text, float weight) {
  Example example{.prompt = bundle.raw_prompt(text), .weight = {}, .is_document = true};
  if (const auto end = bundle.tokenizer.special("<|end_of_text|>"))
    example.prompt.tokens.push_back(*end);
  example.weight.assign(example.prompt.tokens.size(), weight);
  return example;
}

}  // namespace herd::train
