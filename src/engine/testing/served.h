// Requests of every kind under random load against the engine's steps, each answer compared with the one that
// generate() gives to the same request alone, by a model that has the request's adapters as its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "engine/stepper.h"
#include "llama4/load.h"

namespace herd::engine {

struct ServedResult {
  std::string wrong;            // the first difference; empty when there was none
  std::int64_t pages_lost = 0;  // not given back when all had ended
  std::int64_t answers = 0, cancelled = 0;
  std::int64_t forced = 0;   // tokens that a grammar left no choice about
  std::int64_t adapted = 0;  // answers of requests with adapters
  EngineState state;
};

class Served {
 public:
  // `model` of models or tests/data/models in the repository at `root`, with cria's tokenizer.
  Served(const fs::path& root, const std::string& model);
  ~Served();

  // `requests` requests; options of the engine, load and cancellations follow from the seed.
  ServedResult run(std::uint64_t seed, std::int64_t requests,
                   const PrefixStoreOptions* store = nullptr);

 private:
  struct Case;
  Case make_case(std::uint64_t seed, std::uint64_t number, std::int64_t context) const;
  Result<Answer> alone(const Request& request, std::int64_t context,
                       std::vector<TokenEvent>& events);
  std::string compare(const Request& request, std::int64_t context, bool given_up,
                      const Listener& listener);
  std::string compare_prompt(const Request& request, std::int64_t context,
                             std::span<const TokenEvent> found);

  // Adapters that requests may bring, and the model that has them from its opening.
  struct Adapted {
    std::shared_ptr<const llama4::LoadedAdapters> brought;  // shared with requests
    std::unique_ptr<llama4::Loaded> model;
    std::unique_ptr<llama4::LoadedAdapters> own;
  };
  [[nodiscard]] std::shared_ptr<const llama4::LoadedAdapters> some_adapters(  // shared, as above
      std::uint64_t seed, std::uint64_t number) const;
  [[nodiscard]] const llama4::Model& model_for(const Request& request) const;

  ThreadPool pool_{2};
  std::unique_ptr<llama4::Loaded> loaded_;
  std::vector<Adapted> adapted_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::vector<AnswerGrammarPtr> grammars_;  // that answers may have to follow
};

}  // namespace herd::engine
