#include "server/turn_memory.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace herd::server {
namespace {

bool is_the_same(const SaidTurn& said, const text::Message& message) {
  const auto same_call = [](const text::ToolCall& a, const text::ToolCall& b) {
    return a.id == b.id && a.name == b.name && a.arguments == b.arguments;
  };
  return message.text() == said.text &&
         std::ranges::equal(said.calls, message.tool_calls, same_call);
}

}  // namespace

void TurnMemory::add(SaidTurn turn) {
  HERD_CHECK(!turn.calls.empty() && !turn.calls.front().id.empty(), "a turn without calls");
  const std::lock_guard lock(mutex_);
  tokens_ += turn.tokens.size();
  turns_.push_front(std::move(turn));
  by_first_call_[turns_.front().calls.front().id] = turns_.begin();
  while (turns_.size() > turns_max || (tokens_ > tokens_max && turns_.size() > 1)) drop_last();
}

void TurnMemory::add_whole(SaidTurn turn, const std::string& tenant, const engine::Answer& answer,
                           bool cut) {
  const bool ended =
      answer.finish_reason == engine::FinishReason::stop && answer.stop_string.empty();
  if (!ended || cut || turn.calls.empty()) return;
  turn.tenant = tenant;
  turn.tokens = answer.tokens;
  add(std::move(turn));
}

void TurnMemory::recall(std::string_view tenant, text::Conversation& conversation) {
  for (text::Message& message : conversation.messages) {
    if (message.role != text::Role::assistant || message.tool_calls.empty()) continue;
    const std::lock_guard lock(mutex_);
    const auto found = by_first_call_.find(message.tool_calls.front().id);
    if (found == by_first_call_.end()) continue;
    const SaidTurn& said = *found->second;
    if (said.tenant != tenant || !is_the_same(said, message)) continue;
    message.written = said.tokens;
    turns_.splice(turns_.begin(), turns_, found->second);
  }
}

void TurnMemory::drop_last() {
  tokens_ -= turns_.back().tokens.size();
  by_first_call_.erase(turns_.back().calls.front().id);
  turns_.pop_back();
}

}  // namespace herd::server
