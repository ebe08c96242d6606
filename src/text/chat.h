// A conversation becomes the prompt that a Llama 4 model was trained on: token ids, and the same as text.
//
// Provenance decides what is a control token: headers, ends of turns and picture places come from the renderer, as ids;
// whatever a user, a tool or a definition of a tool says is encoded as text, so "<|eot|>" in it stays text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "text/chat_template.h"
#include "text/conversation.h"
#include "text/tokenizer.h"

namespace herd::text {

struct RenderOptions {
  bool add_generation_prompt = true;  // end with the header of the answer
  bool tools_in_user_message = true;  // release, json: definitions go into the first user message
};

// A run of ids, or the place of a picture.
struct Segment {
  std::vector<std::int32_t> ids;
  std::optional<int> image;  // index into Prompt::images; ids is empty then
};

struct Prompt {
  std::vector<Segment> segments;
  std::vector<std::string> images;  // sources of the pictures, in order of appearance
  std::string text;  // the same prompt; special tokens by name, "<|image|>" for a picture

  // All ids, with `<|image|>` itself at the place of every picture; what a template and its tokenizer would give.
  [[nodiscard]] std::vector<std::int32_t> ids(std::int32_t image_token) const;
};

class ChatRenderer {
 public:
  // The tokenizer must outlive the renderer. Fails with tokenizer_invalid when it lacks a special token of the format.
  static Result<ChatRenderer> create(const Tokenizer& tokenizer, ChatFormat format);

  // Fails with conversation_invalid when the conversation has no place that the format needs (a first user message for
  // the definitions of tools).
  [[nodiscard]] Result<Prompt> render(const Conversation& conversation,
                                      const RenderOptions& options = {}) const;

  [[nodiscard]] const ChatFormat& format() const { return format_; }

 private:
  ChatRenderer(const Tokenizer& tokenizer, ChatFormat format)
      : tokenizer_(&tokenizer), format_(std::move(format)) {}

  const Tokenizer* tokenizer_;
  ChatFormat format_;
};

}  // namespace herd::text
