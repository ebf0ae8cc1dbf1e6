// Qualcomm's NPU through ONNX Runtime's QNN provider: everything is codes, the results included, since what is not runs on
// another processor. Only convolutions take a scale per channel.
// Source: onnxruntime.quantization.execution_providers.qnn; ONNX Runtime's documentation of the provider.
#include "core/quantization/targets/onnx_runtime.h"

namespace quantize {

namespace {

constexpr IntegerOperator kOperators[] = {
    {.op_type = "Conv"},
    {.op_type = "ConvTranspose"},
    {.op_type = "Gemm", .channel_weights = false},
    {.op_type = "MatMul", .channel_weights = false},

    {.op_type = "Add"},
    {.op_type = "AveragePool"},
    {.op_type = "Concat", .scales = ScaleSharing::kWhereAlone},
    {.op_type = "Div"},
    {.op_type = "GlobalAveragePool"},
    {.op_type = "Mul"},
    {.op_type = "Softmax"},
    {.op_type = "Sub"},
    {.op_type = "Where"},

    {.op_type = "Elu"},
    {.op_type = "Gelu"},
    {.op_type = "HardSigmoid"},
    {.op_type = "HardSwish"},
    {.op_type = "LeakyRelu"},
    {.op_type = "Sigmoid"},
    {.op_type = "Tanh"},

    {.op_type = "DepthToSpace"},
    {.op_type = "Flatten"},
    {.op_type = "Gather"},
    {.op_type = "MaxPool"},
    {.op_type = "Reshape"},
    {.op_type = "Resize", .fits = kByNearest},
    {.op_type = "Slice"},
    {.op_type = "SpaceToDepth"},
    {.op_type = "Split"},
    {.op_type = "Squeeze"},
    {.op_type = "Tile"},
    {.op_type = "Transpose"},
    {.op_type = "Unsqueeze"},
};

constexpr TypePair kTypePairs[] = {{DataType::kU8, DataType::kS8}, {DataType::kU8, DataType::kU8}};

constexpr FixedOutput kFixedOutputs[] = {{"Sigmoid", 1.0f / 65536, 0, DataType::kU16},
                                         {"Tanh", 1.0f / 32768, 32768, DataType::kU16}};

constexpr SixteenBits kSixteenBits{};

}  // namespace

extern const TargetProfile kQnn;
const TargetProfile kQnn{.name = "qnn",
                         .description = "ONNX Runtime, QNN provider",
                         .operators = kOperators,
                         .type_pairs = kTypePairs,
                         .opsets = kOnnxRuntimeOpsets,
                         .rounds_results = true,
                         .fixed_outputs = kFixedOutputs,
                         .sixteen_bits = &kSixteenBits,
                         .unasked_fusions = kOnnxRuntimeFusions,
                         .mislaid = kOnnxRuntimeMislaid,
                         .instead_of_dynamic =
                             "its scales are fixed when a graph is prepared; give --mode "
                             "static and images",
                         .multiplies_s4 = true};

}  // namespace quantize
