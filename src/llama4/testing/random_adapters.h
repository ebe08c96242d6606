// Adapters of random numbers, for tests: large enough that answers are others.
#pragma once

#include <string>

#include "base/check.h"
#include "base/hash.h"
#include "base/rng.h"
#include "llama4/adapter.h"

namespace herd::llama4 {

// For a model without adapters of its own; the same numbers for every model of this shape.
inline std::unique_ptr<LoadedAdapters> random_adapters(Model& model, const AdapterOptions& options,
                                                       std::uint64_t seed) {
  auto random = std::make_unique<LoadedAdapters>();
  random->options = options;
  random->identity = seed;
  HERD_CHECK(shape_adapters(model, options), "targets");
  for (const AdapterPlace& place : adapter_places(model)) {
    if (!*place.adapter) continue;
    for (auto* matrices : {&place.adapter->a, &place.adapter->b})
      for (Matrix& matrix : *matrices) {
        std::vector<float>& numbers = random->numbers.emplace_back();
        const std::uint64_t stream = fnv1a(place.name) + random->numbers.size();
        for (std::int64_t i = 0; i < matrix.out * matrix.in; ++i)
          numbers.push_back(
              static_cast<float>((uniform(seed, static_cast<std::uint64_t>(i), stream) - 0.5) / 4));
        matrix.data = numbers.data();
      }
    random->places.emplace(place.adapter, *place.adapter);
    *place.adapter =
        nn::Adapter(place.adapter->a[0].in, place.adapter->b[0].out, std::ssize(place.adapter->a));
  }
  return random;
}

// The same as a directory.
inline void write_random_adapters(Model& model, const AdapterOptions& options, std::uint64_t seed,
                                  const fs::path& out) {
  const auto random = random_adapters(model, options, seed);
  make_own(model, *random);
  const auto saved = save_adapters(model, options, "", out);
  HERD_CHECK(saved.has_value(), "{}", to_string(saved.error()));
  for (const AdapterPlace& place : adapter_places(model))
    if (*place.adapter)
      *place.adapter = nn::Adapter(place.adapter->a[0].in, place.adapter->b[0].out,
                                   std::ssize(place.adapter->a));
}

}  // namespace herd::llama4
