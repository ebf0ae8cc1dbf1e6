// The rules of TensorFlow Lite's 8-bit specification, in ONNX. Its files are made by a converter, such as onnx2tf.
// With activations of 16 bits ("16x8") these are s16 with zero points of 0, and biases s64. ONNX dequantizes no s64, so
// they are written as s32 of the same scale, which holds every bias that the planner lets through.
// Source: LiteRT, "8-bit quantization specification", the table of operators; tensorflow/lite/tools/optimize/
// operator_property.cc for 16 bits.
#include "core/quantization/targets/onnx_runtime.h"

namespace quantize {

namespace {

constexpr IntegerOperator kOperators[] = {
    {.op_type = "Conv"},
    {.op_type = "ConvTranspose"},
    {.op_type = "Gemm"},
    {.op_type = "MatMul"},

    {.op_type = "Add"},
    {.op_type = "AveragePool", .scales = ScaleSharing::kAlways},
    {.op_type = "Concat", .scales = ScaleSharing::kAlways},
    {.op_type = "GlobalAveragePool"},  // MEAN
    {.op_type = "Mul"},
    {.op_type = "Softmax"},
    {.op_type = "Sub"},

    {.op_type = "HardSwish"},
    {.op_type = "LeakyRelu"},
    {.op_type = "LpNormalization"},
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
    {.op_type = "Transpose"},
    {.op_type = "Unsqueeze"},
};

constexpr TypePair kTypePairs[] = {{DataType::kS8, DataType::kS8}};

constexpr FixedOutput kFixedOutputs[] = {
    {"LpNormalization", 1.0f / 128, 0, DataType::kS8}, {"Sigmoid", 1.0f / 256, -128, DataType::kS8},
    {"Softmax", 1.0f / 256, -128, DataType::kS8},      {"Tanh", 1.0f / 128, 0, DataType::kS8},

    {"Sigmoid", 1.0f / 32768, 0, DataType::kS16},      {"Softmax", 1.0f / 32768, 0, DataType::kS16},
    {"Tanh", 1.0f / 32768, 0, DataType::kS16},
};

// A layer has its Relu as an attribute.
constexpr Fusion kFusions[] = {{.part = ChainPart::kClamp}};

constexpr const char* kWithout16[] = {"DepthToSpace", "HardSwish", "LpNormalization", "Resize",
                                      "SpaceToDepth"};
constexpr SixteenBits kSixteenBits{.symmetric = true, .without = kWithout16};

}  // namespace

extern const TargetProfile kTfLite;
const TargetProfile kTfLite{.name = "tflite",
                            .description = "TensorFlow Lite's 8-bit specification",
                            .operators = kOperators,
                            .type_pairs = kTypePairs,
                            .opsets = kOnnxRuntimeOpsets,
                            .rounds_results = true,
                            .fixed_outputs = kFixedOutputs,
                            .fusions = kFusions,
                            .sixteen_bits = &kSixteenBits,
                            .unasked_fusions = kOnnxRuntimeFusions,
                            .mislaid = kOnnxRuntimeMislaid,
                            .instead_of_dynamic =
                                "its layers of dynamic ranges are those whose weights alone "
                                "are stored; give --mode weight-only"};

}  // namespace quantize
