// A conversation with the pictures it shows, as the surfaces describe one; every member of every message is looked at.
#pragma once

#include <string>
#include <vector>

#include "grammar/tool_calls.h"
#include "media/image.h"
#include "server/fields.h"
#include "text/conversation.h"

namespace herd::server {

struct ReadConversation {
  text::Conversation conversation;
  std::vector<media::Image> images;      // in the order of the messages' parts
  std::vector<bool> low_detail;          // each image: as one tile
  std::vector<std::string> tools;        // names
  std::vector<grammar::Tool> described;  // the same, with what their arguments have to be
};

// `messages` of OpenAI's chat completions (spec/api.md 2.2): all roles and kinds of parts; what a model cannot be given
// (audio, files) is refused. Mistakes go to `problem`.
ReadConversation read_openai_messages(const json::array& messages, Problem& problem);

// `tools` of the same, into conversation.tools and the list of names. Custom tools are refused.
void read_openai_tools(const json::array& tools, ReadConversation& out, Problem& problem);

// `system`, `messages` and `tools` of Anthropic's messages (spec/api.md 2.7). Neighbouring messages of one role become
// one; results of tools become messages of their own, in front of what the user says beside them.
ReadConversation read_anthropic_messages(const json::value* system, const json::array& messages,
                                         const json::array* tools, Problem& problem);

// Whether a tool may be called so: 1 to 64 letters, digits, '_', '-' or '.', and nobody before it. If not, that is the
// problem.
bool check_tool_name(Fields& fields, const std::string& name, const ReadConversation& out);

// The schema of a tool's arguments, which are an object whatever it says; without parameters there are none.
json::value arguments_schema(const json::object* parameters);

// A picture from its bytes, or a problem at `param`. Counts towards the limits of one request.
void add_picture(ReadConversation& out, std::vector<std::byte> bytes, bool low_detail,
                 const std::string& param, Problem& problem);

}  // namespace herd::server
