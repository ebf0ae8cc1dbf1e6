// Resizing images with the filters that models were trained with.
#pragma once

#include "calibration/images/image.h"

namespace quantize {

/// Filters of a resize, as Pillow defines them.
enum class Interpolation { kNearest, kBilinear, kBicubic, kLanczos };

/// A part of a resized image.
struct Region {
  int64_t left = 0, top = 0, width = 0, height = 0;
};

/// The part `region` of the image resized to width x height.
///
/// Filters: bilinear is the triangle of support 1, bicubic Keys' cubic with a = -0.5, lanczos the windowed
/// sinc of support 3; nearest takes the source pixel under the centre. With `antialias` a filter widens by
/// the shrinking factor, so that every source pixel counts; without, it keeps its support and just samples.
/// Requires: region inside width x height. Errors: those of make_image for the region.
/// Accuracy: the pixels of Pillow 13's Image.resize (two passes, 22-bit fixed point, 8 bits in between) with
/// antialias. Source: Pillow's documentation of its filters; Keys 1981; Turkowski 1990.
Image resize(const Image& image, int64_t width, int64_t height, Interpolation interpolation, bool antialias,
             const Region& region);

}  // namespace quantize
