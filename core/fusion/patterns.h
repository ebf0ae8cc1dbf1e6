// Small patterns of nodes that several parts of the program recognize.
#pragma once

#include <optional>
#include <vector>

#include "core/graph.h"
#include "core/quant_params.h"

namespace quantize {

/// Bounds that a node puts on every element.
struct Clamp {
  float low, high;  // -inf or +inf where the node has no bound
};

/// The smallest and the largest code of some.
struct CodeRange {
  int32_t low, high;
};

/// The codes that a clamp leaves of `codes`: to clamp reals and then to round them is to round them and then
/// to clamp their codes to these.
CodeRange clamp_codes(const Clamp& clamp, float scale, int32_t zero_point, CodeRange codes);

/// True if it leaves out some of them, of any channel. Requires: as many zero points as scales.
bool cuts_codes(const Clamp& clamp, const std::vector<float>& scale, const std::vector<int32_t>& zero_point,
                CodeRange codes);
/// The same for the codes in use.
bool cuts_codes(const Clamp& clamp, const QuantParams& params);

/// True for a constant of one element and no more axes than `x`: an element-wise operator applies it to every
/// element of x and keeps its shape. With more axes the result would have them, too; where the rank of x is
/// unknown, none may do.
bool broadcasts_as_scalar(const Graph& graph, const Tensor& constant, ValueId x);

/// The bounds of a Relu, of a Max or Min of an activation and a constant behind it that broadcasts as a
/// scalar, or of a Clip whose bounds are constants of one element (attributes up to opset 6, inputs after);
/// nothing for any other node.
std::optional<Clamp> constant_clamp(const Graph& graph, const Node& node);

/// True for ONNX's QuantizeLinear.
bool is_quantize(const Node& node);

/// The QuantizeLinear that alone reads the reals, which are no output; kNoNode: there is none.
NodeId quantize_reading(const Graph& graph, const GraphIndex& index, ValueId real);

/// The constant of one element by which a Mul or Div scales its first input; nullptr for any other node.
const Tensor* constant_factor(const Graph& graph, const Node& node);

/// True for a shield: a Max with the lowest float in front of a QuantizeLinear. It changes no code, and
/// stands where a runtime would compute on codes what is to be computed in float.
bool is_shield(const Graph& graph, const GraphIndex& index, const Node& node);

/// The node of such bounds that alone reads the value, which is no output; kNoNode: there is none.
NodeId clamp_reading(const Graph& graph, const GraphIndex& index, ValueId value);

/// An Add or QLinearAdd that alone reads a value, and its other operand.
struct ImageAddition {
  NodeId add = kNoNode;
  ValueId other = kNoValue;
  bool other_first = false;  // the other operand is the first
};
/// The addition of `value` and another computed image of four axes and the same shape (extents that are
/// unknown in both count as the same); nothing if there is none.
std::optional<ImageAddition> addition_reading(const Graph& graph, const GraphIndex& index, ValueId value);

/// The LookupTable that alone reads the codes; kNoNode: there is none.
NodeId table_reading(const Graph& graph, const GraphIndex& index, ValueId codes);

/// The place among its inputs of the f32 constant that an Add adds to an activation; nothing for any other
/// node.
std::optional<size_t> constant_addend(const Graph& graph, const Node& node);

/// The constant that an Add adds along the last axis of `value`, which is one of its operands: one number for
/// each of `columns`, whether the constant holds as many or one for all, on either side. Nothing if the
/// constant differs along another axis or has more axes than the value (then the sum would have them, too).
struct ColumnAddend {
  size_t place = 0;            // of the constant among the Add's inputs
  std::vector<float> columns;  // what it adds
};
std::optional<ColumnAddend> column_addend(const Graph& graph, const Node& add, ValueId value,
                                          int64_t columns);

/// True for a constant of one number per column, in one row.
bool is_row(const Tensor& tensor, int64_t columns);

/// The numbers of a constant of `columns` columns and one row, or of one element, which stands for all of
/// them; nothing for any other shape.
std::optional<std::vector<float>> row_of(const Tensor& tensor, int64_t columns);

/// True for weights [outputs, inputs of one group, kernel height, kernel width] of known extents.
bool is_image_kernel(Dims weights);

/// True for a Conv of two spatial axes whose weights have a known shape.
bool is_image_conv(const Graph& graph, const Node& node);

/// True if each output channel of a convolution reads the one input channel of its number.
/// Shapes: weights [outputs, inputs of one group, ...].
bool is_depthwise(const Node& conv, Dims weights);

/// True for an image convolution that is depthwise.
bool is_depthwise_image_conv(const Graph& graph, const Node& node);

/// True for an image convolution whose taps do not all read the same elements: one that has a kernel larger than
/// 1x1, a stride or padding.
bool has_distinct_taps(const Graph& graph, const Node& node);

/// The statistics that a BatchNormalization learned of its input in training, per channel (axis 1).
struct LearnedStatistics {
  ValueId input = kNoValue;
  std::vector<float> mean, variance;  // the variance with epsilon added
};

/// Those of the BatchNormalizations with constant statistics that have no other before them: nearest to the
/// graph's inputs. Requires: nodes in topological order.
std::vector<LearnedStatistics> first_batch_normalizations(const Graph& graph);

/// The scaling of a graph's first input before any layer of weights, y = scale * x + shift: one number each,
/// or one per channel.
struct InputScaling {
  std::vector<double> scale, shift;
};
/// Follows Sub, Add, Mul, Div, BatchNormalization and ImageScaler with constants; Transpose, Identity and
/// Cast are passed. Nothing if none of them scales. Requires: constants are folded.
std::optional<InputScaling> input_scaling(const Graph& graph);

/// The results of the convolutions, in the order of the nodes.
std::vector<ValueId> convolution_outputs(const Graph& graph);

}  // namespace quantize
