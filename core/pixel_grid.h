// The levels of an image as the numbers that a network reads.
#pragma once

#include <vector>

namespace quantize {

/// How a preprocessed image is made of bytes, per channel: real = scale * (byte - zero).
struct PixelGrid {
  std::vector<double> scale, zero;
};

}  // namespace quantize
