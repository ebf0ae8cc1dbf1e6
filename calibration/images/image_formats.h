// The decoders of decode_image that need no library. All read hostile bytes: every offset is checked.
#pragma once

#include <span>

#include "calibration/images/image.h"

namespace quantize {

/// Windows bitmap: 1, 4 and 8 bits with a palette, 16 and 32 bits with or without channel masks, 24 bits;
/// bottom-up and top-down; no run-length compression. Errors: Error(kCalibration).
Image decode_bmp(std::span<const uint8_t> bytes);

/// PPM and PGM, as text (P2, P3) and binary (P5, P6), with any maxval up to 65535: y = round(255 x / maxval).
/// Errors: Error(kCalibration).
Image decode_pnm(std::span<const uint8_t> bytes);

/// The orientation in an Exif block ("Exif\0\0" and a TIFF directory); 1 if it has none or is damaged.
int exif_orientation(std::span<const uint8_t> block);

}  // namespace quantize
