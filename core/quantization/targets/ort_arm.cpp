// ONNX Runtime's CPU provider on 64-bit Arm. Its products of s8 are the fast ones, with weights of zero point 0 and
// activations of any: -128 behind a Relu, which then needs no code of its own. With zero points of 0, 14 of the
// 20 convolutions of mobilenet_fashion stay in float in front of their Relu (ONNX Runtime 1.32, s8 allowed).
#include "core/quantization/targets/onnx_runtime.h"

namespace quantize {

namespace {

constexpr TypePair kTypePairs[] = {
    {DataType::kS8, DataType::kS8}, {DataType::kU8, DataType::kS8}, {DataType::kU8, DataType::kU8}};

}  // namespace

extern const TargetProfile kOrtArm;
const TargetProfile kOrtArm =
    onnx_runtime_on("ort-arm", "ONNX Runtime, CPU provider, 64-bit Arm", kTypePairs);

}  // namespace quantize
