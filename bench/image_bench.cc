// How long does a picture take from the bytes of its file to the tiles of the model? One thread; one JSON object a
// file: the best of several rounds.
//
//   image_bench PICTURE...
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <functional>

#include "base/file.h"
#include "media/decode.h"
#include "media/preprocess.h"
#include "media/resize.h"

namespace {

// CPU time, not the clock on the wall: all of it is one thread, and neighbours disturb it less.
double best_ms(const std::function<void()>& call) {
  double best = 1e30;
  for (int round = 0; round < 7; ++round) {
    const std::clock_t start = std::clock();
    call();
    best = std::min(best, static_cast<double>(std::clock() - start) * 1e3 / CLOCKS_PER_SEC);
  }
  return best;
}

}  // namespace

int main(int count, char** arguments) {
  using namespace herd;
  for (int i = 1; i < count; ++i) {
    const auto file = Mapping::open(arguments[i]);
    const auto image = file ? media::decode_image(file->bytes())
                            : Result<media::Image>(std::unexpected(file.error()));
    if (!image) {
      fmt::print(stderr, "{}: {}\n", arguments[i], to_string(image.error()));
      return 1;
    }
    const media::PreprocessOptions options;
    const auto tiling = media::choose_tiling(image->width, image->height, options);
    fmt::print(
        "{{\"picture\": \"{}\", \"width\": {}, \"height\": {}, \"decode_ms\": {:.1f}, "
        "\"resize_ms\": {:.1f}, \"global_ms\": {:.1f}, \"preprocess_ms\": {:.1f}}}\n",
        arguments[i], image->width, image->height,
        best_ms([&] { (void)media::decode_image(file->bytes()); }), best_ms([&] {
          (void)media::resize_bilinear(*image, tiling.resized_width, tiling.resized_height);
        }),
        best_ms(
            [&] { (void)media::resize_bilinear(*image, options.tile_side, options.tile_side); }),
        best_ms([&] { (void)media::preprocess(*image, options); }));
  }
  return 0;
}
