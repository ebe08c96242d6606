// What stands beside the weights, moved between the two ways of publishing it: a directory's files, a GGUF's metadata.
#pragma once

#include "base/file.h"
#include "base/result.h"
#include "checkpoint/gguf_writer.h"
#include "llama4/config.h"

namespace herd::engine {

// Tokenizer, special tokens, chat template and recommended sampling of a directory as GGUF keys; of a file, its own.
// A model without a tokenizer has none of them: fails with missing_input then.
Result<checkpoint::GgufKeys> word_keys(const fs::path& model, const llama4::Config& config);

// Whether a GGUF file has a tokenizer.
Result<bool> has_words(const fs::path& gguf);

// The files that word_keys was made of, for a Hugging Face directory, out of a GGUF file: tokenizer.json,
// tokenizer_config.json, chat_template.jinja. Fails with tokenizer_invalid where ordinary tokens follow special
// ones, an order that the writer of tokenizer.json does not have, and with the errors of the files.
Result<void> write_word_files(const fs::path& gguf, const fs::path& directory);

}  // namespace herd::engine
