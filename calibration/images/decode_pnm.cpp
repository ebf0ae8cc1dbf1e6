// PPM and PGM. Read decode_pnm().
#include <algorithm>
#include <string>

#include "calibration/images/byte_reader.h"
#include "calibration/images/image_formats.h"
#include "core/error.h"

namespace quantize {
namespace {

/// Reads the tokens of a PNM header and of text pixels: decimal numbers between white space and # comments.
class PnmScanner {
 public:
  explicit PnmScanner(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  uint32_t number() {
    skip_blanks();
    uint32_t value = 0;
    const size_t begin = at_;
    while (at_ < bytes_.size() && at_ < begin + 9 && is_digit(bytes_[at_])) {
      value = value * 10 + (bytes_[at_++] - '0');
    }
    if (at_ == begin && at_ >= bytes_.size()) throw_truncated("PNM");
    if (at_ == begin || (at_ < bytes_.size() && is_digit(bytes_[at_]))) {
      throw Error(ErrorKind::kCalibration, "the PNM file has something at byte " + std::to_string(at_) +
                                               " that is no number of at most nine digits");
    }
    return value;
  }

  /// The bytes behind the header: one white space, then the binary pixels.
  std::span<const uint8_t> rest() const { return bytes_.subspan(std::min(at_ + 1, bytes_.size())); }

 private:
  static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
  static bool is_blank(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

  void skip_blanks() {
    for (; at_ < bytes_.size() && (is_blank(bytes_[at_]) || bytes_[at_] == '#'); ++at_) {
      if (bytes_[at_] == '#') {
        while (at_ < bytes_.size() && bytes_[at_] != '\n' && bytes_[at_] != '\r') ++at_;
        if (at_ == bytes_.size()) return;
      }
    }
  }

  std::span<const uint8_t> bytes_;
  size_t at_ = 2;  // behind "P5"
};

uint8_t to_level(uint32_t value, uint32_t maxval) {
  return static_cast<uint8_t>((std::min(value, maxval) * 255 + maxval / 2) / maxval);
}

}  // namespace

Image decode_pnm(std::span<const uint8_t> bytes) {
  const char kind = static_cast<char>(bytes[1]);
  const bool text = kind == '2' || kind == '3';
  const int channels = kind == '3' || kind == '6' ? 3 : 1;
  PnmScanner scanner(bytes);
  const uint32_t width = scanner.number(), height = scanner.number(), maxval = scanner.number();
  if (maxval < 1 || maxval > 65535) {
    throw Error(ErrorKind::kCalibration,
                "the PNM file says maxval " + std::to_string(maxval) + ", which must be between 1 and 65535");
  }
  check_image_size(width, height);
  const size_t count = size_t{width} * height * static_cast<size_t>(channels);
  const size_t sample_bytes = maxval > 255 ? 2 : 1;
  const std::span<const uint8_t> samples = scanner.rest();
  // As text, a sample takes a digit and a separator.
  if (samples.size() + (text ? 1 : 0) < count * (text ? 2 : sample_bytes)) throw_truncated("PNM");

  Image image = make_image(width, height, channels);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t value = text                ? scanner.number()
                           : sample_bytes == 2 ? samples[2 * i] * 256u + samples[2 * i + 1]
                                               : samples[i];
    image.pixels[i] = to_level(value, maxval);
  }
  return image;
}

}  // namespace quantize
