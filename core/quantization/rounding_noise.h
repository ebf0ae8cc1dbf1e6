// The noise that rounding one activation causes in the layers behind it, estimated from ranges and weights.
#pragma once

#include <vector>

#include "core/graph.h"
#include "core/range_table.h"

namespace quantize {

/// Estimates, per value, which share of what the next layers compute would be rounding noise.
///
/// A channel that spans L steps of the scale has noise of 1/12 step^2 on a variance of (L/8)^2 step^2 (the
/// extremes of many samples lie about eight standard deviations apart): a share of 64 / (12 L^2), at most 1.
/// Operators that keep channels apart (depthwise convolutions, activations, pools, arithmetic) pass the share
/// on as it is. Where channels mix (all other weights), output channel o gets
///
///   share(o) = sum over i of w2(o, i) * span(i)^2 * share(i)  /  sum over i of w2(o, i) * span(i)^2
///
/// with w2 the sum of the squared taps: a channel that the weights ignore does not matter, however coarse.
/// The result is the mean over output channels, of the reader where it is worst. A value that ends otherwise
/// (in a graph output, or an operator that moves channels) counts with the mean over its own channels: there
/// each one speaks for itself. Constant channels have no noise.
class RoundingNoise {
 public:
  struct Estimate {
    double share = 0;            // 0 to 1
    NodeId reader = kNoNode;     // where; kNoNode: at the value itself
    double narrowest_steps = 0;  // that the channel of the smallest span gets (constant ones aside)
  };

  /// All three must outlive the object.
  RoundingNoise(const Graph& graph, const GraphIndex& index, const RangeTable& ranges)
      : graph_(graph), index_(index), ranges_(ranges) {}

  /// Noise share of one channel that spans so many steps; a constant one (0) has none.
  static double share_of(double steps);

  /// For `value` held in steps of `scale`.
  Estimate estimate(ValueId value, float scale) const;

 private:
  const Graph& graph_;
  const GraphIndex& index_;
  const RangeTable& ranges_;
};

}  // namespace quantize
