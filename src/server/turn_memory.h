// What the model wrote in turns with tool calls, token for token, found again by the ids of the calls. A client sends
// such a turn back as names and arguments; printed anew they would often be other tokens, and the cached prefix would
// end in front of them. A turn is taken for the same only where the client sends what it was given.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/answer.h"
#include "text/conversation.h"

namespace herd::server {

// A turn as the client was given it, and as it was written.
struct SaidTurn {
  std::string tenant;  // the id of the key that asked
  std::string text;
  std::vector<text::ToolCall> calls;  // at least one, each with an id
  std::vector<std::int32_t> tokens;   // without the one that ended the turn
};

// Keeps the latest; any thread.
class TurnMemory {
 public:
  static constexpr std::size_t turns_max = 4096, tokens_max = 4 << 20;

  void add(SaidTurn turn);
  // The same of a turn with calls that ended by itself; nothing otherwise. Of one that was cut (`cut`: by the server)
  // the client has another part than was written.
  void add_whole(SaidTurn turn, const std::string& tenant, const engine::Answer& answer, bool cut);
  // Puts the tokens into the assistant's messages that are turns said to this tenant.
  void recall(std::string_view tenant, text::Conversation& conversation);

 private:
  void drop_last();

  std::mutex mutex_;
  std::list<SaidTurn> turns_;  // latest first
  std::unordered_map<std::string, std::list<SaidTurn>::iterator> by_first_call_;
  std::size_t tokens_ = 0;
};

}  // namespace herd::server
