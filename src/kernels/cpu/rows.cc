// Kernels that treat rows, or elements, by themselves: the reference's own arithmetic, its rows shared out to the
// threads. They move little beside matrix products; same bits as the reference because it is the reference.
#include <algorithm>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/work.h"
#include "kernels/ref/ref.h"

namespace herd::cpu {
namespace {

// Enough elements for a thread to be worth waking.
constexpr std::int64_t elements_per_piece = 8192;

// work(begin, end) over rows of `width` elements.
template <typename Work>
void share(const Lane& lane, std::int64_t rows, std::int64_t width, const Work& work) {
  const std::int64_t grain =
      std::max<std::int64_t>(1, elements_per_piece / std::max<std::int64_t>(1, width));
  run(lane, rows, grain, [&](std::int64_t begin, std::int64_t end, int) { work(begin, end); });
}

}  // namespace

void rms_norm(const RmsNormArgs& args, const Lane& lane) {
  share(lane, args.T, args.D, [&](std::int64_t begin, std::int64_t end) {
    RmsNormArgs part = args;
    part.x += begin * args.D;
    part.y += begin * args.D;
    part.T = end - begin;
    ref::rms_norm(part, {});
  });
}

void layer_norm(const LayerNormArgs& args, const Lane& lane) {
  share(lane, args.T, args.D, [&](std::int64_t begin, std::int64_t end) {
    LayerNormArgs part = args;
    part.x += begin * args.D;
    part.y += begin * args.D;
    part.T = end - begin;
    ref::layer_norm(part, {});
  });
}

void rope(const RopeArgs& args, const Lane& lane) {
  share(lane, args.T, args.N * args.d, [&](std::int64_t begin, std::int64_t end) {
    RopeArgs part = args;
    part.x += begin * args.x_stride;
    part.y += begin * args.y_stride;
    part.cos += begin * (args.d / 2);
    part.sin += begin * (args.d / 2);
    part.T = end - begin;
    ref::rope(part, {});
  });
}

void store_kv(const StoreKvArgs& args, const Lane& lane) {
  share(lane, args.T, args.G * args.d, [&](std::int64_t begin, std::int64_t end) {
    StoreKvArgs part = args;
    part.x += begin * args.x_stride;
    part.block += begin;
    part.within += begin;
    part.T = end - begin;
    ref::store_kv(part, {});
  });
}

void silu_mul(const SiluMulArgs& args, const Lane& lane) {
  share(lane, args.T, args.I, [&](std::int64_t begin, std::int64_t end) {
    SiluMulArgs part = args;
    part.gate_up += begin * 2 * args.I;
    part.y += begin * args.I;
    part.T = end - begin;
    ref::silu_mul(part, {});
  });
}

void gelu(const GeluArgs& args, const Lane& lane) {
  share(lane, args.count, 1, [&](std::int64_t begin, std::int64_t end) {
    ref::gelu({.x = args.x + begin, .y = args.y + begin, .count = end - begin}, {});
  });
}

void add(const AddArgs& args, const Lane& lane) {
  share(lane, args.count, 1, [&](std::int64_t begin, std::int64_t end) {
    ref::add({.a = args.a + begin, .b = args.b + begin, .y = args.y + begin, .count = end - begin},
             {});
  });
}

void gather(const GatherArgs& args, const Lane& lane) {
  share(lane, args.R, args.D, [&](std::int64_t begin, std::int64_t end) {
    GatherArgs part = args;
    part.row += begin;
    if (part.factor != nullptr) part.factor += begin;
    part.y += begin * args.D;
    part.R = end - begin;
    ref::gather(part, {});
  });
}

void gather_add(const GatherAddArgs& args, const Lane& lane) {
  share(lane, args.T, args.D, [&](std::int64_t begin, std::int64_t end) {
    GatherAddArgs part = args;
    part.base += begin * args.D;
    part.row += begin * args.K;
    part.y += begin * args.D;
    part.T = end - begin;
    ref::gather_add(part, {});
  });
}

void scale_rows(const ScaleRowsArgs& args, const Lane& lane) {
  share(lane, args.T, args.D, [&](std::int64_t begin, std::int64_t end) {
    ScaleRowsArgs part = args;
    part.x += begin * args.x_stride;
    part.y += begin * args.y_stride;
    part.factor += begin;
    part.T = end - begin;
    ref::scale_rows(part, {});
  });
}

}  // namespace herd::cpu
