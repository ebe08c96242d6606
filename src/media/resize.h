// Resizing as the models' training code did it: Pillow's BILINEAR, bit for bit.
#pragma once

#include "media/image.h"

namespace herd::media {

// The picture at another size; width, height at least 1, the aspect ratio free.
//
// A triangle filter along the rows, then along the columns, each sum rounded to eight bits. Where the picture shrinks
// by a factor f the triangle is f times as wide, so every source pixel counts (antialiasing); where it grows this is
// the usual interpolation of two neighbours. Pixel centres lie at halves. Weights have 22 fractional bits; a direction
// that keeps its size is copied.
//
// The same bits as Image.resize((width, height), Image.BILINEAR) on mode RGB of Pillow 4 to 12, with which Llama 4 was
// trained (definition: src/libImaging/Resample.c there). Pillow 13 takes the columns first where the height loses more
// than twice as many pixels as the width: bytes then differ by one here and there. torchvision's tensors keep this
// order and differ by one in 0.07 % of bytes, for their weights have fewer bits.
Image resize_bilinear(const Image& image, std::int64_t width, std::int64_t height);

}  // namespace herd::media
