// Where an op runs: a device's kernels, its threads, and the arena that results come from. Every op takes one; nothing
// in herd is global. Ops and layers never ask which device it is.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/arena.h"
#include "kernels/table.h"
#include "tensor/tensor.h"

namespace herd {

class Tape;
namespace nn {
class RowAdapters;
}

class Context {
 public:
  // Called with a place in the model ("hidden", "router", ...), the layer and the tensor there, while it is valid.
  using Watch = std::function<void(std::string_view place, std::int64_t layer, const Tensor&)>;

  // Called before each product with its rows [T, in] and which of them go into which matrix.
  using WatchProducts = std::function<void(const Tensor& x_TI, std::span<const MatmulGroup>)>;

  // `pool` and `table` must outlive the context.
  Context(const KernelTable& table, ThreadPool& pool) : kernels(table), lane{&pool} {}

  const KernelTable& kernels;
  Lane lane;
  Arena arena;
  Watch watch;
  WatchProducts watch_products;
  Tape* tape = nullptr;          // records what ops do, where gradients are wanted (ops/tape.h)
  bool recomputes = false;       // training: inner values of blocks are not kept but computed again
  bool recomputing = false;      // that is going on now
  bool rounds_pictures = false;  // serving: the vision encoder may round (engine/look.h)
  const nn::RowAdapters* row_adapters = nullptr;  // serving: what rows bring (nn/adapter.h)

  // Memory for a result, uninitialised; valid until the arena is reset or wound back.
  Tensor empty(Shape shape, DType dtype = DType::f32) {
    const auto elements = static_cast<std::size_t>(shape.elements());
    return {arena.allocate(elements * row_of(dtype).bytes), dtype, shape};
  }
  // The same for a plain array of `count` trivially destructible values.
  template <typename T>
  std::span<T> array(std::int64_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    auto* data = static_cast<T*>(arena.allocate(static_cast<std::size_t>(count) * sizeof(T)));
    return {data, static_cast<std::size_t>(count)};
  }
  Tensor like(const Tensor& x) { return empty(x.shape, x.dtype); }

  void saw(std::string_view place, std::int64_t layer, const Tensor& x) const {
    if (watch) watch(place, layer, x);
  }
};

// While it lives, results pile up in the arena; when it ends they are free for the next.
class Scratch {
 public:
  explicit Scratch(Context& ctx) : ctx_(ctx), mark_(ctx.arena.mark()) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { ctx_.arena.rewind(mark_); }

 private:
  Context& ctx_;
  Arena::Mark mark_;
};

}  // namespace herd
