// Bodies of chat completions and of messages, as far as a conversation can be read without a model. A refusal names its
// place and can be told; what is taken can be rendered, or is refused by the renderer.
#include "base/bytes.h"
#include "base/check.h"
#include "fuzz/text_oracles.h"
#include "server/conversation_reader.h"
#include "server/generation_options.h"
#include "text/chat.h"

namespace herd::fuzz {
namespace {

using server::ApiError;
using server::Problem;
using server::ReadConversation;
using server::Surface;

void check_error(const ApiError& error) {
  HERD_CHECK(error.status >= 400 && error.status < 500, "{} {}", error.status, error.message);
  HERD_CHECK(!error.code.empty() && !error.message.empty());
  for (const Surface surface : {Surface::openai, Surface::anthropic}) {
    const auto told = server::error_response(error, surface, "req_1");
    const auto body = parse_json(told.body);
    HERD_CHECK(body && find(*body, "error") != nullptr, "{}", told.body);
    for (const auto& header : told.headers)
      HERD_CHECK(header.value.find_first_of("\r\n") == std::string::npos);
  }
}

void check_read(const ReadConversation& read) {
  HERD_CHECK(read.images.size() <= limits::images_max);
  HERD_CHECK(read.images.size() == read.low_detail.size());
  const auto renderer = text::ChatRenderer::create(byte_tokenizer(), {});
  HERD_CHECK(renderer);
  const auto prompt = renderer->render(read.conversation);
  if (!prompt) check_error(server::api_error(prompt.error(), "messages"));
}

}  // namespace
}  // namespace herd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herd;
  using fuzz::check_error;
  using fuzz::check_read;
  using server::Problem;
  using server::ReadConversation;
  const auto body = server::parse_body(text_of({data, size}));
  if (!body) {
    check_error(body.error());
    return 0;
  }
  const json::value whole = *body;
  const json::value* messages = find(whole, "messages");
  const json::value* tools = find(whole, "tools");
  if (messages == nullptr || !messages->is_array()) return 0;
  const json::array* tool_list =
      tools != nullptr && tools->is_array() ? &tools->get_array() : nullptr;
  {
    Problem problem;
    ReadConversation read = server::read_openai_messages(messages->get_array(), problem);
    if (tool_list != nullptr && !problem) server::read_openai_tools(*tool_list, read, problem);
    problem ? check_error(problem.error().error()) : check_read(read);
  }
  Problem problem;
  const ReadConversation read = server::read_anthropic_messages(
      find(whole, "system"), messages->get_array(), tool_list, problem);
  problem ? check_error(problem.error().error()) : check_read(read);
  return 0;
}
