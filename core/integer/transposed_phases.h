// A ConvTranspose seen as one convolution, whose output channels are the phases of its stride, a DepthToSpace, and a
// Slice where that makes more than the output.
#pragma once

#include <optional>

#include "core/graph.h"

namespace quantize {

/// Output position s * q + p of an axis with stride s takes tap k of input position q + (p + pad_begin - k) /
/// s, for the k that leave no remainder: a convolution for each phase p.
struct TransposedPhases {
  /// Tap t of the convolution along one axis reads input position q + first + t.
  struct Axis {
    int64_t kernel = 1, pad_begin = 0;
    int64_t first = 0, taps = 1;
    int64_t grown = 0;  // extent of the convolution's output less that of its input
    int64_t cut = 0;    // elements behind the end of the ConvTranspose's output
    /// The tap of the ConvTranspose that phase p of `phases` applies there; outside [0, kernel): none.
    int64_t tap_of(int64_t phases, int64_t phase, int64_t t) const {
      return phase + pad_begin - (first + t) * phases;
    }
  };
  int64_t stride = 1, groups = 1, in_channels = 0, channels = 0;  // channels of all groups
  Axis rows, columns;

  /// 8-bit [in_channels][channels / groups][rows.kernel][columns.kernel] as [all phases of all channels]
  /// [in_channels / groups][rows.taps][columns.taps]. Taps that a phase lacks are the code of 0. Channels follow each
  /// other in each phase; with groups, phases in each channel, so that a group's stand together.
  Tensor weights(const Tensor& w) const;
  /// One element per channel, repeated for all phases.
  Tensor repeat(const Tensor& per_channel) const;
  std::map<std::string, Attribute> conv_attributes() const;
  std::map<std::string, Attribute> spread_attributes() const;
  /// The ends of rows and columns for a Slice; nothing if the output is whole.
  std::optional<std::vector<int64_t>> ends() const;

 private:
  int64_t place(int64_t phase, int64_t channel) const {
    return groups == 1 ? phase * channels + channel : channel * stride * stride + phase;
  }
};

/// The phases of a two-dimensional ConvTranspose with 8-bit weights of shape w, without dilation, with one stride for
/// both axes; nothing for any other, where the phases would multiply four times as often as the ConvTranspose, or for
/// an output_shape where the extents of the input x are not known.
std::optional<TransposedPhases> phases_of(const Node& conv, const std::optional<Shape>& x, Dims w);

}  // namespace quantize
