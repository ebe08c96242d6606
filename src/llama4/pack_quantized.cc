#include "llama4/pack_quantized.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <set>
#include <span>

#include "quant/int4_block.h"
#include "tensor/float_bits.h"

namespace herd::llama4 {
namespace {

using quant::INT4;

// Behind "x.weight".
constexpr std::string_view end_of_words = "_packed", end_of_scales = "_scale",
                           end_of_shape = "_shape";

class Joiner {
 public:
  Joiner(const std::vector<MergedTensor>& named, std::deque<std::vector<std::byte>>& storage)
      : storage_(storage) {
    for (const MergedTensor& one : named) by_name_.emplace(one.canonical, &one);
  }

  // `words` is "x.weight_packed".
  Result<MergedTensor> join(const MergedTensor& words) {
    const std::string weight =
        words.canonical.substr(0, words.canonical.size() - end_of_words.size());
    const std::string shown_name =
        words.stored.substr(0, words.stored.size() - end_of_words.size());
    if (find(weight + "_zero_point") != nullptr)
      return fail(Code::tensor_mismatch, "{}: has zero points; only symmetric int4 is read",
                  shown(shown_name));
    if (find(weight + "_g_idx") != nullptr)
      return fail(Code::tensor_mismatch,
                  "{}: its inputs are grouped in another order (weight_g_idx, actorder group); "
                  "only groups of neighbours are read",
                  shown(shown_name));
    const NamedTensor* scales = find(fmt::format("{}{}", weight, end_of_scales));
    if (scales == nullptr)
      return fail(Code::tensor_missing, "{}_scale is missing beside {}", shown_name,
                  shown(words.stored));
    HERD_TRY(const Shape shape, shape_of(words, find(fmt::format("{}{}", weight, end_of_shape))));
    HERD_TRY_VOID(check(words, *scales, shape));
    return MergedTensor{
        weight, shown_name, {DType::int4, shape, blocks(words.tensor.data, *scales, shape)}};
  }

 private:
  const NamedTensor* find(std::string_view canonical) const {
    const auto found = by_name_.find(canonical);
    return found == by_name_.end() ? nullptr : &found->second->tensor;
  }

  static Result<Shape> shape_of(const MergedTensor& words, const NamedTensor* said) {
    const NamedTensor& tensor = words.tensor;
    if (tensor.dtype != DType::i32 || tensor.shape.rank() != 2)
      return fail(Code::tensor_mismatch, "{} is {} {}, wanted i32 of [outputs, inputs / 8]",
                  shown(words.stored), row_of(tensor.dtype).name, tensor.shape.text());
    const Shape shape{tensor.shape[0], tensor.shape[1] * 8};
    if (shape[1] % INT4::size != 0)
      return fail(Code::tensor_mismatch, "{} is {}, its {} inputs are not whole groups of {}",
                  shown(words.stored), tensor.shape.text(), shape[1], INT4::size);
    if (said == nullptr) return shape;
    std::int64_t numbers[2] = {};
    const bool readable = said->dtype == DType::i64 && said->shape.elements() == 2;
    if (readable) std::memcpy(numbers, said->data, sizeof numbers);
    if (!readable || numbers[0] != shape[0] || numbers[1] != shape[1])
      return fail(Code::tensor_mismatch, "{} is of {} outputs and inputs, its weight_shape says {}",
                  shown(words.stored), shape.text(),
                  readable ? Shape{numbers[0], numbers[1]}.text() : "nothing readable");
    return shape;
  }

  static Result<void> check(const MergedTensor& words, const NamedTensor& scales,
                            const Shape& shape) {
    const bool of_numbers =
        scales.dtype == DType::f32 || scales.dtype == DType::bf16 || scales.dtype == DType::f16;
    const std::int64_t groups = shape[1] / INT4::size;
    const bool fits = scales.shape.rank() == 2 && scales.shape[0] == shape[0] &&
                      (scales.shape[1] == groups || scales.shape[1] == 1);
    if (of_numbers && fits) return {};
    return fail(
        Code::tensor_mismatch,
        "the scales of {} are {} {}, wanted f32, bf16 or f16 of {} (groups of {} inputs) or "
        "[{}, 1]",
        shown(words.stored), row_of(scales.dtype).name, scales.shape.text(),
        Shape{shape[0], groups}.text(), INT4::size, shape[0]);
  }

  const std::byte* blocks(const std::byte* words, const NamedTensor& scales, const Shape& shape) {
    const std::int64_t groups = shape[1] / INT4::size, count = shape[0] * groups;
    std::vector<std::byte>& out =
        storage_.emplace_back(static_cast<std::size_t>(count) * sizeof(INT4));
    std::byte* to = out.data();
    for (std::int64_t i = 0; i < count; ++i, words += sizeof(INT4::q), to += sizeof(INT4)) {
      const std::int64_t at = scales.shape[1] == groups ? i : i / groups;
      const float scale = element_as_f32(scales.data, scales.dtype, at);
      std::memcpy(to, &scale, sizeof scale);
      std::memcpy(to + sizeof(INT4::d), words, sizeof(INT4::q));
    }
    return out.data();
  }

  std::map<std::string, const MergedTensor*, std::less<>> by_name_;
  std::deque<std::vector<std::byte>>& storage_;
};

}  // namespace

PackQuantized pack_quantized(std::span<const std::byte> blocks) {
  PackQuantized out;
  for (; !blocks.empty(); blocks = blocks.subspan(sizeof(INT4))) {
    std::memcpy(&out.scales.emplace_back(), blocks.data(), sizeof(INT4::d));
    const auto words = blocks.subspan(sizeof(INT4::d), sizeof(INT4::q));
    out.words.insert(out.words.end(), words.begin(), words.end());
  }
  return out;
}

Result<void> join_pack_quantized(std::vector<MergedTensor>& named,
                                 std::deque<std::vector<std::byte>>& storage) {
  std::vector<MergedTensor> joined;
  std::set<std::string, std::less<>> parts;
  Joiner joiner(named, storage);
  for (const MergedTensor& one : named) {
    if (!one.canonical.ends_with(".weight_packed")) continue;
    HERD_TRY(MergedTensor whole, joiner.join(one));
    for (const std::string_view end : {end_of_words, end_of_scales, end_of_shape})
      parts.insert(fmt::format("{}{}", whole.canonical, end));
    joined.push_back(std::move(whole));
  }
  std::erase_if(named, [&](const MergedTensor& one) { return parts.contains(one.canonical); });
  std::ranges::move(joined, std::back_inserter(named));
  return {};
}

}  // namespace herd::llama4
