// The graph passes. Each takes a graph and leaves a valid one that computes the same; pipelines.cpp has the
// order. At the end: parts of graphs, and which values are results.
#pragma once

#include "core/error.h"
#include "core/graph.h"

namespace quantize {

/// Fills dtype and shape of every value as far as they follow from the inputs and constants. What a file says
/// about intermediate values is not trusted: it is replaced by inference. Errors: Error(kUnsupported)
/// for an unknown operator, Error(kInvalidModel) for shapes that cannot be; each with the node as context.
void infer_shapes(Graph& graph);

/// Infers the types inside of a node's bodies from those of the inputs that the node has. infer_shapes calls it.
void infer_bodies(const Graph& graph, Node& node);

/// Replaces every If whose condition is a constant by the nodes of the branch that runs; true if there was one.
bool inline_branches(Graph& graph);

/// The treatment of a DequantizeLinear of constants. kFold: it becomes a constant of reals. kKeep: it stays,
/// so that its reader can compute on integers.
enum class ConstantCodes { kFold, kKeep };

/// Replaces every node whose inputs are all constant by its result, and every node whose result follows from
/// known shapes (Shape, Size and what is computed from them). Results above 64 MiB, or 2 GiB together, are
/// left alone. Requires: infer_shapes ran. Every known operator is deterministic, so that none is excepted.
void fold_constants(Graph& graph, ConstantCodes codes = ConstantCodes::kFold);

/// narrow_doubles (core/passes/narrow_doubles.h), fold_constants and inline_branches, again and again until nothing
/// changes.
void infer_and_fold(Graph& graph, ConstantCodes codes = ConstantCodes::kFold);

/// Rewrites every node whose form or meaning changed up to `opset`, so that the model means the same in it. A
/// model of that opset or a newer one stays as it is. Requires: infer_and_fold ran, so that constant operands
/// are known. Errors: Error(kUnsupported) with the node as context for what has no equivalent.
void upgrade_opset(Graph& graph, int64_t opset);

/// Lowers the opset of a model above 21 to the first, from 21 on, that has all operators, forms and element types
/// that it uses: runtimes know the newest opsets late. Nothing changed its meaning between these.
/// Requires: infer_shapes ran.
void lower_opset(Graph& graph);

/// Replaces forms that newer opsets added by older ones, which every runtime computes alike:
///
///   Pad, Resize   pads, sizes, scales and regions for all axes in place of `axes`, computed operands included;
///                 the shape of a CenterCropPad, too
///   pools         no `dilations` of 1, no `ceil_mode` without effect, no `auto_pad` of dilated or distant windows
///   MatMul        no axes of extent 1 in front of the weights
///
/// Left alone: computed `axes`, and sizes that keep the aspect ratio where scales do not lead to them.
/// Requires: infer_shapes ran; afterwards shapes must be inferred and constants folded again.
void plain_forms(Graph& graph);

/// Replaces every Einsum of two f32 operands that sums over labels of both by a MatMul, with Transpose and Reshape
/// around it. Left alone: a label that repeats, or is summed in one operand alone; labels of unknown extents
/// that would have to become one axis. Requires: infer_shapes ran; afterwards shapes must be inferred again.
void einsum_to_matmul(Graph& graph);

/// Replaces normalizations that are written as means, squares and roots by the operator that they are, and lifts
/// the opset to 17 where it is a LayerNormalization:
///
///   (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * scale + bias
///   x * factor + (bias - mean * factor)         with factor = scale / sqrt(...)
///
/// LayerNormalization is over the last axes, InstanceNormalization over all behind the second. Left alone: other axes,
/// unknown extents of the scale, constants that vary along other axes. Requires: infer_and_fold ran.
void find_normalizations(Graph& graph);

/// Removes nodes that change nothing: Identity, Dropout, Cast to the same type, Reshape to the same shape,
/// ... Graph outputs keep their names. Requires: infer_shapes ran.
void remove_no_ops(Graph& graph);

/// Moves a Pad into the pads of the Conv, MaxPool or AveragePool that reads it, where that computes the same:
/// a Conv pads with 0, a MaxPool with -inf, an AveragePool with 0 if it counts its padding. Requires:
/// infer_shapes ran.
void fold_pads(Graph& graph);

/// Folds BatchNormalization and Add, Sub, Mul, Div with constants per channel into the weights and bias of
/// the Conv, ConvTranspose or Gemm before them, if nothing else reads what is between. Accuracy: computed in
/// double, rounded to float once for a whole chain.
void fold_channel_affine(Graph& graph);

/// Replaces a Conv whose kernel covers its whole image, without padding, by Flatten, Gemm and Unsqueeze, if
/// its output is a result (see find_results): a Gemm may return reals where the rest is in integers. Graphs
/// older than opset 13 stay as they are. Requires: infer_shapes ran.
void conv_to_gemm(Graph& graph);

/// Lets nodes read one of several equal constants; the operands of one node stay different values.
void merge_constants(Graph& graph);

/// Removes the nodes with dropped[n]; the others keep their order.
void drop_nodes(Graph& graph, const std::vector<bool>& dropped);

/// Removes nodes whose outputs nobody reads. Values and ids stay. Values with keep[id] count as read.
void remove_dead_nodes(Graph& graph, const std::vector<bool>& keep = {});

/// Removes values that nothing refers to. Ids change.
void remove_unused_values(Graph& graph);

/// Names nodes without a name, or with another's, after their first output.
void name_nodes(Graph& graph);

/// The least opset of what we write: the first with scales per channel in QuantizeLinear.
constexpr int64_t kMinOutputOpset = 13;

/// Takes QuantizeLinear and DequantizeLinear of ONNX Runtime's domain for ONNX's own, which mean the same,
/// from opset 13 on.
void standardize_quantizers(Graph& graph);

/// The one way to make a model ready, to be run, timed, compared, calibrated or quantized: folded, fused and
/// inferred; the order is in pipelines.cpp. The result computes the same within float rounding. The roundings
/// of a model stay: QuantizeLinear, DequantizeLinear and operators on codes keep their meaning, constant
/// codes stay codes. It is lifted to opset `min_opset` if that is higher than its own. Names of graph inputs
/// and outputs stay; ids do not. Errors: Error(kUnsupported) or Error(kInvalidModel) with the node as
/// context.
Graph open_model(const Graph& source, int64_t min_opset = 0);

/// Fixes the extents of graph inputs, then infers and folds until nothing is left unknown.
/// Shapes:  input_shapes[i] belongs to graph.inputs[i]; static, of the rank and extents the model allows.
/// Errors:  Error(kInvalidArgument) if a shape contradicts the model; Error(kUnsupported) if a shape still
///          depends on data afterwards.
/// The ids of all values stay what they were; values with keep[id] are still computed.
Graph specialize(const Graph& graph, const std::vector<Shape>& input_shapes,
                 const std::vector<bool>& keep = {});

/// The same where shapes that depend on data stay unknown.
Graph specialize_known(const Graph& graph, const std::vector<Shape>& input_shapes,
                       const std::vector<bool>& keep = {});

/// True if every value that a node computes has a static shape, and no node has bodies.
bool has_static_shapes(const Graph& graph);

/// Per value, whether it is a result: outputs of the graph are made from it, and no layer of weights reads it
/// or what is made from it.
std::vector<bool> find_results(const Graph& graph, const GraphIndex& index);

/// The part of a graph that computes `outputs` from `inputs`: the nodes between them, with the ids of values
/// kept. Errors: Error(kInternal) if the outputs depend on anything else but constants.
Graph subgraph(const Graph& graph, const std::vector<ValueId>& inputs, const std::vector<ValueId>& outputs);

/// A chain of element-wise operators as a function of one number: the values of `to` for the values x of
/// `from`, by the operators' reference code. It runs on a tensor of as many axes as `from` has, so that
/// constants broadcast as they do in the graph.
///
/// Shapes:   x [n], the result too.
/// Requires: `to` depends on nothing but `from` and constants of one element (see broadcasts_as_scalar),
///           through element-wise operators of one output.
Tensor evaluate_chain(const Graph& graph, const GraphIndex& index, ValueId from, ValueId to, const Tensor& x);

}  // namespace quantize
