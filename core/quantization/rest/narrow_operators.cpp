// One line per operator; those that are not listed stay f32.
#include "core/quantization/rest/narrow_operators.h"

#include <algorithm>
#include <iterator>

namespace quantize {

namespace {

struct Entry {
  std::string_view op_type;
  Narrowing narrowing;
};

using enum Narrowing;

constexpr Entry kEntries[] = {
    {"Conv", kLayer},
    {"ConvTranspose", kLayer},
    {"Gemm", kLayer},
    {"GRU", kLayer},
    {"LSTM", kLayer},
    {"MatMul", kLayer},
    {"RNN", kLayer},

    {"Abs", kValues},
    {"Add", kValues},
    {"AveragePool", kValues},
    {"Clip", kValues},
    {"Concat", kValues},
    {"DepthToSpace", kValues},
    {"Div", kValues},
    {"Elu", kValues},
    {"Expand", kValues},
    {"Flatten", kValues},
    {"Gather", kValues},
    {"Gelu", kValues},
    {"GlobalAveragePool", kValues},
    {"GlobalMaxPool", kValues},
    {"HardSigmoid", kValues},
    {"HardSwish", kValues},
    {"LeakyRelu", kValues},
    {"Max", kValues},
    {"MaxPool", kValues},
    {"Min", kValues},
    {"Mish", kValues},
    {"Mul", kValues},
    {"Neg", kValues},
    {"Pad", kValues},
    {"PRelu", kValues},
    {"Relu", kValues},
    {"Reshape", kValues},
    {"Resize", kValues},
    {"Selu", kValues},
    {"Sigmoid", kValues},
    {"Slice", kValues},
    {"Softplus", kValues},
    {"Softsign", kValues},
    {"SpaceToDepth", kValues},
    {"Split", kValues},
    {"Squeeze", kValues},
    {"Sub", kValues},
    {"Tanh", kValues},
    {"Tile", kValues},
    {"Transpose", kValues},
    {"Unsqueeze", kValues},
    {"Where", kValues},

    {"ArgMax", kWide},
    {"ArgMin", kWide},
    {"Attention", kWide},
    {"BatchNormalization", kWide},
    {"CumSum", kWide},
    {"Exp", kWide},
    {"GridSample", kWide},
    {"GroupNormalization", kWide},
    {"InstanceNormalization", kWide},
    {"LayerNormalization", kWide},
    {"Log", kWide},
    {"LogSoftmax", kWide},
    {"LpNormalization", kWide},
    {"LRN", kWide},
    {"MeanVarianceNormalization", kWide},
    {"NonMaxSuppression", kWide},
    {"Pow", kWide},
    {"Reciprocal", kWide},
    {"ReduceL1", kWide},
    {"ReduceL2", kWide},
    {"ReduceLogSumExp", kWide},
    {"ReduceMean", kWide},
    {"ReduceProd", kWide},
    {"ReduceSum", kWide},
    {"ReduceSumSquare", kWide},
    {"RMSNormalization", kWide},
    {"RoiAlign", kWide},
    {"Softmax", kWide},
    {"Sqrt", kWide},
    {"TopK", kWide},
};

struct WideInput {
  std::string_view op_type;
  size_t input;
};
constexpr WideInput kWideInputs[] = {{"Resize", 1}, {"Resize", 2}};

}  // namespace

Narrowing narrowing_of(const Node& node) {
  const auto* entry = std::find_if(std::begin(kEntries), std::end(kEntries),
                                   [&](const Entry& each) { return node.op_type == each.op_type; });
  return entry == std::end(kEntries) || !node.domain.empty() ? kUnknown : entry->narrowing;
}

bool stays_f32(const Node& node, size_t input) {
  return std::any_of(std::begin(kWideInputs), std::end(kWideInputs), [&](const WideInput& each) {
    return node.op_type == each.op_type && input == each.input;
  });
}

}  // namespace quantize
