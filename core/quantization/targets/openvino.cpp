// OpenVINO's CPU plugin. It turns Q and DQ into FakeQuantize and back, and computes a layer on integers if its activations
// are u8 and its weights s8; it rounds what stands in front of a layer, and applies what stands behind one on reals.
// It reads Q and DQ of 16 bits, and computes other numbers than they say (version 2026.4), so that it has none here.
// Read back from models that version 2026.4 compiled (tests/conformance/layers_in_openvino.py).
#include "core/fusion/patterns.h"
#include "core/quantization/targets/onnx_runtime.h"

namespace quantize {

namespace {

constexpr IntegerOperator kOperators[] = {
    {.op_type = "Conv", .output = OutputForm::kCodesOrReals},
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
                              .mislaid = kOnnxRuntimeMislaid,
                              .rest_types = kOnnxRuntimeRest,
                              .instead_of_dynamic =
                                  "it computes ConvInteger and MatMulInteger in float; "
                                  "give --mode static and images, or --mode weight-only",
                              .unpacks_codes = true};

}  // namespace quantize
