// Image files to pixels. The codec libraries are known to decode_image.cpp only.
#pragma once

#include <span>

#include "calibration/images/image.h"

namespace quantize {

/// Decodes JPEG, PNG, BMP, PPM/PGM or WebP, told apart by their first bytes.
///
/// The pixels are those that Pillow's convert("RGB") gives: alpha is dropped, palettes are looked up, CMYK is
/// read as Adobe writes it (inverted), colour profiles and gamma are ignored. Grey images keep one channel.
/// Beyond Pillow: a JPEG's EXIF orientation is applied, and 16-bit samples are scaled to 8 bits with rounding
/// (v / 257). Errors: Error(kCalibration) if the bytes are no such image, are damaged or cut off, or exceed
/// kMaxPixels (checked before memory is taken). Never crashes, whatever the bytes.
Image decode_image(std::span<const uint8_t> bytes);

/// The numbers in a PNG of one channel: palette indices as they are, not looked up; grey levels, those of fewer than 8
/// bits as they are too. Errors: those of decode_image; Error(kCalibration) for a PNG of colours or of 16 bits.
Image decode_indices(std::span<const uint8_t> png);

/// True if a file that begins with these bytes is one of those formats; so sure that no text is taken for
/// one.
bool is_readable_image(std::span<const uint8_t> first_bytes);

}  // namespace quantize
