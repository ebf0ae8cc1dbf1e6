// TensorRT's explicit quantization. Q and DQ stand in front of layers alone: a layer takes in what stands behind it up to
// the next Q, a residual of codes included, and other operators run on reals or move the Q.
// Source: TensorRT developer guide, "Working with Quantized Types"; the partitions of NVIDIA's modelopt.onnx.
#include "core/quantization/targets/onnx_runtime.h"

namespace quantize {

namespace {

constexpr IntegerOperator kOperators[] = {
    {.op_type = "Conv", .output = OutputForm::kReals},
    {.op_type = "ConvTranspose", .output = OutputForm::kReals},
    {.op_type = "Gemm", .output = OutputForm::kReals},
    {.op_type = "MatMul", .output = OutputForm::kReals},
};

constexpr TypePair kTypePairs[] = {{DataType::kS8, DataType::kS8, true}};

constexpr DataType kRest[] = {DataType::kF16, DataType::kBF16};

constexpr Fusion kFusions[] = {
    {.part = ChainPart::kClamp}, {.part = ChainPart::kFunction}, {.part = ChainPart::kAddition}};

}  // namespace

extern const TargetProfile kTensorRt;
const TargetProfile kTensorRt{.name = "tensorrt",
                              .description = "TensorRT, explicit quantization",
                              .operators = kOperators,
                              .type_pairs = kTypePairs,
                              .opsets = kOnnxRuntimeOpsets,
                              .bias = BiasForm::kReals,
                              .fusions = kFusions,
                              .unasked_fusions = kOnnxRuntimeFusions,
                              .mislaid = kOnnxRuntimeMislaid,
                              .rest_types = kRest,
                              .instead_of_dynamic =
                                  "its scales of 8 bits are constants; give --mode static "
                                  "and images, or --mode weight-only"};

}  // namespace quantize
