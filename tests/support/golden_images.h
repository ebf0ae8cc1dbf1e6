// The image files of tests/golden/images and what Pillow reads from them (scripts/make_golden_images.py).
#pragma once

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>

#include "calibration/images/decode_image.h"
#include "calibration/images/npy.h"
#include "calibration/images/read_file.h"

namespace quantize::test {

inline std::string golden_image(const std::string& name) {
  return std::string(QUANTIZE_TEST_DATA) + "/golden/images/" + name;
}

inline Image read_golden(const std::string& name) {
  return decode_image(read_file(golden_image(name)));
}

/// An array [height, width, channels] as an image.
inline Image to_image(const Tensor& pixels) {
  const Shape& shape = pixels.shape();
  const auto* data = pixels.data<uint8_t>();
  return {shape[1], shape[0], static_cast<int>(shape[2]), std::vector<uint8_t>(data, data + pixels.size())};
}

/// The largest difference of two images' pixels, in levels; 256 if they differ in size or channels.
inline int max_difference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height || a.channels != b.channels) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i)
    largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

}  // namespace quantize::test
