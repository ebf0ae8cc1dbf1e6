// Images whose pixels stay what they are: codes of the first convolution that equal the bytes of the image.
#pragma once

#include <string>
#include <vector>

#include "core/graph.h"
#include "core/pixel_grid.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"
#include "core/range_table.h"

namespace quantize {

/// Puts the bytes of the image between the graph's only input and the convolution that reads it:
///
///   x -> Conv(w)   becomes   x -> Pad -> BatchNormalization -> Conv(w * scale, without pads)
///
/// The BatchNormalization computes x / scale + zero, whole numbers of [0, 255], and the bias takes the zeros
/// back. It computes the same, but rounding these numbers loses nothing: with a scale and zero point per
/// channel a QuantizeLinear makes them of x directly, the convolution sees one scale, and the padding that
/// one zero point could not stand for is there in reals. One scale for channels of different means and
/// deviations has steps wider than a pixel's, off by up to half of one. Without pads there is no Pad.
///
/// Returns the name of the bytes' value. Empty, and the graph is unchanged,
///
///   - if one scale loses nothing anyway;
///   - if a channel's zero is so near to the middle of two bytes that rounding might take the wrong one;
///   - if anything but one plain two-dimensional Conv with constant weights reads the input, or if that Conv is
///     to stay float;
///   - if the scheme has fewer than 256 codes or an override of the input or the weights;
///   - if a model that takes codes (QuantizationScheme::integer_input) would have to pad them.
///
/// Errors: those of find_candidates.
std::string read_pixels(Graph& graph, const PixelGrid& grid, const QuantizationScheme& scheme,
                        const TargetProfile& target);

/// Sets the range of the bytes as calibration would find it, with ValueRange::bytes, which no calibrator sets.
/// Requires: `pixels` came from read_pixels.
void add_pixel_range(const Graph& graph, const std::string& pixels, const PixelGrid& grid,
                     RangeTable& ranges);

}  // namespace quantize
