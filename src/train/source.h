// Where examples come from: an endless numbered row of them. Number i is always the same example, so a training that is
// taken up again needs to remember one number.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "engine/bundle.h"
#include "train/example.h"
#include "train/shuffle.h"
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

  // How many tokens of an example are learned from, on average, when it is cut to `length_max`; those that teach
  // nothing count as none. Looks at the first examples.
  [[nodiscard]] virtual Result<double> mean_tokens(std::int64_t length_max) const;
};

// How much it counts that a token is predicted; what an assistant says counts 1.
struct Weights {
  float prompt = 0;    // what it reads
  float document = 1;  // texts without speakers
};

// What of the generated world: a stage's mixture, or some tasks in turn.
struct WorldChoice {
  std::optional<world::Mixture> mixture = {};
  std::vector<const world::Task*> tasks = {};  // if any, instead of the mixture
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

// A file, repeated for ever in an order that is shuffled anew each time round.
class FileSource : public Source {
 public:
  explicit FileSource(std::uint64_t seed) : seed_(seed) {}

  [[nodiscard]] Result<Example> at(std::uint64_t index) const final;
  [[nodiscard]] Result<double> mean_tokens(std::int64_t length_max) const final;

  [[nodiscard]] virtual std::size_t examples() const = 0;
  // In the file's order.
  [[nodiscard]] virtual Example example(std::size_t index) const = 0;
  // "line 7" of example 6: where a user finds it.
  [[nodiscard]] virtual std::string place(std::size_t index) const = 0;

  // How many tokens one round learns from, and which examples it leaves out because they are too long or have no token
  // that counts.
  struct Round {
    std::int64_t tokens = 0;
    std::vector<std::size_t> left_out;
  };
  [[nodiscard]] Round round(std::int64_t length_max) const;

 private:
  std::uint64_t seed_;
  mutable std::once_flag counted_;
  mutable std::optional<Rounds> rounds_;
};

// A file of JSON lines. A line is an object with "text", or with "messages" (and "tools") as the chat surface takes
// them; pictures are paths relative to the file.
class JsonLinesSource final : public FileSource {
 public:
  using FileSource::FileSource;  // empty: see open()

  // Reads and checks the whole file; every bad line is named, up to twenty. Fails with missing_input, io_failed or
  // training_data_invalid.
  static Result<std::unique_ptr<JsonLinesSource>> open(const engine::Bundle& bundle,
                                                       const fs::path& path, std::uint64_t seed,
                                                       Weights weights);

  [[nodiscard]] std::size_t examples() const override { return examples_.size(); }
  [[nodiscard]] Example example(std::size_t index) const override { return examples_[index]; }
  [[nodiscard]] std::string place(std::size_t index) const override;

 private:
  std::vector<Example> examples_;
  std::vector<std::size_t> line_numbers_;  // of the examples, from 1
};

}  // namespace herd::train
