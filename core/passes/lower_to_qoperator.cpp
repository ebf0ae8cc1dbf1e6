// DQ, operator, Q become one operator on codes. Read QOperatorLowering::lower() first.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "core/op.h"
#include "core/ops/quantized_operand.h"
#include "core/ops/resample.h"
#include "core/passes/passes.h"
#include "core/passes/patterns.h"
#include "core/passes/transposed_phases.h"
#include "core/quant_params.h"

namespace quantize {

namespace {

constexpr const char* kMicrosoft = "com.microsoft";

/// What a float value stands for: codes and how to read them.
struct Codes {
  ValueId codes = kNoValue, scale = kNoValue, zero_point = kNoValue;
  OperandParams params;
  int64_t axis = 1;  // of params, if there are several
};

/// The end of an island: a QuantizeLinear, and a clamp before it that cuts codes off.
struct Result {
  Codes y;
  std::vector<NodeId> absorbed;  // the clamp and the QuantizeLinear
  ValueId unclamped = kNoValue;  // what the operator writes if a Clip of codes must follow
  int32_t low = 0, high = 0;
};

bool same_params(const Codes& a, const Codes& b) {
  return a.params.scale == b.params.scale && a.params.zero_point == b.params.zero_point;
}

class QOperatorLowering {
 public:
  QOperatorLowering(Graph graph, const std::vector<bool>& keep, Runtime runtime)
      : graph_(std::move(graph)), keep_(keep), runtime_(runtime), index_(graph_) {}

  Graph lower() {
    const size_t count = graph_.nodes.size();
    dropped_.assign(count, false);
    replacements_.resize(count);
    for (size_t n = 0; n < count; ++n) {
      const Node node = graph_.nodes[n];
      if (const auto form = kForms.find(node.op_type); form != kForms.end() && node.domain.empty())
        (this->*form->second)(node, static_cast<NodeId>(n));
      else if (moves_codes(node))
        lower_move(node, static_cast<NodeId>(n));
    }
    std::vector<Node> nodes;
    for (size_t n = 0; n < count; ++n) {
      for (Node& node : replacements_[n]) nodes.push_back(std::move(node));
      if (!dropped_[n]) nodes.push_back(std::move(graph_.nodes[n]));
    }
    graph_.nodes = std::move(nodes);
    if (uses_microsoft_) graph_.info.opsets[kMicrosoft] = 1;
    remove_dead_nodes(graph_, keep_);
    return std::move(graph_);
  }

 private:
  using Form = void (QOperatorLowering::*)(const Node&, NodeId);
  static const std::map<std::string, Form> kForms;

  // What stands around an operator --------------------------------------------------------------------------

  bool is_kept(ValueId id) const {
    return index_.is_output(id) || (static_cast<size_t>(id) < keep_.size() && keep_[static_cast<size_t>(id)]);
  }
  static bool is_8_bit(DataType dtype) { return dtype == DataType::kU8 || dtype == DataType::kS8; }

  /// Scale and zero point of a QuantizeLinear or DequantizeLinear; a zero point that is left out is made.
  std::optional<Codes> codes_of(const Node& node, ValueId codes) {
    const auto params = constant_params(graph_, node, 1);
    if (!params || node.int_attribute("block_size", 0) != 0) return std::nullopt;
    Codes result{codes, node.inputs[1], node.input(2), *params, node.int_attribute("axis", 1)};
    if (result.zero_point == kNoValue) {
      const DataType dtype = node.op_type == "QuantizeLinear" ? DataType::kU8 : graph_.value(codes).dtype;
      const Value& scale = graph_.value(result.scale);
      result.zero_point =
          graph_.add_constant(scale.name + "_zero_point", Tensor(dtype, scale.initializer.shape()));
    }
    if (graph_.value(codes).dtype == DataType::kUndefined)
      graph_.value(codes).dtype = graph_.value(result.zero_point).dtype;
    return result;
  }

  /// The codes behind a float value that a DequantizeLinear makes.
  std::optional<Codes> dequantized(ValueId id) {
    if (id == kNoValue || index_.producer(id) == kNoNode) return std::nullopt;
    const Node& node = graph_.nodes[static_cast<size_t>(index_.producer(id))];
    if (node.op_type != "DequantizeLinear" || !node.domain.empty()) return std::nullopt;
    return codes_of(node, node.inputs[0]);
  }
  /// An operand of one scale, of 8 bits.
  std::optional<Codes> operand(ValueId id) {
    auto codes = dequantized(id);
    if (!codes || !codes->params.per_tensor() || !is_8_bit(graph_.value(codes->codes).dtype))
      return std::nullopt;
    return codes;
  }
  /// A constant operand of 8 bits, of one scale or one per channel along `axis`.
  std::optional<Codes> weights(ValueId id, int64_t axis) {
    auto codes = dequantized(id);
    if (!codes || graph_.constant(codes->codes) == nullptr || !is_8_bit(graph_.value(codes->codes).dtype))
      return std::nullopt;
    // Kernels take weights that are centred on 0; others are faster in float.
    const int32_t middle = graph_.value(codes->codes).dtype == DataType::kU8 ? 128 : 0;
    for (int32_t zero_point : codes->params.zero_point)
      if (zero_point != middle) return std::nullopt;
    const auto rank = static_cast<int64_t>(graph_.constant(codes->codes)->shape().size());
    const int64_t own = codes->axis < 0 ? codes->axis + rank : codes->axis;
    return codes->params.per_tensor() || own == axis ? codes : std::nullopt;
  }

  /// What becomes of a float value that nobody sees but a clamp and a QuantizeLinear.
  std::optional<Result> result(ValueId id) {
    Result found;
    std::optional<Clamp> clamp;
    for (;;) {
      if (is_kept(id) || !index_.single_use(id)) return std::nullopt;
      const NodeId reader = index_.uses(id)[0].node;
      const Node& node = graph_.nodes[static_cast<size_t>(reader)];
      found.absorbed.push_back(reader);
      if (node.op_type == "QuantizeLinear" && node.domain.empty() && index_.uses(id)[0].input == 0) {
        const auto y = codes_of(node, node.outputs[0]);
        if (!y || !y->params.per_tensor() || !is_8_bit(graph_.value(y->zero_point).dtype))
          return std::nullopt;
        found.y = *y;
        break;
      }
      if (clamp || index_.uses(id)[0].input != 0) return std::nullopt;
      clamp = constant_clamp(graph_, node);
      if (!clamp) return std::nullopt;
      id = node.outputs[0];
    }
    set_limits(found, clamp.value_or(Clamp{-kInfinity, kInfinity}));
    return found;
  }

  /// A clamp of reals before rounding is one of codes after it. It is left out where no code is cut off.
  void set_limits(Result& found, const Clamp& clamp) {
    const bool is_signed = graph_.value(found.y.zero_point).dtype == DataType::kS8;
    const int32_t lowest = is_signed ? -128 : 0, highest = is_signed ? 127 : 255;
    const auto code = [&](float real) {
      return quantize_value(real, found.y.params.scale[0], found.y.params.zero_point[0], lowest, highest);
    };
    found.low = code(clamp.low);
    found.high = code(clamp.high);
    if (found.low > lowest || found.high < highest)
      found.unclamped =
          graph_.add_value(graph_.value(found.y.codes).name + "_unclamped",
                           graph_.value(found.y.zero_point).dtype, graph_.value(found.y.codes).shape);
  }

  // Putting operators on codes in the place of islands ------------------------------------------------------

  Node make_node(const Node& original, const char* op_type, const char* domain) {
    Node node;
    node.op_type = op_type;
    node.domain = domain;
    node.name = original.name;
    node.doc_string = original.doc_string;
    node.attributes = original.attributes;
    if (node.domain == kMicrosoft) uses_microsoft_ = true;
    return node;
  }

  static void append(Node& node, const Codes& codes) {
    node.inputs.insert(node.inputs.end(), {codes.codes, codes.scale, codes.zero_point});
  }
  static void append_params(Node& node, const Codes& codes) {
    node.inputs.insert(node.inputs.end(), {codes.scale, codes.zero_point});
  }

  void replace(NodeId place, Node node, const Result& result) {
    const auto n = static_cast<size_t>(place);
    node.outputs = {result.unclamped == kNoValue ? result.y.codes : result.unclamped};
    const ValueId codes = node.outputs[0];
    replacements_[n].push_back(std::move(node));
    if (result.unclamped != kNoValue) replacements_[n].push_back(clip_codes(codes, result));
    dropped_[n] = true;
    for (NodeId id : result.absorbed) dropped_[static_cast<size_t>(id)] = true;
  }

  Node clip_codes(ValueId codes, const Result& result) {
    const std::string& name = graph_.value(result.y.codes).name;
    const DataType dtype = graph_.value(codes).dtype;
    const auto bound = [&](int32_t code, const char* suffix) {
      Tensor tensor(dtype, {});
      *static_cast<uint8_t*>(tensor.mutable_bytes()) = static_cast<uint8_t>(code);
      return graph_.add_constant(name + suffix, std::move(tensor));
    };
    Node clip;
    clip.op_type = "Clip";
    clip.name = name + "_clip";
    clip.inputs = {codes, bound(result.low, "_low"), bound(result.high, "_high")};
    clip.outputs = {result.y.codes};
    return clip;
  }

  // One function per form -----------------------------------------------------------------------------------

  /// The bias as s32 codes of scale x_scale * w_scale; nothing if it cannot be said so.
  std::optional<ValueId> bias(ValueId id, const Codes& x, const Codes& w, int64_t channels) {
    if (id == kNoValue) return kNoValue;
    const auto steps = [&](size_t c) {
      return double{x.params.scale[0]} * w.params.scale[w.params.per_tensor() ? 0 : c];
    };
    std::vector<double> reals;
    if (const auto codes = dequantized(id)) {
      const Tensor* numbers = graph_.constant(codes->codes);
      if (numbers == nullptr || numbers->dtype() != DataType::kS32 || numbers->size() != channels)
        return std::nullopt;
      bool fits = numbers->shape().size() == 1;
      for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
        const double scale = codes->params.scale[codes->params.per_tensor() ? 0 : c];
        fits = fits && std::abs(scale / steps(c) - 1) < kBiasScaleTolerance;
        reals.push_back(scale * numbers->data<int32_t>()[c]);
      }
      if (fits) return codes->codes;
    } else if (const Tensor* constant = graph_.constant(id);
               constant != nullptr && constant->size() == channels) {
      reals = constant->to_vector<double>();
    } else {
      return std::nullopt;
    }
    Tensor codes(DataType::kS32, {channels});
    for (size_t c = 0; c < reals.size(); ++c) {
      const double code = std::nearbyint(reals[c] / steps(c));
      if (!(std::abs(code) <= std::numeric_limits<int32_t>::max())) return std::nullopt;
      codes.mutable_data<int32_t>()[c] = static_cast<int32_t>(code);
    }
    return graph_.add_constant(graph_.value(id).name + "_codes", std::move(codes));
  }

  void lower_conv(const Node& conv, NodeId place) {
    const auto x = operand(conv.inputs[0]);
    const auto w = weights(conv.inputs[1], 0);
    if (!x || !w || graph_.constant(w->codes)->shape().size() != 4) return;
    const auto b = bias(conv.input(2), *x, *w, graph_.constant(w->codes)->shape()[0]);
    const auto y = b ? result(conv.outputs[0]) : std::nullopt;
    if (!y) return;
    Node node = make_node(conv, "QLinearConv", "");
    append(node, *x);
    append(node, *w);
    append_params(node, y->y);
    if (*b != kNoValue) node.inputs.push_back(*b);
    replace(place, std::move(node), *y);
  }

  /// Every output pixel of a ConvTranspose belongs to one of stride x stride phases, and each phase is a
  /// convolution of the input. All of them are one convolution whose channels DepthToSpace spreads.
  void lower_conv_transpose(const Node& conv, NodeId place) {
    const auto x = operand(conv.inputs[0]);
    const auto w = weights(conv.inputs[1], 1);
    if (!x || !w) return;
    const auto phases = phases_of(conv, graph_.constant(w->codes)->shape());
    if (!phases) return;
    const auto b = bias(conv.input(2), *x, *w, phases->channels);
    const auto y = b ? result(conv.outputs[0]) : std::nullopt;
    if (!y) return;
    const std::string name = graph_.value(w->codes).name + "_phases";
    const auto add = [&](const char* suffix, Tensor tensor) {
      return graph_.add_constant(name + suffix, std::move(tensor));
    };
    const auto for_all_phases = [&](ValueId id, const char* suffix) {
      const Tensor& tensor = *graph_.constant(id);
      return tensor.size() == 1 ? id : add(suffix, phases->repeat(tensor));
    };
    Node node = make_node(conv, "QLinearConv", "");
    node.attributes = phases->conv_attributes();
    append(node, *x);
    node.inputs.push_back(add("", phases->weights(*graph_.constant(w->codes))));
    node.inputs.push_back(for_all_phases(w->scale, "_scale"));
    node.inputs.push_back(for_all_phases(w->zero_point, "_zero_point"));
    append_params(node, y->y);
    if (*b != kNoValue) node.inputs.push_back(add("_bias", phases->repeat(*graph_.constant(*b))));
    const ValueId codes = graph_.add_value(graph_.value(y->y.codes).name + "_phases",
                                           graph_.value(y->y.zero_point).dtype, std::nullopt);
    node.outputs = {codes};
    replacements_[static_cast<size_t>(place)].push_back(std::move(node));
    Node spread = make_node(conv, "DepthToSpace", "");
    spread.name += "/DepthToSpace";
    spread.attributes = phases->spread_attributes();
    spread.inputs = {codes};
    replace(place, std::move(spread), *y);
  }

  /// Two activations are not multiplied in integers: attention needs its small differences.
  void lower_matmul(const Node& matmul, NodeId place) {
    const auto a = operand(matmul.inputs[0]), b = weights(matmul.inputs[1], 1);
    if (!a || !b || graph_.constant(b->codes)->shape().size() != 2) return;
    const auto y = result(matmul.outputs[0]);
    if (!y) return lower_real_matmul(matmul, place, *a, *b);
    Node node = make_node(matmul, "QLinearMatMul", "");
    append(node, *a);
    append(node, *b);
    append_params(node, y->y);
    replace(place, std::move(node), *y);
  }

  /// A product with constants whose result is real takes the bias that is added to it.
  void lower_real_matmul(const Node& matmul, NodeId place, const Codes& a, const Codes& b) {
    const Tensor& w = *graph_.constant(b.codes);
    Node node = make_node(matmul, "MatMulIntegerToFloat", kMicrosoft);
    node.inputs = {a.codes, b.codes, a.scale, b.scale, a.zero_point, b.zero_point};
    node.outputs = matmul.outputs;
    if (const NodeId add = bias_behind(matmul.outputs[0], w.shape()[1]); add != kNoNode) {
      const Node& sum = graph_.nodes[static_cast<size_t>(add)];
      node.inputs.push_back(sum.inputs[*constant_addend(graph_, sum)]);
      node.outputs = sum.outputs;
      dropped_[static_cast<size_t>(add)] = true;
    }
    replacements_[static_cast<size_t>(place)] = {std::move(node)};
    dropped_[static_cast<size_t>(place)] = true;
  }

  /// The Add of one constant per column that alone reads a value.
  NodeId bias_behind(ValueId id, int64_t columns) const {
    if (is_kept(id) || !index_.single_use(id)) return kNoNode;
    const NodeId reader = index_.uses(id)[0].node;
    const Node& node = graph_.nodes[static_cast<size_t>(reader)];
    const auto place = constant_addend(graph_, node);
    if (!place) return kNoNode;
    const Tensor& bias = *graph_.constant(node.inputs[*place]);
    return bias.shape() == Shape{columns} ? reader : kNoNode;
  }

  /// The result may stay real: then nothing has to follow.
  void lower_gemm(const Node& gemm, NodeId place) {
    const bool transposed = gemm.int_attribute("transB", 0) != 0;
    if (gemm.float_attribute("alpha", 1) != 1 || gemm.float_attribute("beta", 1) != 1) return;
    const auto a = operand(gemm.inputs[0]);
    const auto b = weights(gemm.inputs[1], transposed ? 0 : 1);
    if (!a || !b || graph_.constant(b->codes)->shape().size() != 2) return;
    const auto c = bias(gemm.input(2), *a, *b, graph_.constant(b->codes)->shape()[transposed ? 0 : 1]);
    if (!c) return;
    Node node = make_node(gemm, "QGemm", kMicrosoft);
    node.attributes.erase("beta");
    append(node, *a);
    append(node, *b);
    node.inputs.push_back(*c);
    if (const auto y = result(gemm.outputs[0])) {
      append_params(node, y->y);
      return replace(place, std::move(node), *y);
    }
    node.outputs = gemm.outputs;
    replacements_[static_cast<size_t>(place)] = {std::move(node)};
    dropped_[static_cast<size_t>(place)] = true;
  }

  void lower_pair(const Node& pair, NodeId place) {
    const auto a = operand(pair.inputs[0]), b = operand(pair.inputs[1]);
    const auto y = a && b ? result(pair.outputs[0]) : std::nullopt;
    if (!y) return;
    Node node = make_node(pair, pair.op_type == "Add" ? "QLinearAdd" : "QLinearMul", kMicrosoft);
    append(node, *a);
    append(node, *b);
    append_params(node, y->y);
    replace(place, std::move(node), *y);
  }

  void lower_concat(const Node& concat, NodeId place) {
    std::vector<Codes> operands;
    for (ValueId id : concat.inputs) {
      const auto x = operand(id);
      if (!x) return;
      operands.push_back(*x);
    }
    const auto y = result(concat.outputs[0]);
    if (!y) return;
    Node node = make_node(concat, "QLinearConcat", kMicrosoft);
    append_params(node, y->y);
    for (const Codes& x : operands) append(node, x);
    replace(place, std::move(node), *y);
  }

  /// Operators of one input whose integer form is called QLinear<name>.
  void lower_function(const Node& function, NodeId place) {
    const auto x = operand(function.inputs[0]);
    const auto y = x ? result(function.outputs[0]) : std::nullopt;
    if (!y) return;
    Node node = make_node(function, ("QLinear" + function.op_type).c_str(), kMicrosoft);
    append(node, *x);
    append_params(node, y->y);
    replace(place, std::move(node), *y);
  }

  /// Operators that place codes anew, or take the largest.
  bool moves_codes(const Node& node) const {
    if (!node.domain.empty() || node.outputs.empty()) return false;
    if (node.op_type == "MaxPool") return node.outputs.size() == 1 && graph_.opset() >= 12;
    if (node.op_type == "Resize")
      return resizes_codes(resize_options(node, graph_.opset())) &&
             (!blends(node) || runtime_ == Runtime::kOwn);
    const OpDef* def = try_find_op(graph_, node);
    return def != nullptr && def->moves_data && node.op_type != "Concat";
  }

  bool blends(const Node& node) const {
    return node.op_type == "Resize" &&
           resize_options(node, graph_.opset()).mode == ResizeOptions::Mode::kLinear;
  }

  void lower_move(const Node& move, NodeId place) {
    const auto x = operand(move.inputs[0]);
    if (!x || (blends(move) && graph_.value(x->codes).dtype != DataType::kU8)) return;
    Node node = move;
    node.inputs[0] = x->codes;
    std::vector<Result> results;
    for (ValueId& id : node.outputs) {
      if (id == kNoValue) continue;
      const auto y = result(id);
      if (!y || y->unclamped != kNoValue || y->absorbed.size() != 1 || !same_params(y->y, *x)) return;
      id = y->y.codes;
      results.push_back(*y);
    }
    replacements_[static_cast<size_t>(place)] = {std::move(node)};
    dropped_[static_cast<size_t>(place)] = true;
    for (const Result& y : results) dropped_[static_cast<size_t>(y.absorbed[0])] = true;
  }

  static constexpr float kInfinity = std::numeric_limits<float>::infinity();
  static constexpr double kBiasScaleTolerance = 1e-3;

  Graph graph_;
  const std::vector<bool>& keep_;
  Runtime runtime_;
  const GraphIndex index_;
  std::vector<bool> dropped_;
  std::vector<std::vector<Node>> replacements_;  // per node: what stands there instead
  bool uses_microsoft_ = false;
};

const std::map<std::string, QOperatorLowering::Form> QOperatorLowering::kForms = {
    {"Add", &QOperatorLowering::lower_pair},
    {"AveragePool", &QOperatorLowering::lower_function},
    {"Concat", &QOperatorLowering::lower_concat},
    {"Conv", &QOperatorLowering::lower_conv},
    {"ConvTranspose", &QOperatorLowering::lower_conv_transpose},
    {"Gemm", &QOperatorLowering::lower_gemm},
    {"GlobalAveragePool", &QOperatorLowering::lower_function},
    {"LeakyRelu", &QOperatorLowering::lower_function},
    {"MatMul", &QOperatorLowering::lower_matmul},
    {"Mul", &QOperatorLowering::lower_pair},
    {"Sigmoid", &QOperatorLowering::lower_function},
};

}  // namespace

Graph lower_to_qoperator(Graph graph, const std::vector<bool>& keep, Runtime runtime) {
  return QOperatorLowering(std::move(graph), keep, runtime).lower();
}

}  // namespace quantize
