// Where examples come from: an endless numbered row of them. Number i is always the same example, so a training that is
// taken up again needs to remember one number.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "engine/bundle.h"
#include "train/example.h"
#include "world/mixture.h"

namespace herd::train {

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  // May be called from several threads at once.
  [[nodiscard]] virtual Result<Example> at(std::uint64_t index) const = 0;
};

// How much it counts that a token is predicted; what an assistant says counts 1.
struct Weights {
  float prompt = 0;    // what it reads
  float document = 1;  // texts without speakers
};

// What of the generated world: a stage's mixture, or some tasks in turn.
struct WorldChoice {
  const world::Stage* stage = nullptr;
  std::vector<const world::Task*> tasks = {};  // if any, instead of the stage's
  world::Sizes sizes = {};                     // of these tasks
};

// Samples of the generated world (src/world).
class WorldSource final : public Source {
 public:
  // `bundle` must outlive the source.
  WorldSource(const engine::Bundle& bundle, WorldChoice choice, std::uint64_t seed, Weights weights,
              world::Split split = world::Split::train)
      : bundle_(bundle),
        choice_(std::move(choice)),
        seed_(seed),
        weights_(weights),
        split_(split) {}

  [[nodiscard]] Result<Example> at(std::uint64_t index) const override;

 private:
  const engine::Bundle& bundle_;
  WorldChoice choice_;
  std::uint64_t seed_;
  Weights weights_;
  world::Split split_;
};

// One sample as an example.
Result<Example> example_of_sample(const engine::Bundle& bundle, const world::Sample& sample,
                                  Weights weights);

// A file of JSON lines, repeated for ever in an order that is shuffled anew each time round. A line is an object with
// "text", or with "messages" (and "tools") as the chat surface takes them; pictures are paths relative to the file.
class JsonLinesSource final : public Source {
 public:
  explicit JsonLinesSource(std::uint64_t seed) : seed_(seed) {}  // empty: see open()

  // Reads and checks the whole file; every bad line is named, up to twenty. Fails with missing_input, io_failed or
  // training_data_invalid.
  static Result<std::unique_ptr<JsonLinesSource>> open(const engine::Bundle& bundle,
                                                       const fs::path& path, std::uint64_t seed,
                                                       Weights weights);

  [[nodiscard]] Result<Example> at(std::uint64_t index) const override;
  [[nodiscard]] std::size_t lines() const { return examples_.size(); }

  // How many tokens one round learns from, and which lines it leaves out because they are too long or have no token
  // that counts.
  struct Round {
    std::int64_t tokens = 0;
    std::vector<std::size_t> left_out;  // numbers of lines, from 1
  };
  [[nodiscard]] Round round(std::int64_t length_max) const;

 private:
  std::uint64_t seed_;
  std::vector<Example> examples_;
  std::vector<std::size_t> line_numbers_;  // of the examples, from 1
  // The order of the round that was asked for last.
  mutable std::mutex ordering_;
  mutable std::uint64_t round_ = 0;
  mutable std::vector<std::uint32_t> order_;
};

}  // namespace herd::train
