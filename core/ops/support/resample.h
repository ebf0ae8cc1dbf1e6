// Sampling along one axis: where an output position lies in the input, and with which weights it reads it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/graph.h"

namespace quantize {

/// How Resize interpolates; decoded from a node by resize_options.
struct ResizeOptions {
  enum class Mode { kNearest, kLinear, kCubic };
  enum class Coordinates {
    kHalfPixel,
    kHalfPixelSymmetric,
    kPytorchHalfPixel,
    kAlignCorners,
    kAsymmetric,
    kTfHalfPixelForNn,
    kTfCropAndResize
  };
  enum class Nearest { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil, kSimple };

  Mode mode = Mode::kNearest;
  Coordinates coordinates = Coordinates::kHalfPixel;
  Nearest nearest = Nearest::kRoundPreferFloor;  // kSimple, of opset 10: ceil when shrinking, else floor
  float cubic_a = -0.75f, extrapolation = 0;
  bool exclude_outside = false, antialias = false;
};

/// The attributes of a Resize or Upsample node. Errors: Error(kInvalidModel) for values ONNX does not define.
ResizeOptions resize_options(const Node& node, int64_t opset);

/// True for what Resize computes on u8 as well as on f32: the nearest element, or the mean of neighbours,
/// which is rounded half to even. Codes of one scale and zero point may take the place of reals then.
bool resizes_codes(const ResizeOptions& options);

/// One axis: `out` positions over `in` elements. `start` and `end` are the region of kTfCropAndResize, which
/// holds where `scale` is not 1; an axis of scale 1 is copied, as ONNX Runtime does.
struct ResizeAxis {
  int64_t in = 0, out = 0;
  float scale = 1, start = 0, end = 1;
};

/// Output position -> index of the input element, clamped into it (kNearest).
std::vector<int64_t> nearest_indices(const ResizeOptions& options, const ResizeAxis& axis);

/// The elements that each output position reads: taps [begin[j], begin[j + 1]) of index and weight; none
/// where the position lies outside the region's image and the extrapolation value stands.
struct Taps {
  std::vector<size_t> begin{0};
  std::vector<int64_t> index;
  std::vector<float> weight;
};
Taps resize_taps(const ResizeOptions& options, const ResizeAxis& axis);

}  // namespace quantize
