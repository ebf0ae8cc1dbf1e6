// Making images, grey from RGB, and EXIF's eight orientations.
#include "calibration/images/image.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace quantize {

void check_image_size(int64_t width, int64_t height) {
  const std::string size = std::to_string(width) + " x " + std::to_string(height) + " pixels";
  if (width < 1 || height < 1) {
    throw Error(ErrorKind::kCalibration, "the image has " + size + ", so there is nothing to read");
  }
  if (width > kMaxPixels / height) {
    throw Error(ErrorKind::kCalibration, "the image has " + size + ", more than the limit of " +
                                             std::to_string(kMaxPixels / 1'000'000) +
                                             " megapixels: shrink it first");
  }
}

Image make_image(int64_t width, int64_t height, int channels) {
  check_image_size(width, height);
  return {width, height, channels, std::vector<uint8_t>(static_cast<size_t>(width * height * channels))};
}

Image to_gray(Image image) {
  if (image.channels == 1) return image;
  Image gray = make_image(image.width, image.height, 1);
  const uint8_t* rgb = image.pixels.data();
  for (uint8_t& luma : gray.pixels) {
    luma = static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 32768) >> 16);
    rgb += 3;
  }
  return gray;
}

Image reorient(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool transposed = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image seen = transposed ? make_image(image.height, image.width, image.channels)
                          : make_image(image.width, image.height, image.channels);
  uint8_t* to = seen.pixels.data();
  for (int64_t y = 0; y < seen.height; ++y) {
    for (int64_t x = 0; x < seen.width; ++x) {
      int64_t column = transposed ? y : x, row = transposed ? x : y;
      if (from_right) column = image.width - 1 - column;
      if (from_bottom) row = image.height - 1 - row;
      to = std::copy_n(image.row(row) + column * image.channels, image.channels, to);
    }
  }
  return seen;
}

}  // namespace quantize
