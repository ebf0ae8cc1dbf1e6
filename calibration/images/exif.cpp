// The orientation in a JPEG's Exif block.
#include <algorithm>
#include <string_view>

#include "calibration/images/byte_reader.h"
#include "calibration/images/image_formats.h"

namespace quantize {

int exif_orientation(std::span<const uint8_t> block) {
  constexpr std::string_view kMark("Exif\0\0", 6);
  constexpr uint32_t kOrientationTag = 0x0112, kShort = 3;
  if (block.size() < 14 || !std::equal(kMark.begin(), kMark.end(), block.begin())) return 1;
  const std::span<const uint8_t> tiff = block.subspan(kMark.size());
  const ByteReader file(tiff, tiff[0] == 'M');
  if (file.u16(2) != 42) return 1;
  const size_t directory = file.u32(4);
  if (directory > tiff.size() - 2) return 1;
  const size_t entries = std::min<size_t>(file.u16(directory), (tiff.size() - directory - 2) / 12);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    if (file.u16(entry) == kOrientationTag && file.u16(entry + 2) == kShort) {
      const uint32_t orientation = file.u16(entry + 8);
      return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
    }
  }
  return 1;
}

}  // namespace quantize
