// Weights as codes whose scales need no range of an activation: per output channel, or per block of a channel.
#pragma once

#include <optional>
#include <vector>

#include "core/quantization/modes/mode.h"

namespace quantize {

/// A constant operand that may be stored: an input of a layer with weights, or the table of a Gather.
struct WeightOperand {
  size_t input = 0;
  int64_t channel_axis = 0;  // counts what has a scale of its own
  int64_t block_axis = 0;    // along which a channel is cut into blocks
};

/// The operands of a node that may be stored: finite constants of f32 with two axes or more. Empty: it has none.
std::vector<WeightOperand> weight_operands(const Graph& graph, const Node& node);

/// The storage of one operand: codes along its channels, or in blocks where the channel is longer than one.
struct StorageType {
  StoredCodes codes;  // of a file
  int64_t bits = 8;   // in use, of those that the type has
  int64_t block = 0;
  bool packed = false;  // files have codes of `bits` in bytes, whatever `codes`
  WeightGrid grid = WeightGrid::kLinear;
  int64_t group = 0;  // this and the next as in WeightStorage
  bool channel_scales = false;
  std::optional<float> scale = {};  // of all weights, given
};

/// Codes, levels and scales of a constant, around 0. A codebook has the fewest bits that count its levels.
///
/// Shapes: weights of two axes or more; see StoredWeights. Types: weights f32, finite; scales f32, > 0.
/// Requires: bits that the grid has a use for; no block for a grid with levels.
StoredWeights store_weights(const Tensor& weights, const WeightOperand& operand, const StorageType& type);

/// True if mode weight-only stores weights in so many bits for the target, as the scheme has its grid and blocks.
bool stores_bits(const QuantizationScheme& scheme, const TargetProfile& target, int64_t bits);

/// The reals that stored weights stand for: f32, of the constant's shape.
Tensor restored(const StoredWeights& stored);

/// Plans what the bias of a layer takes back of the rounding of its weights, if the means of its input are known, it has
/// a bias of its own, and the scheme corrects biases. Requires: `layout` is that of the stored weights.
void plan_shift(const ModeRequest& request, const Node& node, const WeightLayout& layout,
                StoredWeights& stored);

}  // namespace quantize
