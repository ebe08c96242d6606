// A conversation kept in a file: OpenAI's messages, pictures by path.
#pragma once

#include "base/file.h"
#include "text/conversation.h"

namespace herd::cli {

// A message of plain text.
text::Message text_message(text::Role role, std::string text);

// Picture parts carry a path. Fails with the errors of write_file.
Result<void> save_conversation(const text::Conversation& conversation, const fs::path& path);

// Fails with the errors of read_json and parse_conversation.
Result<text::Conversation> load_conversation(const fs::path& path);

}  // namespace herd::cli
