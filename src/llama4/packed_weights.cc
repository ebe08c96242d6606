#include "llama4/packed_weights.h"

#include <sys/mman.h>

#include <new>
#include <string_view>

#include "base/thread_pool.h"
#include "kernels/packed.h"
#include "kernels/packed_block.h"

namespace herd::llama4 {
namespace {

// Large matrices begin where large pages do, and ask for them: a token reads every weight once, and small pages would
// miss the translation cache every 4096 bytes.
constexpr std::size_t large_page = std::size_t{2} << 20;
constexpr std::align_val_t alignment{large_page};

}  // namespace

void PackedWeights::Free::operator()(std::byte* memory) const {
  ::operator delete(memory, alignment);
}

class PackingVisitor final : public nn::ParameterVisitor {
 public:
  PackingVisitor(PackedWeights& owner, const Lane& lane) : owner_(owner), lane_(lane) {}

  void matrix(std::string_view name, Matrix& matrix) override {
    if (!name.starts_with("embed_tokens.")) pack_one(matrix);
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
    const std::int64_t bytes = packed_bytes(matrix.dtype, matrix.out, matrix.in);
    auto* memory =
        static_cast<std::byte*>(::operator new(static_cast<std::size_t>(bytes), alignment));
    owner_.memory_.emplace_back(memory);
    owner_.bytes_ += bytes;
    if (static_cast<std::size_t>(bytes) >= large_page)
      madvise(memory, static_cast<std::size_t>(bytes), MADV_HUGEPAGE);  // or small pages
    const std::int64_t bands = (matrix.out + packed_outs - 1) / packed_outs;
    const auto pack_bands = [&](std::int64_t begin, std::int64_t end, int) {
      herd::pack(matrix, begin, end, memory);
    };
    if (lane_.pool == nullptr)
      pack_bands(0, bands, 0);
    else
      lane_.pool->run(bands, 8, pack_bands);
    const float* scale = matrix.scale;
    matrix = packed_matrix(matrix.dtype, matrix.out, matrix.in, memory);
    matrix.scale = scale;
  }

  PackedWeights& owner_;
  const Lane& lane_;
};

void PackedWeights::pack(Model& model, const Lane& lane) {
  PackingVisitor visitor(*this, lane);
  model.parameters(visitor);
}

}  // namespace herd::llama4
