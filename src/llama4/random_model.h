// A checkpoint whose numbers mean nothing and whose shape is true: for measuring speed and for breaking things. Weights
// are normal with standard deviation 1 / sqrt(inputs), so that activations stay of order one through any depth; norms
// are one, biases zero.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "base/file.h"
#include "base/thread_pool.h"
#include "llama4/tensor_list.h"

namespace herd::llama4 {

// The numbers of one tensor. Number i depends on (seed, canonical name, i) and on nothing else: neither on other
// tensors nor on who computes which part.
class RandomTensor {
 public:
  // dtype is f32, f16 or bf16.
  RandomTensor(const ListedTensor& tensor, DType dtype, std::uint64_t seed);

  // Numbers first, first + 1, ... as they stand in a file. first is a multiple of numbers_per_draw.
  void fill(std::int64_t first, std::span<std::byte> out) const;

  static constexpr std::int64_t numbers_per_draw = 4;

 private:
  template <typename Number>
  void fill_as(const std::vector<Number>& quantiles, std::int64_t first,
               std::span<std::byte> out) const;

  DType dtype_;
  std::uint64_t stream_;  // of the generator, from the seed and the name
  // What each 16 random bits become: the quantiles of the distribution, in the file's type. One of the two is filled.
  std::vector<std::uint16_t> narrow_;
  std::vector<float> wide_;
};

struct RandomModel {
  Config config;
  DType dtype = DType::bf16;
  std::uint64_t seed = 0;
  std::uint64_t shard_bytes_max = 4'000'000'000;

  [[nodiscard]] std::uint64_t weight_bytes() const;
};

// Called with bytes just written.
using WroteBytes = std::function<void(std::uint64_t)>;

// Writes weights, config.json and generation_config.json into an existing, empty directory. Memory stays below 100 MiB.
// Fails with cannot_create or io_failed.
Result<void> write_random_model(const RandomModel& model, const fs::path& directory,
                                ThreadPool& pool, const WroteBytes& wrote = {});

}  // namespace herd::llama4
