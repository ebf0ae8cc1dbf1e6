// The moved taps of a DeformConv, which its reference and the engine share.
#pragma once

#include <vector>

#include "core/ops/op.h"
#include "core/ops/support/window.h"

namespace quantize {

/// A place between four elements of an image, of which (top, left) is one.
struct MovedTap {
  enum class Where { kOutside, kBorder, kInside };  // none, some or all of the four are elements of the image
  Where where = Where::kOutside;
  int64_t top = 0, left = 0;
  float down = 0, right = 0;  // how far it is from there
  float weight = 1;           // the mask
};

/// Where the taps of a DeformConv read its input.
class MovedTaps {
 public:
  /// x [N, C, H, W], weights [M, C / group, kernel...]; extents known, and checked by inference.
  MovedTaps(const Node& node, Dims x, Dims weights);

  int64_t taps() const { return window_.kernel_size(); }
  /// Positions of the output.
  int64_t places() const { return window_.out_size(); }
  /// How many channels of the input are moved alike.
  int64_t channels() const { return channels_; }

  /// The taps of positions [begin, end) of the output, of a group of channels that are moved alike:
  /// [taps][end - begin].
  std::vector<MovedTap> find(const EvaluateContext& context, int64_t n, int64_t group, int64_t begin,
                             int64_t end) const;

  /// The values of one channel there, times the mask: as many as taps were found.
  void read(const EvaluateContext& context, int64_t n, int64_t channel, std::span<const MovedTap> found,
            float* values) const;

 private:
  MovedTap tap_at(float y, float x, float weight) const;

  Window window_;
  int64_t groups_, channels_;
};

}  // namespace quantize
