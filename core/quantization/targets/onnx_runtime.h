// The operators that ONNX Runtime's CPU provider computes on codes, asked and unasked. Every file that is written may be run
// by it, so all targets share the second table. Tried operator by operator with version 1.32
// (tests/conformance/operator_forms.py).
#pragma once

#include "core/quantization/target.h"

namespace quantize {

/// True for a Resize that copies elements.
bool resizes_by_nearest(const Graph& graph, const Node& resize);
inline constexpr NodeTest kByNearest = {resizes_by_nearest, "by the nearest element"};

/// The operators that its QDQ selectors fuse.
inline constexpr IntegerOperator kOnnxRuntimeOperators[] = {
    {.op_type = "Conv"},
    {.op_type = "Gemm", .output = OutputForm::kCodesOrReals},
    {.op_type = "MatMul", .output = OutputForm::kCodesOrReals},

    {.op_type = "Add"},
    {.op_type = "AveragePool"},
    {.op_type = "Concat", .scales = ScaleSharing::kWhereAlone},
    {.op_type = "GlobalAveragePool"},
    {.op_type = "LeakyRelu"},
    {.op_type = "Mul"},
    {.op_type = "Sigmoid"},
    {.op_type = "Where"},

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

/// Float operators that it computes on codes where they stand between DequantizeLinear and QuantizeLinear.
/// Those that move elements are left out: it takes them only if both have the same scale, and then nothing
/// differs. (mobilenet_v2 with three float Conv: 3 % agreement, shielded 98.8 %.)
inline constexpr UnaskedFusion kOnnxRuntimeFusions[] = {
    {.op_type = "Conv", .rounds_constants = true},
    {.op_type = "ConvTranspose", .rounds_constants = true},
    {.op_type = "Gemm", .rounds_constants = true},
    {.op_type = "MatMul"},

    {.op_type = "Add"},
    {.op_type = "AveragePool"},
    {.op_type = "Concat"},
    {.op_type = "GlobalAveragePool"},
    {.op_type = "LeakyRelu"},
    {.op_type = "Mul"},
    {.op_type = "Sigmoid"},
    {.op_type = "Softmax"},
    {.op_type = "Where", .rounds_constants = true},
};

/// The operators in front of which its optimizer puts a QuantizeLinear.
inline constexpr const char* kOnnxRuntimeMoves[] = {"MaxPool", "Reshape",   "Slice",
                                                    "Squeeze", "Transpose", "Unsqueeze"};

/// The operator that it computes on codes although no QuantizeLinear stands behind it. ArgMin it computes on reals.
inline constexpr const char* kOnnxRuntimeCompares[] = {"ArgMax"};

/// It has no QuantizeLinear of opset 28.
inline constexpr OpsetRange kOnnxRuntimeOpsets = {13, 27};

/// Layers that it computes on codes of dynamic ranges. It has no such GRU or RNN.
inline constexpr DynamicOperator kOnnxRuntimeDynamic[] = {{"Conv", DynamicForm::kConv},
                                                          {"Gemm", DynamicForm::kProduct},
                                                          {"LSTM", DynamicForm::kLstm},
                                                          {"MatMul", DynamicForm::kProduct}};

/// Those that ONNX's own operators say, in any runtime that has them.
inline constexpr DynamicOperator kPortableDynamic[] = {
    {"Conv", DynamicForm::kConv}, {"Gemm", DynamicForm::kProduct}, {"MatMul", DynamicForm::kProduct}};

/// It has the QuantizeLinear of 16 bits, and moves such codes.
inline constexpr const char* kOnnxRuntimeMoved16[] = {"Flatten", "Gather",  "Reshape",   "Slice",
                                                      "Split",   "Squeeze", "Transpose", "Unsqueeze"};
inline constexpr SixteenBits kSixteenBitsInFloat{.in_integers = false, .moves = kOnnxRuntimeMoved16};

/// It computes f16 by casts of its own where it has no kernel, and bf16 hardly anywhere.
inline constexpr DataType kOnnxRuntimeRest[] = {DataType::kF16};

/// Constants that its DequantizeLinear reads; blocks from opset 21 on.
inline constexpr StoredCodes kOnnxRuntimeStored[] = {
    {DataType::kS8, 13}, {DataType::kS4, 21}, {DataType::kS2, 25}};
inline constexpr int64_t kOnnxRuntimeBlocks = 21;

/// True for a Pad with an input of axes, and for a Resize with axes or cubic interpolation.
bool pads_axes(const Graph& graph, const Node& pad);
bool resizes_axes_or_cubic(const Graph& graph, const Node& resize);

/// The forms that its layout optimizer spoils: it lays the images between two integer convolutions with their
/// channels last, where `axes` stay what they were, and a cubic interpolation is of the wrong axes or refused.
inline constexpr MislaidForm kOnnxRuntimeMislaid[] = {
    {"Pad", {pads_axes, "with axes"}}, {"Resize", {resizes_axes_or_cubic, "with axes, or cubic"}}};

/// Its profile on one kind of processor: these share all but the types that are fast, and how x86-64 adds products.
constexpr TargetProfile onnx_runtime_on(const char* name, const char* description,
                                        std::span<const TypePair> type_pairs,
                                        const char* without_vnni = nullptr) {
  return {.name = name,
          .description = description,
          .operators = kOnnxRuntimeOperators,
          .type_pairs = type_pairs,
          .opsets = kOnnxRuntimeOpsets,
          .sixteen_bits = &kSixteenBitsInFloat,
          .unasked_fusions = kOnnxRuntimeFusions,
          .fuses_unasked = true,
          .takes_codes = true,
          .without_vnni = without_vnni,
          .moves_over = kOnnxRuntimeMoves,
          .compares_codes = kOnnxRuntimeCompares,
          .mislaid = kOnnxRuntimeMislaid,
          .rest_types = kOnnxRuntimeRest,
          .dynamic_operators = kOnnxRuntimeDynamic,
          .stored_codes = kOnnxRuntimeStored,
          .unpacks_codes = true,
          .block_opset = kOnnxRuntimeBlocks,
          .multiplies_blocks = true};
}

}  // namespace quantize
