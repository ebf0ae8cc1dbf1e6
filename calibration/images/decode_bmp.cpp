// Windows bitmaps. Read decode_bmp().
#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "calibration/images/byte_reader.h"
#include "calibration/images/image_formats.h"
#include "core/error.h"

namespace quantize {
namespace {

constexpr size_t kFileHeader = 14;

struct BmpHeader {
  int64_t width = 0, height = 0;
  bool top_down = false;
  int bits = 0;
  size_t pixel_offset = 0, palette_offset = 0, palette_entry = 4;
  uint32_t palette_size = 0;
  std::array<uint32_t, 3> masks{};  // red, green, blue; where bits is 16 or 32
};

[[noreturn]] void unsupported(const std::string& what) {
  throw Error(ErrorKind::kCalibration,
              "the BMP file has " + what + ", which is not supported: save it as PNG");
}

/// Channel masks of 16- and 32-bit pixels: behind or inside the header where compression is BITFIELDS.
void read_masks(const ByteReader& file, uint32_t compression, BmpHeader& header) {
  constexpr uint32_t kUncompressed = 0, kBitFields = 3, kAlphaBitFields = 6;
  if (compression == kBitFields || compression == kAlphaBitFields) {
    for (size_t i = 0; i < 3; ++i) header.masks[i] = file.u32(kFileHeader + 40 + 4 * i);
  } else if (compression != kUncompressed) {
    unsupported("compression " + std::to_string(compression));
  } else if (header.bits == 16) {
    header.masks = {0x7c00, 0x03e0, 0x001f};
  } else {
    header.masks = {0xff0000, 0x00ff00, 0x0000ff};
  }
}

BmpHeader read_header(const ByteReader& file) {
  BmpHeader header;
  header.pixel_offset = file.u32(10);
  const uint32_t size = file.u32(kFileHeader);
  if (size == 12) {  // OS/2 1.x
    header.width = file.u16(18);
    header.height = file.u16(20);
    header.bits = static_cast<int>(file.u16(24));
    header.palette_entry = 3;
    header.masks = {0xff0000, 0x00ff00, 0x0000ff};
  } else if (size >= 40 && size <= 1024) {
    header.width = static_cast<int32_t>(file.u32(18));
    header.height = static_cast<int32_t>(file.u32(22));
    header.bits = static_cast<int>(file.u16(28));
    header.palette_size = file.u32(46);
    read_masks(file, file.u32(30), header);
  } else {
    unsupported("a header of " + std::to_string(size) + " bytes");
  }
  header.top_down = header.height < 0;
  if (header.top_down) header.height = -header.height;
  header.palette_offset = kFileHeader + size;
  if (header.bits <= 8 && (header.palette_size == 0 || header.palette_size > 256)) {
    header.palette_size = 1u << header.bits;
  }
  return header;
}

/// The 8-bit level of the field of `pixel` that `mask` selects.
uint8_t field(uint32_t pixel, uint32_t mask) {
  if (mask == 0) return 0;
  const uint64_t highest = mask >> std::countr_zero(mask);
  const uint64_t value = (pixel & mask) >> std::countr_zero(mask);
  return static_cast<uint8_t>((value * 255 + highest / 2) / highest);
}

/// Reads one pixel of a row, 16 bits or more.
uint32_t wide_pixel(const uint8_t* row, int64_t x, int bits) {
  const int bytes = bits / 8;
  uint32_t pixel = 0;
  for (int i = 0; i < bytes; ++i) pixel |= static_cast<uint32_t>(row[x * bytes + i]) << (8 * i);
  return pixel;
}

}  // namespace

Image decode_bmp(std::span<const uint8_t> bytes) {
  const ByteReader file(bytes);
  const BmpHeader header = read_header(file);
  constexpr std::array<int, 6> kDepths = {1, 4, 8, 16, 24, 32};
  if (std::find(kDepths.begin(), kDepths.end(), header.bits) == kDepths.end()) {
    unsupported(std::to_string(header.bits) + " bits per pixel");
  }
  check_image_size(header.width, header.height);

  const size_t row_bytes = static_cast<size_t>((header.width * header.bits + 31) / 32 * 4);
  const size_t needed = row_bytes * static_cast<size_t>(header.height);
  if (header.pixel_offset > bytes.size() || bytes.size() - header.pixel_offset < needed)
    throw_truncated("BMP");

  std::array<std::array<uint8_t, 3>, 256> palette{};
  if (header.bits <= 8) {
    for (uint32_t i = 0; i < header.palette_size; ++i) {
      const size_t at = header.palette_offset + i * header.palette_entry;
      for (size_t c = 0; c < 3; ++c)
        palette[i][c] = static_cast<uint8_t>(file.u8(at + 2 - c));  // stored as BGR
    }
  }
  Image image = make_image(header.width, header.height, 3);
  for (int64_t y = 0; y < header.height; ++y) {
    const int64_t from = header.top_down ? y : header.height - 1 - y;
    const uint8_t* row = bytes.data() + header.pixel_offset + static_cast<size_t>(from) * row_bytes;
    uint8_t* to = image.row(y);
    for (int64_t x = 0; x < header.width; ++x, to += 3) {
      if (header.bits <= 8) {
        const int64_t bit = x * header.bits;
        const int index = (row[bit / 8] >> (8 - header.bits - bit % 8)) & ((1 << header.bits) - 1);
        std::copy_n(palette[static_cast<size_t>(index)].data(), 3, to);
      } else {
        const uint32_t pixel = wide_pixel(row, x, header.bits);
        for (size_t c = 0; c < 3; ++c) to[c] = field(pixel, header.masks[c]);
      }
    }
  }
  return image;
}

}  // namespace quantize
