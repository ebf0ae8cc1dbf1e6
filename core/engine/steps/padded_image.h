// The image of one channel laid out so that a convolution reads it without a thought about borders or
// strides.
#pragma once

#include <cstddef>
#include <vector>

#include "core/ops/support/window.h"

namespace quantize {

/// A channel with its padding. With a stride s, every s-th row and column stand together (a phase), so that
/// neighbouring outputs read neighbouring elements of one phase:
///
///   element of output (d, h, w) under tap t  =  padded[taps[t] + (d * plane_rows + h) * pitch + w]
///
/// Where there is nothing to pad and no stride, the channel itself has this layout and `in_place` is set.
/// Source: the phases are those of polyphase filters; the rest is what a direct convolution does.
class PaddedImage {
 public:
  /// Requires: static extents. Errors: Error(kInvalidModel) if the size overflows.
  explicit PaddedImage(const Window& window);

  bool in_place = false;
  size_t size = 0;        // floats of one channel
  size_t pitch = 0;       // from one row of a phase to the next
  size_t plane_rows = 0;  // from one depth to the next, in rows
  std::vector<size_t> taps;

  /// Fills what the output rows [first_row, last_row) of every depth read of `padded` (size floats), from one
  /// channel.
  void fill(const float* channel, float* padded, int64_t first_row, int64_t last_row) const;

 private:
  /// One axis of the layout: which phases exist, and how many elements each has.
  struct Axis {
    WindowAxis window;
    std::vector<int64_t> phases;
    int64_t extent = 1;

    explicit Axis(const WindowAxis& axis);
    size_t phase_of(int64_t tap) const;
    /// The input position of element i of a phase; may lie outside the input.
    int64_t source(size_t phase, int64_t i) const {
      return i * window.stride + phases[phase] - window.pad_begin;
    }
  };

  void fill_row(const float* row, size_t phase, float* padded) const;

  Axis depth_, height_, width_;
};

}  // namespace quantize
