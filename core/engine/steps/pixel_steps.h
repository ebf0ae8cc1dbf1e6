// The common part of the steps on pixels: which values lie so, how long products take, walks over rows.
#pragma once

#include <algorithm>

#include "core/engine/steps/step.h"

namespace quantize {

/// True for a computed u8 tensor of four axes: what may lie as pixels.
bool is_u8_image(const Graph& graph, ValueId id);

/// About how long one thread takes for products of `weights` weights with `pixels` pixels each and for making
/// codes of the sums. A nanosecond brings ten bytes of weights, or makes eight codes.
inline double product_nanoseconds(const KernelTable& kernels, double weights, double pixels, double codes) {
  return weights * std::max(pixels / kernels.conv_u8s8_speed, 0.1) + codes / 8;
}

/// Calls body(image, first row in it, rows) for the parts of a range that lie in one image.
template <typename Body>
void for_each_image(UnitRange range, int64_t height, Body body) {
  for (int64_t begin = range.begin; begin < range.end;) {
    const int64_t image = begin / height, end = std::min(range.end, (image + 1) * height);
    body(image, begin - image * height, end - begin);
    begin = end;
  }
}

/// Bytes that lie side by side: those of some pixels of a row.
struct PixelRun {
  int64_t row, pixel;
  size_t bytes;
  /// Where they begin in an operand of the same extents, from its element (0, 0, 0, 0) on.
  size_t at(const Storage& storage) const {
    return storage.row_offset(row) + static_cast<size_t>(pixel) * storage.pixel_stride;
  }
};

/// Calls body(PixelRun) for all bytes of some rows: whole rows if `dense`, that is if no operand leaves a gap
/// between its pixels, else pixel by pixel.
template <typename Body>
void for_each_run(UnitRange rows, const Storage& y, bool dense, Body body) {
  const auto channels = static_cast<size_t>(y.channels);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    if (dense) {
      body(PixelRun{r, 0, channels * static_cast<size_t>(y.width)});
      continue;
    }
    for (int64_t p = 0; p < y.width; ++p) body(PixelRun{r, p, channels});
  }
}

/// Pixels that lie side by side, and the same elements of a row-major copy: those of channel c stand
/// c * plane_stride elements behind those of channel 0.
struct PlaneRun {
  size_t pixels;  // byte offset from element (0, 0, 0, 0)
  size_t planes;  // element offset in the row-major copy
  size_t count, plane_stride;
};

/// Calls body(PlaneRun) for all pixels of some rows: row by row, or all rows of an image at once if there is
/// no border between them.
template <typename Body>
void for_each_pixel_run(const Storage& storage, UnitRange range, Body body) {
  const auto width = static_cast<size_t>(storage.width), channels = static_cast<size_t>(storage.channels),
             plane = static_cast<size_t>(storage.height) * width;
  const bool gapless = storage.row_stride == width * storage.pixel_stride;
  for_each_image(range, storage.height, [&](int64_t image, int64_t first, int64_t rows) {
    const int64_t step = gapless ? rows : 1;
    for (int64_t r = first; r < first + rows; r += step)
      body(PlaneRun{storage.row_offset(image * storage.height + r),
                    static_cast<size_t>(image) * channels * plane + static_cast<size_t>(r) * width,
                    static_cast<size_t>(step) * width, plane});
  });
}

/// True if an integer operator reads and makes codes of u8 alone, with constant scales, one for each operand (slots_of).
bool is_plain_u8(const Graph& graph, const Node& node);

/// An image and the codes in it.
template <typename Code>
struct ImageData {
  Code* data;
  const Storage& storage;
};

/// y = table[x] for all codes of some rows of x; y has as many channels or more.
void look_up_rows(const KernelTable& kernels, const ImageData<const uint8_t>& x, const ImageData<uint8_t>& y,
                  const uint8_t* table, UnitRange rows);

/// True if nothing lies between the pixels of a row.
inline bool is_dense(const Storage& storage) {
  return storage.pixel_stride == static_cast<size_t>(storage.channels);
}

}  // namespace quantize
