// What stands beside the weights in a model's directory and turns conversations into prompts: the tokenizer, the chat
// format, how pictures are cut, and the sampling the model's makers recommend.
#pragma once

#include <span>
#include <string_view>

#include "base/file.h"
#include "engine/prompt.h"
#include "engine/sampler.h"
#include "llama4/config.h"
#include "media/image.h"
#include "media/layout.h"
#include "media/preprocess.h"
#include "text/chat.h"
#include "text/tokenizer.h"

namespace herd::engine {

struct Bundle {
  text::Tokenizer tokenizer;
  text::ChatFormat chat_format;
  media::PreprocessOptions pictures;
  llama4::Config config;
  SamplingOptions sampling;               // defaults: generation_config.json's
  std::vector<std::int32_t> stop_tokens;  // the configuration's and the tokenizer's
  std::vector<std::string> notes;
  bool is_file = false;  // GGUF, whose vision encoder is another file

  // Of a directory, or of a GGUF file. Fails with the errors of the files.
  static Result<Bundle> open(const fs::path& model, const llama4::Config& config);

  // A picture cut into tiles for this model's encoder. Fails with conversation_invalid when the model sees only text.
  [[nodiscard]] Result<media::Tiles> cut(const media::Image& image) const;

  // Appends a picture's tokens and tiles where the prompt ends now.
  Result<void> append_picture(Prompt& prompt, media::Tiles tiles) const;

  // Plain text: begin-of-text where the model has one, then the words. Special tokens' names in it stay text.
  [[nodiscard]] Prompt raw_prompt(std::string_view text) const;

  // A conversation up to where the assistant speaks. `images` are those its messages show, in order; as many.
  [[nodiscard]] Result<Prompt> chat_prompt(const text::Conversation& conversation,
                                           std::span<const media::Image> images) const;
};

// The tokenizer and the chat format alone, of a directory or a GGUF file.
Result<text::Tokenizer> open_tokenizer(const fs::path& model);
Result<text::ChatFormat> open_chat_format(const fs::path& model);

// How a directory wants pictures cut: its preprocessor_config.json, or else processor_config.json, or Llama 4's way
// where it has neither. Fails with the errors of the file, and with config_invalid where the encoder's tiles are
// others.
Result<media::PreprocessOptions> picture_options(const fs::path& directory,
                                                 const llama4::VisionConfig& vision);

}  // namespace herd::engine
