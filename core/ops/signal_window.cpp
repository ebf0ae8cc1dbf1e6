// BlackmanWindow, HannWindow, HammingWindow: sums of cosines over one period.
#include <cmath>

#include "core/ops/support/convert.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

/// w[i] = constant + first * cos(t) + second * cos(2 t), t = 2 pi i / length.
struct Cosines {
  double constant, first, second;
};

constexpr Cosines kBlackman{0.42, -0.5, 0.08}, kHann{0.5, -0.5, 0}, kHamming{25.0 / 46, -21.0 / 46, 0};

void infer(InferContext& context) {
  require_type(context, 0, kIndexTypes);
  const auto size = context.all_integers(0);
  if (size && (size->size() != 1 || (*size)[0] < 0))
    invalid_model("the size of a window is no number from 0 on");
  const auto dtype = static_cast<DataType>(context.node.int_attribute("output_datatype", 1));
  if (std::find(kNumberTypes.begin(), kNumberTypes.end(), dtype) == kNumberTypes.end())
    throw Error(
        ErrorKind::kUnsupported,
        "a window of data type number " + std::to_string(static_cast<int64_t>(dtype)) + " is not supported");
  context.set_output(0, dtype, Shape{size ? (*size)[0] : kUnknownDim});
}

template <const Cosines& kCosines>
void evaluate(const EvaluateContext& context) {
  constexpr double kTurn = 2 * 3.14159265358979323846;
  const MutableTensorView& y = context.outputs[0];
  const bool periodic = context.node.int_attribute("periodic", 1) != 0;
  const auto length = static_cast<double>(std::max<int64_t>(periodic ? y.size() : y.size() - 1, 1));
  visit_number(y.dtype, [&]<typename T>() {
    for (int64_t i = 0; i < y.size(); ++i) {
      const double t = kTurn * static_cast<double>(i) / length;
      y.as<T>()[i] = convert_element<T>(kCosines.constant + kCosines.first * std::cos(t) +
                                        kCosines.second * std::cos(2 * t));
    }
  });
}

template <const Cosines& kCosines>
OpDef window(const char* op_type) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = 17,
          .max_opset = kNewestOpset,
          .infer = infer,
          .evaluate = evaluate<kCosines>};
}

}  // namespace

void add_signal_window(std::vector<OpDef>& ops) {
  ops.push_back(window<kBlackman>("BlackmanWindow"));
  ops.push_back(window<kHamming>("HammingWindow"));
  ops.push_back(window<kHann>("HannWindow"));
}

}  // namespace quantize
