#include "cli/text_prompt.h"

#include "cli/conversation_file.h"
#include "cli/media_input.h"

namespace herd::cli {

Result<engine::Prompt> make_prompt(const TextPrompt& said, const engine::Bundle& bundle) {
  HERD_TRY(const std::vector<media::Image> images, read_images(said.images));
  if (!said.chat) {
    engine::Prompt prompt = bundle.raw_prompt("");
    for (const media::Image& image : images) {
      HERD_TRY(media::Tiles tiles, bundle.cut(image));
      HERD_TRY_VOID(bundle.append_picture(prompt, std::move(tiles)));
    }
    bundle.tokenizer.append(said.text, text::SpecialTokens::as_text, prompt.tokens);
    return prompt;
  }
  text::Conversation conversation;
  if (!said.system.empty())
    conversation.messages.push_back(text_message(text::Role::system, said.system));
  text::Message user = text_message(text::Role::user, said.text);
  for (const std::string& path : said.images)
    user.parts.insert(user.parts.end() - 1, {text::ContentPart::Kind::image, path});
  user.parts_listed = !images.empty();
  conversation.messages.push_back(std::move(user));
  return bundle.chat_prompt(conversation, images);
}

}  // namespace herd::cli
