// A ConvTranspose seen as one convolution, whose output channels are the phases of its stride, and a
// DepthToSpace.
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
    /// The tap of the ConvTranspose that phase p of `phases` applies there; outside [0, kernel): none.
    int64_t tap_of(int64_t phases, int64_t phase, int64_t t) const {
      return phase + pad_begin - (first + t) * phases;
    }
  };
  int64_t stride = 1, in_channels = 0, channels = 0;
  Axis rows, columns;

  /// 8-bit [in_channels][channels][rows.kernel][columns.kernel] as [stride][stride][channels][in_channels]
  /// [rows.taps][columns.taps], the first three as one axis. Taps that a phase lacks are the code of 0.
  Tensor weights(const Tensor& w) const;
  /// One element per channel, repeated for all phases.
  Tensor repeat(const Tensor& per_channel) const;
  std::map<std::string, Attribute> conv_attributes() const;
  std::map<std::string, Attribute> spread_attributes() const;
};

/// The phases of a two-dimensional ConvTranspose of one group with 8-bit weights of shape w, without
/// dilation, with one stride for both axes, whose output is exactly stride times its input; nothing for any
/// other, or where the phases would multiply four times as often as the ConvTranspose.
std::optional<TransposedPhases> phases_of(const Node& conv, Dims w);

}  // namespace quantize
