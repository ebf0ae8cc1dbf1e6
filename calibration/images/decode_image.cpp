// JPEG, PNG and WebP through their libraries; BMP and PNM through our own readers. Read decode_image() at the
// end.
//
// libjpeg and libpng report errors by longjmp. Trap::guard makes that safe: what lies between its setjmp and
// the library has only trivial destructors, and everything that owns memory is a member of the reader
// outside.
#include "calibration/images/decode_image.h"

#include <csetjmp>
#include <cstdio>
// jpeglib.h needs <cstdio> before it.
#include <jerror.h>
#include <jpeglib.h>
#include <png.h>
#include <webp/decode.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string_view>

#include "calibration/images/byte_reader.h"
#include "calibration/images/file_kind.h"
#include "calibration/images/image_formats.h"
#include "core/error.h"

namespace quantize {
namespace {

/// Where a codec library jumps to when it fails, and what it said.
struct Trap {
  jmp_buf place;
  char message[JMSG_LENGTH_MAX] = "";

  /// Calls body(); a failure of the library inside becomes Error(kCalibration). body's locals and those of
  /// whatever it calls must be trivially destructible.
  template <typename Body>
  void guard(const char* format, const Body& body) {
    if (setjmp(place) != 0) {
      throw Error(ErrorKind::kCalibration,
                  std::string("the ") + format + " file cannot be decoded: " + message);
    }
    body();
  }
};

class JpegReader {
 public:
  explicit JpegReader(std::span<const uint8_t> bytes) {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = fail;
    errors_.emit_message = warn;
    info_.client_data = &trap_;
    trap_.guard("JPEG", [&] {
      jpeg_create_decompress(&info_);
      jpeg_mem_src(&info_, bytes.data(), bytes.size());
      jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xffff);
    });
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  Image read() {
    trap_.guard("JPEG", [&] {
      jpeg_read_header(&info_, TRUE);
      info_.out_color_space = info_.num_components == 1   ? JCS_GRAYSCALE
                              : info_.num_components == 4 ? JCS_CMYK
                                                          : JCS_RGB;
      info_.dct_method = JDCT_ISLOW;
    });
    Image image = make_image(info_.image_width, info_.image_height, info_.num_components == 1 ? 1 : 3);
    const int seen_as = orientation();  // before jpeg_finish_decompress, which frees the markers
    line_.resize(size_t{info_.image_width} * 4);
    trap_.guard("JPEG", [&] {
      jpeg_start_decompress(&info_);
      while (info_.output_scanline < info_.output_height) read_row(image.row(info_.output_scanline));
      jpeg_finish_decompress(&info_);
    });
    return reorient(std::move(image), seen_as);
  }

 private:
  [[noreturn]] static void fail(j_common_ptr info) {
    Trap& trap = *static_cast<Trap*>(info->client_data);
    info->err->format_message(info, trap.message);
    longjmp(trap.place, 1);
  }

  /// Pixels that are missing make a damaged file; other warnings (surplus bytes) do not.
  static void warn(j_common_ptr info, int level) {
    if (level < 0 && (info->err->msg_code == JWRN_JPEG_EOF || info->err->msg_code == JWRN_HIT_MARKER))
      fail(info);
  }

  void read_row(uint8_t* to) {
    JSAMPROW rows[] = {info_.out_color_space == JCS_CMYK ? line_.data() : to};
    jpeg_read_scanlines(&info_, rows, 1);
    if (info_.out_color_space != JCS_CMYK) return;
    for (size_t x = 0; x < info_.image_width; ++x) {  // inverted: 255 is no ink
      const int black = line_[4 * x + 3];
      for (size_t c = 0; c < 3; ++c) {
        const int ink = (255 - line_[4 * x + c]) * black + 128;
        to[3 * x + c] = static_cast<uint8_t>(black - ((ink + (ink >> 8)) >> 8));
      }
    }
  }

  int orientation() const {
    for (const jpeg_marker_struct* marker = info_.marker_list; marker != nullptr; marker = marker->next) {
      const int found = exif_orientation({marker->data, marker->data_length});
      if (found != 1) return found;
    }
    return 1;
  }

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  Trap trap_;
  std::vector<uint8_t> line_;  // one row of CMYK
};

class PngReader {
 public:
  explicit PngReader(std::span<const uint8_t> bytes) : left_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &trap_, fail, ignore);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw Error(ErrorKind::kInternal, "there is no memory left to read a PNG file");
    }
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  Image read() {
    read_header();
    trap_.guard("PNG", [&] {
      png_set_scale_16(png_);
      png_set_strip_alpha(png_);
      png_set_packing(png_);
      const int color = png_get_color_type(png_, info_);
      if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
      if (color == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png_);
    });
    const bool gray = (png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR) == 0;
    Image image =
        make_image(png_get_image_width(png_, info_), png_get_image_height(png_, info_), gray ? 1 : 3);
    read_pixels(image);
    return image;
  }

  /// The samples of one channel, whatever colours stand for them.
  Image read_indices() {
    read_header();
    const int color = png_get_color_type(png_, info_);
    if ((color != PNG_COLOR_TYPE_PALETTE && color != PNG_COLOR_TYPE_GRAY) ||
        png_get_bit_depth(png_, info_) > 8)
      throw Error(ErrorKind::kCalibration,
                  "the PNG holds colours, no numbers of classes: save it with a palette or "
                  "as grey of 8 bits");
    trap_.guard("PNG", [&] { png_set_packing(png_); });
    Image image = make_image(png_get_image_width(png_, info_), png_get_image_height(png_, info_), 1);
    read_pixels(image);
    return image;
  }

 private:
  void read_header() {
    trap_.guard("PNG", [&] {
      png_set_read_fn(png_, &left_, take);
      png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // make_image has our own
      png_read_info(png_, info_);
    });
  }

  void read_pixels(Image& image) {
    for (int64_t y = 0; y < image.height; ++y) rows_.push_back(image.row(y));
    trap_.guard("PNG", [&] {
      png_set_interlace_handling(png_);
      png_read_update_info(png_, info_);
      if (png_get_rowbytes(png_, info_) != static_cast<size_t>(image.width * image.channels)) {
        png_error(png_, "unexpected row size");
      }
      png_read_image(png_, rows_.data());
      png_read_end(png_, nullptr);
    });
  }

  [[noreturn]] static void fail(png_structp png, png_const_charp message) {
    Trap& trap = *static_cast<Trap*>(png_get_error_ptr(png));
    std::snprintf(trap.message, sizeof trap.message, "%s", message);
    longjmp(trap.place, 1);
  }
  static void ignore(png_structp, png_const_charp) {}

  static void take(png_structp png, png_bytep to, size_t count) {
    auto& left = *static_cast<std::span<const uint8_t>*>(png_get_io_ptr(png));
    if (count > left.size()) png_error(png, "it is cut off");
    std::memcpy(to, left.data(), count);
    left = left.subspan(count);
  }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  Trap trap_;
  std::span<const uint8_t> left_;
  std::vector<uint8_t*> rows_;
};

Image decode_webp(std::span<const uint8_t> bytes) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes.data(), bytes.size(), &features) != VP8_STATUS_OK) {
    throw Error(ErrorKind::kCalibration, "the WebP file is damaged in its header");
  }
  if (features.has_animation) {
    throw Error(ErrorKind::kCalibration, "the WebP file is an animation: save one of its frames");
  }
  Image image = make_image(features.width, features.height, 3);
  const int stride = features.width * 3;
  if (WebPDecodeRGBInto(bytes.data(), bytes.size(), image.pixels.data(), image.pixels.size(), stride) ==
      nullptr) {
    throw Error(ErrorKind::kCalibration, "the WebP file is damaged or cut off");
  }
  return image;
}

bool starts_with(std::span<const uint8_t> bytes, std::string_view magic, size_t at = 0) {
  return bytes.size() >= at + magic.size() && std::memcmp(bytes.data() + at, magic.data(), magic.size()) == 0;
}

enum class Format { kJpeg, kPng, kWebp, kBmp, kPnm, kNone };

Format format_of(std::span<const uint8_t> bytes) {
  if (starts_with(bytes, "\xff\xd8\xff")) return Format::kJpeg;
  if (starts_with(bytes, "\x89PNG\r\n\x1a\n")) return Format::kPng;
  if (starts_with(bytes, "RIFF") && starts_with(bytes, "WEBP", 8)) return Format::kWebp;
  if (starts_with(bytes, "BM")) return Format::kBmp;
  for (const char* magic : {"P2", "P3", "P5", "P6"})
    if (starts_with(bytes, magic)) return Format::kPnm;
  return Format::kNone;
}

}  // namespace

Image decode_image(std::span<const uint8_t> bytes) {
  switch (format_of(bytes)) {
    case Format::kJpeg:
      return JpegReader(bytes).read();
    case Format::kPng:
      return PngReader(bytes).read();
    case Format::kWebp:
      return decode_webp(bytes);
    case Format::kBmp:
      return decode_bmp(bytes);
    case Format::kPnm:
      return decode_pnm(bytes);
    case Format::kNone:
      break;
  }
  if (bytes.empty()) throw Error(ErrorKind::kCalibration, "the file is empty");
  const FileFinding found = first_bytes_kind(bytes.first(std::min(bytes.size(), kKindBytes)));
  throw Error(ErrorKind::kCalibration,
              "the file is no JPEG, PNG, BMP, PPM, PGM or WebP image" +
                  (found.kind == FileKind::kUnreadPicture ? " but " + found.name : std::string()) +
                  ", whatever its name says");
}

Image decode_indices(std::span<const uint8_t> png) {
  if (format_of(png) != Format::kPng) throw Error(ErrorKind::kCalibration, "the file is no PNG");
  return PngReader(png).read_indices();
}

bool is_readable_image(std::span<const uint8_t> bytes) {
  constexpr size_t kBmpHeaderSize = 14;
  const auto is_blank = [&](size_t at) { return at < bytes.size() && std::isspace(bytes[at]) != 0; };
  const auto is_digit = [&](size_t at) { return at < bytes.size() && std::isdigit(bytes[at]) != 0; };
  switch (format_of(bytes)) {
    case Format::kNone:
      return false;
    case Format::kBmp: {  // two reserved numbers, then the size of the second header
      if (bytes.size() < kBmpHeaderSize + 4) return false;
      const ByteReader header(bytes);
      return header.u32(6) == 0 && header.u32(kBmpHeaderSize) >= 12 && header.u32(kBmpHeaderSize) <= 1024;
    }
    case Format::kPnm:
      return is_blank(2) && (is_digit(3) || (bytes.size() > 3 && bytes[3] == '#'));
    default:
      return true;
  }
}

}  // namespace quantize
