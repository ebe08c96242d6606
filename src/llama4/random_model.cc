#include "llama4/random_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "base/check.h"
#include "base/json_text.h"
#include "base/rng.h"
#include "checkpoint/safetensors_writer.h"
#include "llama4/config_json.h"
#include "tensor/float_bits.h"

namespace herd::llama4 {
namespace {

constexpr std::size_t levels = 1 << 16;         // values that 16 random bits choose from
constexpr std::int64_t piece = 1 << 16;         // numbers that a thread makes at a time
constexpr std::size_t buffer_bytes = 32 << 20;  // made, then written

// Standard normal quantiles at (i + 1/2) / levels: 16 bits that index it are normal up to 4.2 deviations, at the
// price of a look-up and not of a logarithm and a cosine.
std::vector<float> normal_quantiles() {
  std::vector<float> out(levels);
  double z = 0;
  for (std::size_t i = 0; i < levels / 2; ++i) {
    // Newton's method from the neighbour's quantile, going outwards from the median.
    const double wanted = (static_cast<double>(levels / 2 + i) + 0.5) / static_cast<double>(levels);
    for (int step = 0; step < 6; ++step) {
      const double upper_tail = 0.5 * std::erfc(z / std::numbers::sqrt2);
      const double density =
          std::exp(-0.5 * z * z) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
      z += (wanted - (1.0 - upper_tail)) / density;
    }
    out[levels / 2 + i] = static_cast<float>(z);
    out[levels / 2 - 1 - i] = -static_cast<float>(z);
  }
  return out;
}

// The generator's start for one tensor: FNV-1a of the name, then philox, so that near names and seeds lie far apart.
std::uint64_t stream_of(std::uint64_t seed, std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  const auto words = philox(seed, hash);
  return std::uint64_t{words[0]} << 32 | words[1];
}

// SplitMix64 (Steele, Lea, Flood 2014) at a place of its sequence: a counter-based generator like philox, at a
// quarter of the time for numbers that nobody has to trust.
std::uint64_t split_mix(std::uint64_t stream, std::uint64_t place) {
  std::uint64_t z = stream + (place + 1) * 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

std::uint16_t narrow(float value, DType dtype) {
  return dtype == DType::bf16 ? bf16_of_f32(value) : f16_of_f32(value);
}

// One value, whatever the bits, or normal ones of the tensor's deviation.
std::vector<float> values_of(const ListedTensor& tensor) {
  using Role = ListedTensor::Role;
  if (tensor.role == Role::norm) return std::vector<float>(levels, 1.0f);
  if (tensor.role == Role::bias) return std::vector<float>(levels, 0.0f);
  static const std::vector<float> quantiles = normal_quantiles();
  const double deviation = 1.0 / std::sqrt(static_cast<double>(tensor.fan_in));
  std::vector<float> values(levels);
  std::ranges::transform(quantiles, values.begin(), [&](float z) {
    return static_cast<float>(static_cast<double>(z) * deviation);
  });
  return values;
}

// Makes and writes one tensor after the other.
class Filler {
 public:
  Filler(const RandomModel& model, ThreadPool& pool, const WroteBytes& wrote)
      : model_(model), pool_(pool), wrote_(wrote), buffer_(buffer_bytes) {}

  Result<void> write(const ListedTensor& tensor, checkpoint::SafetensorsWriter& file) {
    const RandomTensor numbers(tensor, model_.dtype, model_.seed);
    const auto element = static_cast<std::int64_t>(row_of(model_.dtype).bytes);
    const auto capacity = static_cast<std::int64_t>(buffer_.size()) / element;
    const std::int64_t total = tensor.shape.elements();
    for (std::int64_t first = 0; first < total; first += capacity) {
      const std::int64_t count = std::min(capacity, total - first);
      pool_.run(count, piece, [&](std::int64_t begin, std::int64_t end, int) {
        numbers.fill(first + begin, part(begin * element, end * element));
      });
      HERD_TRY_VOID(file.write(part(0, count * element)));
      if (wrote_) wrote_(static_cast<std::uint64_t>(count * element));
    }
    return {};
  }

 private:
  std::span<std::byte> part(std::int64_t begin, std::int64_t end) {
    return std::span(buffer_).subspan(static_cast<std::size_t>(begin),
                                      static_cast<std::size_t>(end - begin));
  }

  const RandomModel& model_;
  ThreadPool& pool_;
  const WroteBytes& wrote_;
  std::vector<std::byte> buffer_;
};

std::vector<checkpoint::PlannedTensor> planned(const std::vector<ListedTensor>& tensors,
                                               const RandomModel& model) {
  std::vector<checkpoint::PlannedTensor> out;
  for (const ListedTensor& tensor : tensors)
    out.push_back({published_name(tensor.name, !model.config.vision), model.dtype, tensor.shape});
  return out;
}

}  // namespace

RandomTensor::RandomTensor(const ListedTensor& tensor, DType dtype, std::uint64_t seed)
    : dtype_(dtype), stream_(stream_of(seed, tensor.name)) {
  HERD_CHECK(dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16, "weights of {}",
             row_of(dtype).name);
  wide_ = values_of(tensor);
  if (dtype == DType::f32) return;
  narrow_.resize(levels);
  std::ranges::transform(wide_, narrow_.begin(), [&](float value) { return narrow(value, dtype); });
  wide_.clear();
}

void RandomTensor::fill(std::int64_t first, std::span<std::byte> out) const {
  HERD_CHECK(first % numbers_per_draw == 0, "first is {}", first);
  if (dtype_ == DType::f32)
    fill_as(wide_, first, out);
  else
    fill_as(narrow_, first, out);
}

template <typename Number>
void RandomTensor::fill_as(const std::vector<Number>& quantiles, std::int64_t first,
                           std::span<std::byte> out) const {
  static_assert(levels == 1 << 16);
  const Number* const quantile =
      quantiles.data();  // 16 bits need no check, and it would cost double
  constexpr std::size_t draw_bytes = numbers_per_draw * sizeof(Number);
  auto draw = static_cast<std::uint64_t>(first / numbers_per_draw);
  for (std::size_t at = 0; at < out.size(); at += draw_bytes, ++draw) {
    const std::uint64_t bits = split_mix(stream_, draw);
    const Number numbers[numbers_per_draw] = {quantile[bits & 0xffff],
                                              quantile[bits >> 16 & 0xffff],
                                              quantile[bits >> 32 & 0xffff], quantile[bits >> 48]};
    std::memcpy(out.data() + at, numbers, std::min(draw_bytes, out.size() - at));
  }
}

std::uint64_t RandomModel::weight_bytes() const {
  std::uint64_t bytes = 0;
  for (const ListedTensor& tensor : list_tensors(config))
    bytes += static_cast<std::uint64_t>(tensor.shape.elements()) * row_of(dtype).bytes;
  return bytes;
}

Result<void> write_random_model(const RandomModel& model, const fs::path& directory,
                                ThreadPool& pool, const WroteBytes& wrote) {
  const std::vector<ListedTensor> tensors = list_tensors(model.config);
  const std::vector<checkpoint::PlannedTensor> plan = planned(tensors, model);
  std::vector<std::size_t> begins = checkpoint::split_into_shards(plan, model.shard_bytes_max);
  const std::size_t shards = begins.size();
  if (shards > 1)
    HERD_TRY_VOID(write_file(directory / "model.safetensors.index.json",
                             std::string_view(checkpoint::shard_index_text(plan, begins))));
  begins.push_back(tensors.size());
  Filler filler(model, pool, wrote);
  for (std::size_t shard = 0; shard < shards; ++shard) {
    const std::size_t begin = begins[shard], end = begins[shard + 1];
    HERD_TRY(auto file, checkpoint::SafetensorsWriter::create(
                            directory / checkpoint::shard_name(shard, shards),
                            std::span(plan).subspan(begin, end - begin)));
    for (std::size_t i = begin; i < end; ++i) HERD_TRY_VOID(filler.write(tensors[i], file));
    HERD_TRY_VOID(file.finish());
  }
  Config config = model.config;
  config.torch_dtype = model.dtype == DType::f32   ? "float32"
                       : model.dtype == DType::f16 ? "float16"
                                                   : "bfloat16";
  HERD_TRY_VOID(write_file(directory / "config.json",
                           std::string_view(json_text(config_to_hugging_face(config)))));
  return write_file(directory / "generation_config.json",
                    std::string_view(json_text(generation_to_hugging_face(config))));
}

}  // namespace herd::llama4
