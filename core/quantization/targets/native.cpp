// Our own engine, and the files of integer operators it shares with ONNX Runtime: what either of the two
// computes on codes. Functions of one code need no operator of their own: the engine makes tables of them.
#include "core/fusion/patterns.h"
#include "core/integer/transposed_phases.h"
#include "core/ops/support/resample.h"
#include "core/quantization/targets/onnx_runtime.h"

namespace quantize {

namespace {

/// True for a ConvTranspose that the lowering makes a convolution of.
bool has_phases(const Graph& graph, const Node& node) {
  const auto& shape = graph.value(node.inputs[1]).shape;
  return shape && is_static(*shape) && phases_of(node, graph.value(node.inputs[0]).shape, *shape).has_value();
}

bool has_codes(const Graph& graph, const Node& resize) {
  return resizes_codes(resize_options(resize, graph.opset_of(resize)));
}

constexpr IntegerOperator kOperators[] = {
    {.op_type = "Conv"},
    {.op_type = "ConvTranspose",
     .fits = {has_phases, "of one group, whose output is its stride times its input"}},
    {.op_type = "Gemm", .output = OutputForm::kCodesOrReals},
    {.op_type = "MatMul", .output = OutputForm::kCodesOrReals},

    {.op_type = "Add"},
    {.op_type = "AveragePool"},
    {.op_type = "Concat", .scales = ScaleSharing::kWhereAlone},
    {.op_type = "GlobalAveragePool"},
    {.op_type = "Mul"},
    {.op_type = "Where"},

    {.op_type = "Celu"},
    {.op_type = "Elu"},
    {.op_type = "Gelu"},
    {.op_type = "HardSigmoid"},
    {.op_type = "HardSwish"},
    {.op_type = "LeakyRelu"},
    {.op_type = "Mish"},
    {.op_type = "Selu"},
    {.op_type = "Sigmoid"},
    {.op_type = "Softplus"},
    {.op_type = "Softsign"},
    {.op_type = "Tanh"},

    {.op_type = "DepthToSpace"},
    {.op_type = "Flatten"},
    {.op_type = "Gather"},
    {.op_type = "MaxPool"},
    {.op_type = "Reshape"},
    {.op_type = "Resize", .fits = {has_codes, "by the nearest element or the mean of neighbours"}},
    {.op_type = "Slice"},
    {.op_type = "Split"},
    {.op_type = "Squeeze"},
    {.op_type = "Transpose"},
    {.op_type = "Unsqueeze"},
};

constexpr TypePair kTypePairs[] = {
    {DataType::kU8, DataType::kS8}, {DataType::kU8, DataType::kU8}, {DataType::kS8, DataType::kS8}};

constexpr NodeTest kImageConv = {is_image_conv, "a Conv of images"};

constexpr Fusion kFusions[] = {
    {.part = ChainPart::kClamp},
    {.part = ChainPart::kFunction, .behind = kImageConv, .codes = DataType::kU8},
    {.part = ChainPart::kAddition, .behind = kImageConv, .codes = DataType::kU8},
};

/// Files have either; the engine widens both.
constexpr DataType kRest[] = {DataType::kF16, DataType::kBF16};

constexpr ChannelScales kChannelScales = {.writes = kImageConv,
                                          .reads = {is_depthwise_image_conv, "a depthwise Conv of images"}};

}  // namespace

extern const TargetProfile kNative;
const TargetProfile kNative{.name = "native",
                            .description = "the engine of this program",
                            .operators = kOperators,
                            .type_pairs = kTypePairs,
                            .opsets = kOnnxRuntimeOpsets,
                            .fusions = kFusions,
                            .channel_scales = &kChannelScales,
                            .unasked_fusions = kOnnxRuntimeFusions,
                            .takes_codes = true,
                            .mislaid = kOnnxRuntimeMislaid,
                            .rest_types = kRest,
                            .dynamic_operators = kOnnxRuntimeDynamic,
                            .stored_codes = kOnnxRuntimeStored,
                            .unpacks_codes = true,
                            .block_opset = kOnnxRuntimeBlocks};

}  // namespace quantize
