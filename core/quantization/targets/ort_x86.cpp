// ONNX Runtime's CPU provider on x86-64.
#include "core/quantization/targets/onnx_runtime.h"

namespace quantize {

namespace {

// Activations of s8 are accepted, but on x86 they leave additions and many convolutions in float.
constexpr TypePair kTypePairs[] = {
    {DataType::kU8, DataType::kS8}, {DataType::kU8, DataType::kU8}, {DataType::kS8, DataType::kS8}};

}  // namespace

extern const TargetProfile kOrtX86;
const TargetProfile kOrtX86 = onnx_runtime_on(
    "ort-x86", "ONNX Runtime, CPU provider, x86-64", kTypePairs,
    "set its session option session.x64quantprecision to 1, or quantize with --weight-type u8");

}  // namespace quantize
