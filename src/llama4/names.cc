#include "llama4/names.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "llama4/gguf.h"
#include "llama4/meta.h"
#include "llama4/pack_quantized.h"
#include "tensor/float_bits.h"

namespace herd::llama4 {
namespace {

// Taken off in this order. transformers 4 wrote language_model.model.*; text-only files have model.*; other
// writers put one more model. before everything.
constexpr std::array<std::string_view, 3> prefixes{"model.", "language_model.", "model."};

// The numbers of a scale as float32; nothing for a type that scales do not come in.
std::optional<std::vector<std::byte>> as_floats(const NamedTensor& tensor) {
  if (tensor.dtype != DType::f32 && tensor.dtype != DType::bf16 && tensor.dtype != DType::f16)
    return std::nullopt;
  const std::int64_t count = tensor.shape.elements();
  std::vector<std::byte> out(static_cast<std::size_t>(count) * sizeof(float));
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = element_as_f32(tensor.data, tensor.dtype, i);
    std::memcpy(out.data() + static_cast<std::size_t>(i) * sizeof(float), &value, sizeof value);
  }
  return out;
}

// Views are used as arrays of their type. Writers align them; a file that does not is copied, not refused.
bool is_aligned(const NamedTensor& tensor) {
  if (is_quantized(tensor.dtype)) return true;  // blocks are bytes
  return std::bit_cast<std::uintptr_t>(tensor.data) % row_of(tensor.dtype).bytes == 0;
}

bool is_scale(std::string_view canonical) { return canonical.ends_with(".weight_scale"); }

}  // namespace

std::string canonical_name(std::string_view stored) {
  if (stored.ends_with("rotary_emb.inv_freq")) return {};
  for (std::string_view prefix : prefixes)
    if (stored.starts_with(prefix)) stored.remove_prefix(prefix.size());
  return std::string(stored);
}

bool is_of_vision(std::string_view canonical) {
  return canonical.starts_with("vision_model.") || canonical.starts_with("multi_modal_projector.");
}

Result<TensorMap> canonical_tensors(const checkpoint::Store& store, const Config& config,
                                    const checkpoint::Progress& progress) {
  TensorMap map;
  map.ties_embeddings_ = config.text.ties_embeddings;
  std::vector<MergedTensor> named;
  if (store.format() == checkpoint::Format::meta) {
    HERD_TRY(named, merge_shards(store, config, map.storage_, progress));
  } else if (store.format() == checkpoint::Format::gguf ||
             store.format() == checkpoint::Format::packed) {
    named = tensors_of_gguf(store);
  } else {
    for (const checkpoint::StoredTensor& stored : store.tensors())
      named.push_back(
          {canonical_name(stored.name), stored.name, {stored.dtype, stored.shape, stored.data}});
    HERD_TRY_VOID(join_pack_quantized(named, map.storage_));
  }
  for (MergedTensor& one : named) {
    if (one.canonical.empty()) continue;
    if (config.leaves_vision_out && is_of_vision(one.canonical)) continue;
    NamedTensor& tensor = one.tensor;
    if (is_scale(one.canonical)) {
      auto floats = as_floats(tensor);
      if (!floats)
        return fail(Code::tensor_mismatch, "{}: scales are {}, wanted f32, bf16 or f16",
                    shown(one.stored), row_of(tensor.dtype).name);
      tensor.dtype = DType::f32;
      tensor.data = map.storage_.emplace_back(std::move(*floats)).data();
    } else if (!tensor.packed && !is_aligned(tensor)) {  // packed ones begin on pages
      const auto bytes = static_cast<std::size_t>(bytes_of(tensor.dtype, tensor.shape.elements()));
      tensor.data = map.storage_.emplace_back(tensor.data, tensor.data + bytes).data();
    }
    map.entries_.push_back({std::move(one.canonical), std::move(one.stored), tensor});
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
