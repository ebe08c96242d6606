#include "llama4/packed_weights.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <string_view>

#include "base/large_pages.h"
#include "base/thread_pool.h"
#include "kernels/packed.h"
#include "kernels/packed_block.h"

namespace herd::llama4 {

bool is_packed_in_stores(std::string_view canonical, DType dtype) {
  return !canonical.starts_with("embed_tokens.") && can_pack(dtype);
}

class PackingVisitor final : public nn::ParameterVisitor {
 public:
  PackingVisitor(PackedWeights& owner, const Lane& lane, std::span<const Mapping> files)
      : owner_(owner), lane_(lane), files_(files) {}

  void matrix(std::string_view name, Matrix& matrix) override {
    if (is_packed_in_stores(name, matrix.dtype)) pack_one(matrix);
  }
  void vector(std::string_view, Tensor&) override {}
  void experts(std::string_view, nn::ExpertMatrices& experts) override {
    for (auto* matrices : {&experts.gate, &experts.up, &experts.down})
      for (Matrix& matrix : *matrices) pack_one(matrix);
  }

 private:
  void pack_one(Matrix& matrix) {
    if (matrix.layout != Layout::out_in || matrix.stride != matrix.in || !can_pack(matrix.dtype))
      return;
    const auto bytes = static_cast<std::size_t>(packed_bytes(matrix.dtype, matrix.out, matrix.in));
    void* const memory = owner_.memory_.allocate(bytes);
    owner_.bytes_ += static_cast<std::int64_t>(bytes);
    ask_for_large_pages(memory, bytes);  // a token reads every weight once
    const std::int64_t bands = (matrix.out + packed_outs - 1) / packed_outs;
    const auto pack_bands = [&](std::int64_t begin, std::int64_t end, int) {
      herd::pack(matrix, begin, end, memory);
    };
    if (lane_.pool == nullptr)
      pack_bands(0, bands, 0);
    else
      lane_.pool->run(bands, 8, pack_bands);
    const auto source = static_cast<std::size_t>(bytes_of(matrix.dtype, matrix.out * matrix.in));
    release(matrix.data, source);
    const float* scale = matrix.scale;
    matrix = packed_matrix(matrix.dtype, matrix.out, matrix.in, memory);
    matrix.scale = scale;
  }

  // Takes whole pages of a file out of this process's memory. What is not of a file stays: it would be lost.
  void release(const void* begin, std::size_t bytes) const {
    const auto at = std::bit_cast<std::uintptr_t>(begin), end = at + bytes;
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const std::uintptr_t before_page = (page - at % page) % page;
    const bool in_file = std::ranges::any_of(files_, [&](const Mapping& file) {
      const auto start = std::bit_cast<std::uintptr_t>(file.bytes().data());
      return at >= start && end <= start + file.bytes().size();
    });
    if (!in_file || before_page >= bytes) return;
    const auto* first = static_cast<const std::byte*>(begin) + before_page;
    ::madvise(const_cast<std::byte*>(first), (bytes - before_page) / page * page, MADV_DONTNEED);
  }

  PackedWeights& owner_;
  const Lane& lane_;
  std::span<const Mapping> files_;
};

void PackedWeights::pack(Model& model, const Lane& lane, std::span<const Mapping> files) {
  PackingVisitor visitor(*this, lane, files);
  model.parameters(visitor);
}

}  // namespace herd::llama4
