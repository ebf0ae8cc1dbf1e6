// AMD's NPUs and DPUs of 8 bits: s8 with zero points of 0, one scale per tensor, all scales powers of two (XINT8).
// Source: AMD Quark for ONNX, configuration XINT8. Its own files hold biases as s8; these hold s32 of the scale
// x_scale * w_scale, which is a power of two, too.
#include "core/quantization/targets/onnx_runtime.h"

namespace quantize {

namespace {

constexpr IntegerOperator kOperators[] = {
    {.op_type = "Conv", .channel_weights = false},
    {.op_type = "ConvTranspose", .channel_weights = false},
    {.op_type = "Gemm", .channel_weights = false},
    {.op_type = "MatMul", .channel_weights = false},

    {.op_type = "Add"},
    {.op_type = "AveragePool"},
    {.op_type = "Concat", .scales = ScaleSharing::kAlways},
    {.op_type = "GlobalAveragePool"},
    {.op_type = "LeakyRelu"},
    {.op_type = "Mul"},

    {.op_type = "DepthToSpace"},
    {.op_type = "Flatten"},
    {.op_type = "MaxPool"},
    {.op_type = "Reshape"},
    {.op_type = "Resize", .fits = kByNearest},
    {.op_type = "Slice"},
    {.op_type = "Split"},
    {.op_type = "Squeeze"},
    {.op_type = "Transpose"},
    {.op_type = "Unsqueeze"},
};

constexpr TypePair kTypePairs[] = {{DataType::kS8, DataType::kS8, true}};

constexpr Fusion kFusions[] = {{.part = ChainPart::kClamp}};

}  // namespace

extern const TargetProfile kVitis;
const TargetProfile kVitis{.name = "vitis",
                           .description = "Vitis AI, NPUs and DPUs of 8 bits (XINT8)",
                           .operators = kOperators,
                           .type_pairs = kTypePairs,
                           .opsets = kOnnxRuntimeOpsets,
                           .grid = ScaleGrid::kPowersOfTwo,
                           .rounds_results = true,
                           .fusions = kFusions,
                           .unasked_fusions = kOnnxRuntimeFusions,
                           .mislaid = kOnnxRuntimeMislaid,
                           .instead_of_dynamic =
                               "its scales are powers of two that the file fixes; give "
                               "--mode static and images"};

}  // namespace quantize
