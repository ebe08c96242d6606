#include "llama4/names.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

namespace herd::llama4 {
namespace {

// Taken off in this order. transformers 4 wrote language_model.model.*; text-only files have model.*; other writers put one
// more model. before everything.
constexpr std::array<std::string_view, 3> prefixes{"model.", "language_model.", "model."};

float float_from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

// IEEE half, subnormals included.
float float_from_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 31) return float_from_bits(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0) return float_from_bits(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float tiny = static_cast<float>(fraction) * 0x1p-24f;
  return sign != 0 ? -tiny : tiny;
}

// The numbers of a scale as float32; nothing for a type that scales do not come in.
std::optional<std::vector<std::byte>> as_floats(const NamedTensor& tensor) {
  const auto count = static_cast<std::size_t>(tensor.shape.elements());
  std::vector<std::byte> out(count * sizeof(float));
  for (std::size_t i = 0; i < count; ++i) {
    float value = 0;
    std::uint16_t narrow = 0;
    switch (tensor.dtype) {
      case DType::f32:
        std::memcpy(&value, tensor.data + i * 4, 4);
        break;
      case DType::bf16:
        std::memcpy(&narrow, tensor.data + i * 2, 2);
        value = float_from_bits(static_cast<std::uint32_t>(narrow) << 16);
        break;
      case DType::f16:
        std::memcpy(&narrow, tensor.data + i * 2, 2);
        value = float_from_half(narrow);
        break;
      default:
        return std::nullopt;
    }
    std::memcpy(out.data() + i * sizeof(float), &value, sizeof(float));
  }
  return out;
}

bool is_scale(std::string_view canonical) { return canonical.ends_with(".weight_scale"); }

}  // namespace

std::string canonical_name(std::string_view stored) {
  if (stored.ends_with("rotary_emb.inv_freq")) return {};
  for (std::string_view prefix : prefixes)
    if (stored.starts_with(prefix)) stored.remove_prefix(prefix.size());
  return std::string(stored);
}

Result<TensorMap> canonical_tensors(const checkpoint::Store& store, const Config& config) {
  TensorMap map;
  map.ties_embeddings_ = config.text.ties_embeddings;
  for (const checkpoint::StoredTensor& stored : store.tensors()) {
    std::string canonical = canonical_name(stored.name);
    if (canonical.empty()) continue;
    NamedTensor tensor{stored.dtype, stored.shape, stored.data};
    if (is_scale(canonical)) {
      auto floats = as_floats(tensor);
      if (!floats)
        return fail(Code::tensor_mismatch, "{}: scales are {}, wanted f32, bf16 or f16",
                    shown(stored.name), row_of(stored.dtype).name);
      map.storage_.push_back(std::move(*floats));
      tensor = {DType::f32, stored.shape, map.storage_.back().data()};
    }
    map.entries_.push_back({std::move(canonical), stored.name, tensor});
  }
  std::ranges::sort(map.entries_, {}, &TensorMap::Entry::canonical);
  const auto twice = std::ranges::adjacent_find(map.entries_, {}, &TensorMap::Entry::canonical);
  if (twice != map.entries_.end())
    return fail(Code::duplicate_tensor, "{} and {} are both {}", shown(twice->stored),
                shown(std::next(twice)->stored), shown(twice->canonical));
  return map;
}

const TensorMap::Entry* TensorMap::entry(std::string_view canonical) const {
  const auto at = std::ranges::lower_bound(entries_, canonical, {}, &Entry::canonical);
  return at != entries_.end() && at->canonical == canonical ? &*at : nullptr;
}

const NamedTensor* TensorMap::find(std::string_view canonical) const {
  const Entry* found = entry(canonical);
  if (found == nullptr && ties_embeddings_ && canonical == "lm_head.weight")
    found = entry("embed_tokens.weight");
  if (found == nullptr) return nullptr;
  found->asked = true;
  return &found->tensor;
}

std::vector<std::string> TensorMap::unused() const {
  std::vector<std::string> out;
  for (const Entry& entry : entries_)
    if (!entry.asked) out.push_back(entry.stored);
  return out;
}

Result<void> TensorMap::expect_none_left() const {
  constexpr std::size_t shown_max = 5;
  const std::vector<std::string> left = unused();
  if (left.empty()) return {};
  std::string names;
  for (std::size_t i = 0; i < std::min(left.size(), shown_max); ++i)
    names += (i == 0 ? "" : ", ") + shown(left[i]);
  if (left.size() > shown_max) names += fmt::format(" and {} more", left.size() - shown_max);
  return fail(Code::tensor_unexpected, "the checkpoint has {} that the model does not know: {}",
              left.size() == 1 ? "a tensor" : fmt::format("{} tensors", left.size()), names);
}

}  // namespace herd::llama4
