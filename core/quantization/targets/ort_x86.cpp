// ONNX Runtime's CPU provider on x86-64. Source: the operators its QDQ selectors fuse, tried one by one with
// version 1.32; the reasons are in the README of this folder's parent.
#include "core/quantization/targets/onnx_runtime.h"

namespace quantize {

namespace {

constexpr IntegerOperator kOperators[] = {
    {.op_type = "Conv"},
    {.op_type = "Gemm", .float_output = true},
    {.op_type = "MatMul", .float_output = true},

    {.op_type = "Add"},
    {.op_type = "AveragePool"},
    {.op_type = "Concat"},
    {.op_type = "GlobalAveragePool"},
    {.op_type = "LeakyRelu"},
    {.op_type = "Mul"},
    {.op_type = "Sigmoid"},

    {.op_type = "Flatten"},
    {.op_type = "Gather"},
    {.op_type = "MaxPool"},
    {.op_type = "Reshape"},
    {.op_type = "Resize", .attribute = "mode", .attribute_value = "nearest"},
    {.op_type = "Slice"},
    {.op_type = "Split"},
    {.op_type = "Squeeze"},
    {.op_type = "Transpose"},
    {.op_type = "Unsqueeze"},
};

// Activations of s8 are accepted, but on x86 they leave additions and many convolutions in float.
constexpr TypePair kTypePairs[] = {
    {DataType::kU8, DataType::kS8}, {DataType::kU8, DataType::kU8}, {DataType::kS8, DataType::kS8}};

}  // namespace

extern const TargetProfile kOrtX86;
const TargetProfile kOrtX86{.name = "ort-x86",
                            .description = "ONNX Runtime, CPU provider, x86-64",
                            .operators = kOperators,
                            .type_pairs = kTypePairs,
                            .unasked_fusions = kOnnxRuntimeFusions,
                            .mislays = onnx_runtime_mislays};

}  // namespace quantize
