#include "llama4/packed_weights.h"

#include <sys/mman.h>

#include <memory>
#include <string_view>

#include "base/thread_pool.h"
#include "kernels/packed.h"
#include "kernels/packed_block.h"

namespace herd::llama4 {
namespace {

// A token reads every weight once, and small pages would miss the translation cache every 4096 bytes. Where the system
// has none to give, small ones do.
void ask_for_large_pages(void* memory, std::size_t bytes) {
  constexpr std::size_t large_page = std::size_t{2} << 20;
  void* begin = memory;
  std::size_t room = bytes;
  if (std::align(large_page, large_page, begin, room) != nullptr)
    madvise(begin, room / large_page * large_page, MADV_HUGEPAGE);
}

}  // namespace

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
    const auto bytes = static_cast<std::size_t>(packed_bytes(matrix.dtype, matrix.out, matrix.in));
    void* const memory = owner_.memory_.allocate(bytes);
    owner_.bytes_ += static_cast<std::int64_t>(bytes);
    ask_for_large_pages(memory, bytes);
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
