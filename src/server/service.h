// What every endpoint answers with: one model and its engine, and the rules of this server. Made once, read by all
// threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "engine/bundle.h"
#include "engine/engine.h"
#include "engine/grammars.h"
#include "server/adapters.h"
#include "server/conversation_reader.h"
#include "server/http.h"
#include "server/keys.h"
#include "server/picture_fetch.h"
#include "server/turn_memory.h"

namespace herd::server {

struct ServiceOptions {
  std::string model_id = {};     // what clients call the model
  std::int64_t created = 0;      // seconds since 1970, of the model's file
  std::string fingerprint = {};  // names weights, build and kernels
  std::string version = {};
  bool accept_unknown = false;  // members of requests that nobody knows are ignored, not refused
  bool loopback = true;         // listens on this machine alone: Host must name it
  // Names that Host may have besides; empty: all, where not loopback.
  std::vector<std::string> hosts = {};
  FetchOptions pictures = {};             // by address: off unless hosts are named
  std::vector<std::string> origins = {};  // whose pages may ask; check_cors_origin() has seen them
};

// What a request calls its model: the model itself, or one of its adapters.
struct AskedModel {
  std::string id = {};
  std::string fingerprint = {};  // names weights, build, kernels and the adapter
};

// What is being answered, as far as the server ends it. From any thread.
class Ending {
 public:
  virtual ~Ending() = default;
  // The id of the key that asked.
  [[nodiscard]] virtual const std::string& key() const = 0;
  virtual void fail(ApiError error) = 0;
};

class Service {
 public:
  // All must outlive it; `keys` may be null: then everybody may enter; `adapters` too: then there are none.
  Service(const engine::Bundle& bundle, engine::Engine& engine, Keys* keys, ServiceOptions options,
          Adapters* adapters = nullptr)
      : bundle_(bundle),
        engine_(engine),
        keys_(keys),
        adapters_(adapters),
        options_(std::move(options)),
        pictures_(options_.pictures),
        grammars_(
            std::make_unique<engine::Grammars>(bundle.tokenizer, bundle.config.text.vocabulary)),
        turns_(std::make_unique<TurnMemory>()) {
    for (std::int32_t id = 0; id < bundle.tokenizer.size(); ++id)
      longest_token_ = std::max(longest_token_, bundle.tokenizer.bytes_of(id).size());
  }

  [[nodiscard]] const engine::Bundle& bundle() const { return bundle_; }
  [[nodiscard]] engine::Engine& engine() const { return engine_; }
  [[nodiscard]] engine::Grammars& grammars() const { return *grammars_; }
  [[nodiscard]] TurnMemory& turns() const { return *turns_; }
  [[nodiscard]] Keys* keys() const { return keys_; }
  [[nodiscard]] Adapters* adapters() const { return adapters_; }
  [[nodiscard]] const ServiceOptions& options() const { return options_; }
  [[nodiscard]] const PictureFetcher& pictures() const { return pictures_; }
  [[nodiscard]] std::int64_t context() const { return engine_.options().context; }

  // The prompt of a conversation, up to where the assistant speaks and behind that what it has said already. Its turns
  // with calls should be recalled first: turns().recall().
  // Fails with the errors of the renderer and of the pictures.
  [[nodiscard]] ApiResult<engine::Prompt> chat_prompt(const ReadConversation& read,
                                                      std::string_view said_already = {}) const;
  // The same as text, special tokens by name.
  [[nodiscard]] ApiResult<text::Prompt> rendered(const ReadConversation& read) const;

  // How many tokens an answer may have: `wanted`, which must fit beside the prompt, or whatever does.
  // Fails with context_length_exceeded, the numbers in its message.
  [[nodiscard]] ApiResult<std::int64_t> answer_tokens(std::int64_t prompt_tokens,
                                                      std::optional<std::int64_t> wanted,
                                                      std::string_view param,
                                                      std::string_view of = "messages") const;

  // Fails with model_not_found, the served one named.
  [[nodiscard]] ApiResult<> check_model(std::string_view model) const;
  // The same, and gives the request the adapters that the name means: the last thing to be done for it, as they may
  // have to be loaded. Fails as Adapters::get too.
  [[nodiscard]] ApiResult<AskedModel> asked_model(std::string_view model,
                                                  engine::Request& request) const;

  // What is being answered, so that a key's revocation can end it.
  void remember(const std::shared_ptr<Ending>& answers);  // shared with their connections
  // Ends the answers of keys that are no longer valid. To be called a few times a second.
  void end_revoked();
  // Ends all of them: the server does.
  void end_all();

  // For /metrics.
  struct Counters {
    std::atomic<std::uint64_t> requests = 0, errors_client = 0, errors_server = 0, unauthorized = 0;
  };
  Counters counters;
  // The sockets, once they are there, for their counters.
  std::atomic<const HttpServer*> http = nullptr;

 private:
  const engine::Bundle& bundle_;
  engine::Engine& engine_;
  Keys* keys_;
  Adapters* adapters_;
  ServiceOptions options_;
  PictureFetcher pictures_;
  std::unique_ptr<engine::Grammars> grammars_;
  std::unique_ptr<TurnMemory> turns_;
  std::size_t longest_token_ = 1;  // bytes
  // Shared with their connections.
  std::vector<std::shared_ptr<Ending>> live_answers();

  std::mutex mutex_;
  std::list<std::weak_ptr<Ending>> live_;
};

}  // namespace herd::server
