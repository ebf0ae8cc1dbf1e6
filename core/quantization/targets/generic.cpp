// Any runtime that reads QDQ: the operators and forms that ONNX Runtime, OpenVINO and the converters of NPUs all take.
#include "core/quantization/targets/onnx_runtime.h"

namespace quantize {

namespace {

constexpr IntegerOperator kOperators[] = {
    {.op_type = "Conv"},
    {.op_type = "Gemm", .output = OutputForm::kCodesOrReals},
    {.op_type = "MatMul", .output = OutputForm::kCodesOrReals},

    {.op_type = "Add"},
    {.op_type = "AveragePool"},
    {.op_type = "Concat", .scales = ScaleSharing::kAlways},
    {.op_type = "GlobalAveragePool"},
    {.op_type = "Mul"},

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

constexpr TypePair kTypePairs[] = {{DataType::kU8, DataType::kS8}};

}  // namespace

extern const TargetProfile kGeneric;
const TargetProfile kGeneric{.name = "generic",
                             .description = "any runtime that reads QDQ",
                             .operators = kOperators,
                             .type_pairs = kTypePairs,
                             .opsets = kOnnxRuntimeOpsets,
                             .sixteen_bits = &kSixteenBitsInFloat,
                             .unasked_fusions = kOnnxRuntimeFusions,
                             .without_vnni = "quantize with --reduce-range",
                             .mislaid = kOnnxRuntimeMislaid,
                             .rest_types = kOnnxRuntimeRest,
                             .dynamic_operators = kPortableDynamic};

}  // namespace quantize
