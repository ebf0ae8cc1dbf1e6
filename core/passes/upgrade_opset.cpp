// Lifts a model to a newer version of ONNX's operators by rewriting the nodes whose form or meaning changed.
// Read kUpgrades first: it is the list of all changes from opset 7 to 21 that concern operators we know.
// Source: ONNX, docs/Changelog.md.
#include <algorithm>
#include <string_view>

#include "core/passes/passes.h"

namespace quantize {

namespace {

[[noreturn]] void unsupported(const std::string& message) {
  throw Error(ErrorKind::kUnsupported, message);
}

std::string base_name(const Graph& graph, const Node& node) {
  return node.name.empty() && node.output(0) != kNoValue ? graph.value(node.outputs[0]).name : node.name;
}

/// Integers become a one-dimensional tensor; a float a scalar, as Clip, Pad and Dropout take them.
Tensor tensor_of(const Attribute& attribute) {
  if (const auto* value = std::get_if<int64_t>(&attribute)) return Tensor::of<int64_t>({1}, {*value});
  if (const auto* value = std::get_if<float>(&attribute)) return Tensor::scalar(*value);
  if (const auto* values = std::get_if<std::vector<int64_t>>(&attribute))
    return Tensor::of<int64_t>({static_cast<int64_t>(values->size())}, *values);
  if (const auto* values = std::get_if<std::vector<float>>(&attribute))
    return Tensor::of<float>({static_cast<int64_t>(values->size())}, *values);
  throw Error(ErrorKind::kInvalidModel, "an attribute that should hold numbers does not");
}

/// Turns an attribute, where the node has it, into a constant input.
void attribute_to_input(Graph& graph, Node& node, const std::string& key, size_t position) {
  const auto found = node.attributes.find(key);
  if (found == node.attributes.end()) return;
  if (node.inputs.size() <= position) node.inputs.resize(position + 1, kNoValue);
  node.inputs[position] = graph.add_constant(base_name(graph, node) + "_" + key, tensor_of(found->second));
  node.attributes.erase(found);
}

void axes_to_input(Graph& graph, Node& node) {
  attribute_to_input(graph, node, "axes", 1);
}

void drop_spatial(Graph&, Node& node) {
  if (node.int_attribute("spatial", 1) != 1)
    unsupported(
        "normalizing every element on its own (spatial = 0) is not supported; export the model with spatial "
        "= 1");
  node.attributes.erase("spatial");
}

/// The further outputs hold statistics while training; in a model for inference nothing reads them.
void drop_training_outputs(Graph& graph, Node& node) {
  const GraphIndex index(graph);
  for (size_t i = 1; i < node.outputs.size(); ++i)
    if (node.outputs[i] != kNoValue &&
        (!index.uses(node.outputs[i]).empty() || index.is_output(node.outputs[i])))
      unsupported("the statistics of a training run are not supported; export the model for inference");
  node.outputs.resize(1);
}

void slice_to_inputs(Graph& graph, Node& node) {
  attribute_to_input(graph, node, "starts", 1);
  attribute_to_input(graph, node, "ends", 2);
  attribute_to_input(graph, node, "axes", 3);
}

void clip_to_inputs(Graph& graph, Node& node) {
  attribute_to_input(graph, node, "min", 1);
  attribute_to_input(graph, node, "max", 2);
}

void pad_to_inputs(Graph& graph, Node& node) {
  attribute_to_input(graph, node, "pads", 1);
  attribute_to_input(graph, node, "value", 2);
}

/// "nearest" of opset 10 rounds a place down where an axis grows, and up where it shrinks.
std::string nearest_mode_of_opset_10(const Graph& graph, const Node& node) {
  if (node.string_attribute("mode", "nearest") != "nearest") return "floor";  // means nothing then
  const Tensor* scales = graph.constant(node.input(1));
  const auto values = scales != nullptr ? scales->to_vector<double>() : std::vector<double>{0.5, 2};
  if (std::all_of(values.begin(), values.end(), [](double scale) { return scale >= 1; })) return "floor";
  if (std::all_of(values.begin(), values.end(), [](double scale) { return scale <= 1; })) return "ceil";
  unsupported(
      "a Resize of opset 10 is only supported if its scales are constant and all enlarge or all shrink; "
      "export the model with opset 11 or higher");
}

/// Upsample only enlarges, whatever its scales are.
void become_resize(Graph&, Node& node) {
  node.op_type = "Resize";
  node.attributes["nearest_mode"] = std::string("floor");
}

/// Up to opset 10, output element i comes from place i / scale.
void add_coordinate_mode(Graph& graph, Node& node) {
  node.attributes["coordinate_transformation_mode"] = std::string("asymmetric");
  if (!node.has_attribute("nearest_mode"))
    node.attributes["nearest_mode"] = nearest_mode_of_opset_10(graph, node);
  node.inputs.insert(node.inputs.begin() + 1, kNoValue);  // roi
}

/// floor((i + 0.5) / scale), which is round_half_up((i + 0.5) / scale - 0.5).
void replace_tf_half_pixel(Graph&, Node& node) {
  if (node.string_attribute("coordinate_transformation_mode", "half_pixel") != "tf_half_pixel_for_nn") return;
  if (node.string_attribute("mode", "nearest") != "nearest" ||
      node.string_attribute("nearest_mode", "round_prefer_floor") != "floor")
    unsupported(
        "coordinates of mode tf_half_pixel_for_nn are not supported; export the model with half_pixel");
  node.attributes["coordinate_transformation_mode"] = std::string("half_pixel");
  node.attributes["nearest_mode"] = std::string("round_prefer_ceil");
}

/// Says the old default, 1, so that it stays when the default becomes -1; see rewrite_flattened.
void state_axis(Graph&, Node& node) {
  node.attributes["axis"] = node.int_attribute("axis", 1);
}

/// Says the old default where the node says nothing.
void state_region_places(Graph&, Node& node) {
  node.attributes.try_emplace("coordinate_transformation_mode", std::string("output_half_pixel"));
}

/// The modes have the names that Resize has.
void rename_modes(Graph&, Node& node) {
  const std::string mode = node.string_attribute("mode", "bilinear");
  if (mode.starts_with("bi")) node.attributes["mode"] = mode.substr(2);
}

void axis_to_input(Graph& graph, Node& node) {
  node.attributes.try_emplace("axis", int64_t{1});
  attribute_to_input(graph, node, "axis", 2);
  Tensor& axis = graph.value(node.inputs[2]).initializer;
  axis = Tensor::scalar(axis.data<int64_t>()[0]);
}

/// One change of an operator: how to rewrite a node when the model passes this opset.
struct Upgrade {
  int64_t opset;
  std::string_view op_type;
  void (*apply)(Graph& graph, Node& node);
};

const Upgrade kUpgrades[] = {
    {9, "BatchNormalization", drop_spatial},
    {9, "Upsample", [](Graph& graph, Node& node) { attribute_to_input(graph, node, "scales", 1); }},
    {10, "Upsample", become_resize},
    {10, "Slice", slice_to_inputs},
    {10, "TopK", [](Graph& graph, Node& node) { attribute_to_input(graph, node, "k", 1); }},
    {11, "Clip", clip_to_inputs},
    {11, "Pad", pad_to_inputs},
    {11, "Resize", add_coordinate_mode},
    {11, "Scatter", [](Graph&, Node& node) { node.op_type = "ScatterElements"; }},
    {12, "Dropout", [](Graph& graph, Node& node) { attribute_to_input(graph, node, "ratio", 1); }},
    {13, "Hardmax", state_axis},
    {13, "LogSoftmax", state_axis},
    {13, "ReduceSum", axes_to_input},
    {13, "Resize", replace_tf_half_pixel},
    {13, "Softmax", state_axis},
    {13, "Split", [](Graph& graph, Node& node) { attribute_to_input(graph, node, "split", 1); }},
    {13, "Squeeze", axes_to_input},
    {13, "Unsqueeze", axes_to_input},
    {14, "BatchNormalization", drop_training_outputs},
    {16, "RoiAlign", state_region_places},
    {18, "ReduceL1", axes_to_input},
    {18, "ReduceL2", axes_to_input},
    {18, "ReduceLogSum", axes_to_input},
    {18, "ReduceLogSumExp", axes_to_input},
    {18, "ReduceMax", axes_to_input},
    {18, "ReduceMean", axes_to_input},
    {18, "ReduceMin", axes_to_input},
    {18, "ReduceProd", axes_to_input},
    {18, "ReduceSumSquare", axes_to_input},
    {18, "Split",
     [](Graph&, Node& node) {
       if (node.input(1) == kNoValue)
         node.attributes["num_outputs"] = static_cast<int64_t>(node.outputs.size());
     }},
    {20, "DFT", axis_to_input},
    {20, "GridSample", rename_modes},
    {21, "GroupNormalization",
     [](Graph&, Node&) {
       unsupported("the operator changed its meaning in opset 21; export the model with it");
     }},
};

bool takes_axis(const Node& node) {
  return node.domain.empty() &&
         (node.op_type == "Softmax" || node.op_type == "LogSoftmax" || node.op_type == "Hardmax");
}

/// Up to opset 12 these operators work on the input flattened to two dimensions at `axis`; from 13 on along
/// `axis` alone, which is the same where all further extents are 1.
bool same_along_axis(const Graph& graph, const Node& node) {
  const auto& shape = graph.value(node.inputs[0]).shape;
  if (!shape) return false;
  const auto axis = normalize_axis(node.int_attribute("axis", 1), shape->size());
  return std::all_of(shape->begin() + axis + 1, shape->end(), [](int64_t dim) { return dim == 1; });
}

/// Spells the old meaning out: Flatten, the operator along the last axis, Reshape to the shape of before.
void rewrite_flattened(Graph& graph) {
  std::vector<Node> nodes;
  const auto add = [&](const Node& origin, const char* op_type, std::vector<ValueId> inputs, ValueId output) {
    Node& node = nodes.emplace_back();
    node.op_type = op_type;
    node.name = base_name(graph, origin) + "_" + op_type;
    node.inputs = std::move(inputs);
    node.outputs = {output == kNoValue ? graph.add_value(node.name) : output};
    return node.outputs[0];
  };
  for (Node& node : graph.nodes) {
    if (!takes_axis(node) || same_along_axis(graph, node)) {
      nodes.push_back(std::move(node));
      continue;
    }
    const ValueId x = node.inputs[0], y = node.outputs[0];
    const ValueId shape = add(node, "Shape", {x}, kNoValue);
    const ValueId flat = add(node, "Flatten", {x}, kNoValue);
    nodes.back().attributes["axis"] = node.attributes["axis"];
    Node along = node;
    along.inputs = {flat};
    along.outputs = {graph.add_value(base_name(graph, node) + "_flat")};
    along.attributes["axis"] = int64_t{1};
    const ValueId result = along.outputs[0];
    nodes.push_back(std::move(along));
    add(node, "Reshape", {result, shape}, y);
  }
  graph.nodes = std::move(nodes);
}

}  // namespace

void upgrade_opset(Graph& graph, int64_t opset) {
  const int64_t source = graph.opset();
  if (source >= opset) return;
  for (Node& node : graph.nodes) {
    node.change_bodies([&](Graph& body) { upgrade_opset(body, opset); });
    if (!node.domain.empty()) continue;
    const std::string before = describe(graph, node);
    with_context([&]() -> const std::string& { return before; },
                 [&] {
                   for (const Upgrade& upgrade : kUpgrades)
                     if (node.op_type == upgrade.op_type && source < upgrade.opset && upgrade.opset <= opset)
                       upgrade.apply(graph, node);
                 });
  }
  if (source < 13 && opset >= 13) rewrite_flattened(graph);
  graph.info.opsets[""] = opset;
}

}  // namespace quantize
