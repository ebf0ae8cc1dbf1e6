// How the values of a Program lie in memory: row-major as ONNX has them, or as pixels with a border.
// Read Storage first.
#pragma once

#include <cstdint>
#include <vector>

#include "core/graph.h"

namespace quantize {

/// Rows and columns around an image that a sliding window reads.
struct Halo {
  int64_t top = 0, left = 0, bottom = 0, right = 0;
};

/// Where the elements of a value are. Row-major (pixels false), or, for u8 images [N, C, H, W]: element (n,
/// c, h, w) stands n * image_stride + h * row_stride + w * pixel_stride + c bytes behind that of (0, 0, 0,
/// 0), with the halo around every image in memory and filled with `border`, the code of 0, one for all
/// channels or one for each; empty: 0. A value may be some of the channels of a larger one, its root: then
/// both share the bytes.
struct Storage {
  bool pixels = false;
  int64_t images = 0, channels = 0, height = 0, width = 0;
  Halo halo;
  size_t pixel_stride = 0, row_stride = 0, image_stride = 0;
  std::vector<uint8_t> border;
  ValueId root = kNoValue;  // itself, for a value with bytes of its own
  size_t offset = 0;        // of element (0, 0, 0, 0) in the bytes of the root

  /// Rows of all images together.
  int64_t rows() const { return images * height; }
  /// Byte offset of pixel (0) of row r in [0, rows()).
  size_t row_offset(int64_t r) const {
    return static_cast<size_t>(r / height) * image_stride + static_cast<size_t>(r % height) * row_stride;
  }
};

/// Writes the border that belongs to rows [begin, end) of all images: left and right of them, and above the
/// first and below the last row of an image. `data` is element (0, 0, 0, 0).
void fill_border(const Storage& storage, uint8_t* data, int64_t begin, int64_t end);

}  // namespace quantize
