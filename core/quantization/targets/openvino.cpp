// OpenVINO's CPU plugin. It turns Q and DQ into FakeQuantize and back, and computes a layer on integers if its activations
// are u8 and its weights s8; it rounds what stands in front of a layer, and applies what stands behind one on reals.
// It reads Q and DQ of 16 bits, and computes other numbers than they say (version 2026.4), so that it has none here.
// Read back from models that version 2026.4 compiled (tests/conformance/layers_in_openvino.py).
#include <algorithm>

#include "core/fusion/patterns.h"
#include "core/quantization/targets/onnx_runtime.h"

namespace quantize {

namespace {

/// True for a convolution of one tap that leaves pixels out.
bool leaves_out(const Graph& graph, const Node& conv) {
  const auto& w = graph.value(conv.input(1)).shape;
  const auto strides = conv.ints_attribute("strides", {});
  return w && w->size() > 2 &&
         std::all_of(w->begin() + 2, w->end(), [](int64_t taps) { return taps == 1; }) &&
         std::any_of(strides.begin(), strides.end(), [](int64_t stride) { return stride > 1; });
}

/// False where all that read the input leave out the same pixels: OpenVINO then leaves them out in front of the
/// DequantizeLinear, which it knows no more.
bool keeps_strides(const Graph& graph, const Node& conv) {
  if (!leaves_out(graph, conv)) return true;
  const ValueId x = conv.inputs[0];
  return std::find(graph.outputs.begin(), graph.outputs.end(), x) != graph.outputs.end() ||
         std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& reader) {
           const bool is_like = reader.op_type == conv.op_type && leaves_out(graph, reader) &&
                                reader.ints_attribute("strides", {}) == conv.ints_attribute("strides", {});
           return std::find(reader.inputs.begin(), reader.inputs.end(), x) != reader.inputs.end() && !is_like;
         });
}

constexpr IntegerOperator kOperators[] = {
    {.op_type = "Conv",
     .output = OutputForm::kCodesOrReals,
     .fits = {keeps_strides, "unless all that read its input are of one tap with the same strides"}},
    {.op_type = "ConvTranspose", .output = OutputForm::kCodesOrReals},
    {.op_type = "Gemm", .output = OutputForm::kCodesOrReals},
    {.op_type = "MatMul", .output = OutputForm::kCodesOrReals},

    {.op_type = "Add"},
    {.op_type = "AveragePool"},
    {.op_type = "Concat", .scales = ScaleSharing::kAlways},
    {.op_type = "GlobalAveragePool"},
    {.op_type = "Mul"},

    {.op_type = "DepthToSpace"},
    {.op_type = "Flatten"},
    {.op_type = "Gather"},
    {.op_type = "MaxPool"},
    {.op_type = "Reshape"},
    {.op_type = "Resize", .fits = kByNearest},
    {.op_type = "Slice"},
    {.op_type = "Split"},
    {.op_type = "Squeeze"},
    {.op_type = "Transpose"},
    {.op_type = "Unsqueeze"},
};

// Activations of s8 are accepted; they are fast on CPUs that multiply s8 by s8.
constexpr TypePair kTypePairs[] = {{DataType::kU8, DataType::kS8}, {DataType::kS8, DataType::kS8}};

constexpr Fusion kFusions[] = {
    {.part = ChainPart::kClamp},
    {.part = ChainPart::kFunction, .behind = {is_image_conv, "a Conv of images"}},
};

}  // namespace

extern const TargetProfile kOpenVino;
const TargetProfile kOpenVino{.name = "openvino",
                              .description = "OpenVINO, CPU plugin, x86-64",
                              .operators = kOperators,
                              .type_pairs = kTypePairs,
                              .opsets = kOnnxRuntimeOpsets,
                              .bias = BiasForm::kRealsOrCodes,
                              .fusions = kFusions,
                              .unasked_fusions = kOnnxRuntimeFusions,
                              .without_vnni = "quantize with --reduce-range",
                              .mislaid = kOnnxRuntimeMislaid,
                              .rest_types = kOnnxRuntimeRest,
                              .instead_of_dynamic =
                                  "it computes ConvInteger and MatMulInteger in float; "
                                  "give --mode static and images, or --mode weight-only",
                              .unpacks_codes = true};

}  // namespace quantize
