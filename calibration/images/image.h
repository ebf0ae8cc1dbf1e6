// Images as calibration sees them: 8-bit, RGB or grey.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quantize {

/// Rows from top to bottom, pixels[(y * width + x) * channels + c]; channels is 3 (RGB) or 1 (grey).
/// The result of make_image: width and height >= 1, `pixels` of exactly that size.
struct Image {
  int64_t width = 0, height = 0;
  int channels = 0;
  std::vector<uint8_t> pixels;

  uint8_t* row(int64_t y) { return pixels.data() + y * width * channels; }
  const uint8_t* row(int64_t y) const { return pixels.data() + y * width * channels; }
};

/// The largest image this program takes into memory: 100 megapixels, which as RGB is 300 MB.
constexpr int64_t kMaxPixels = 100'000'000;

/// Errors: Error(kCalibration) with the limit if the image has no pixel or more than kMaxPixels. Any int64
/// may come.
void check_image_size(int64_t width, int64_t height);

/// A black image. Errors: those of check_image_size.
Image make_image(int64_t width, int64_t height, int channels);

/// The luma of an RGB image; a grey one as it is.
///
///   L = (19595 R + 38470 G + 7471 B + 32768) >> 16
///
/// Source: ITU-R BT.601 luma in 16-bit fixed point, the same integers as Pillow's convert("L").
Image to_gray(Image image);

/// The image as an EXIF orientation says it should be seen: 1 as it is, 2 mirrored, 3 turned by 180 degrees,
/// 4 upside down, 5 transposed, 6 turned right, 7 transposed over the other diagonal, 8 turned left. Other
/// numbers: as it is. Source: Exif 2.32, tag 0x0112.
Image reorient(Image image, int orientation);

}  // namespace quantize
