// DQ, operator, Q become one operator on codes. Read QOperatorLowering::lower() first.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/integer/exact_sums.h"
#include "core/integer/forms.h"
#include "core/integer/fused_conv.h"
#include "core/integer/islands.h"
#include "core/integer/lowering.h"
#include "core/integer/transposed_phases.h"
#include "core/ops/op.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

constexpr const char* kMicrosoft = "com.microsoft";

bool same_params(const Codes& a, const Codes& b) {
  return a.params.scale == b.params.scale && a.params.zero_point == b.params.zero_point;
}

class QOperatorLowering {
 public:
  QOperatorLowering(Graph graph, const std::vector<bool>& keep, Runtime runtime)
      : graph_(std::move(graph)),
        keep_(keep),
        runtime_(runtime),
        index_(graph_),
        islands_(graph_, index_, keep) {}

  Graph lower() {
    const size_t count = graph_.nodes.size();
    dropped_.assign(count, false);
    replacements_.resize(count);
    for (size_t n = 0; n < count; ++n) {
      const Node node = graph_.nodes[n];
      if (!keeps_meaning_on_codes(node)) continue;
      if (const IntegerForm* form = integer_form_of(node))
        lower(node, static_cast<NodeId>(n), *form);
      else if (runs_on_codes(graph_, node, runtime_))
        lower_move(node, static_cast<NodeId>(n));
    }
    std::vector<Node> nodes;
    for (size_t n = 0; n < count; ++n) {
      for (Node& node : replacements_[n]) nodes.push_back(std::move(node));
      if (!dropped_[n]) nodes.push_back(std::move(graph_.nodes[n]));
    }
    graph_.nodes = std::move(nodes);
    if (runtime_ == Runtime::kOwn) remove_shields();
    if (uses_microsoft_) graph_.info.opsets[kMicrosoft] = 1;
    remove_dead_nodes(graph_, keep_);
    return std::move(graph_);
  }

 private:
  void lower(const Node& node, NodeId place, const IntegerForm& form) {
    switch (form.shape) {
      case IslandShape::kConv:
        return lower_conv(node, place);
      case IslandShape::kConvTranspose:
        return lower_conv_transpose(node, place);
      case IslandShape::kGemm:
        return lower_gemm(node, place);
      case IslandShape::kMatMul:
        return lower_matmul(node, place);
      case IslandShape::kOperands:
        return lower_operands(node, place, form);
    }
  }

  // Putting operators on codes in the place of islands ------------------------------------------------------

  Node make_node(const Node& original, std::string_view op_type, std::string_view domain) {
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

  void replace(NodeId place, Node node, const IslandResult& result) {
    const auto n = static_cast<size_t>(place);
    node.outputs = {result.unclamped == kNoValue ? result.y.codes : result.unclamped};
    const ValueId codes = node.outputs[0];
    replacements_[n].push_back(std::move(node));
    if (result.unclamped != kNoValue) replacements_[n].push_back(clip_codes(codes, result));
    dropped_[n] = true;
    for (NodeId id : result.absorbed) dropped_[static_cast<size_t>(id)] = true;
  }

  Node clip_codes(ValueId codes, const IslandResult& result) {
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

  /// In float they have done what they are for: our engine lowers nothing after this.
  void remove_shields() {
    const GraphIndex index(graph_);
    for (Node& node : graph_.nodes) {
      if (!is_shield(graph_, index, node) || islands_.is_kept(node.outputs[0])) continue;
      replace_uses(graph_, node.outputs[0], node.inputs[0]);
      node.outputs.clear();
    }
    std::erase_if(graph_.nodes, [](const Node& node) { return node.outputs.empty(); });
  }

  // One function per shape ----------------------------------------------------------------------------------

  /// The bias as s32 codes of scale x_scale * w_scale; nothing if it cannot be said so.
  std::optional<ValueId> bias(ValueId id, const Codes& x, const Codes& w, int64_t channels) {
    if (id == kNoValue) return kNoValue;
    const auto steps = [&](size_t c) { return double{x.params.scale_of(c)} * w.params.scale_of(c); };
    std::vector<double> reals;
    if (const auto codes = islands_.dequantized(id)) {
      const Tensor* numbers = graph_.constant(codes->codes);
      const auto is_zero = [](int32_t zero_point) { return zero_point == 0; };
      if (numbers == nullptr || numbers->dtype() != DataType::kS32 || !is_row(*numbers, channels) ||
          !std::all_of(codes->params.zero_point.begin(), codes->params.zero_point.end(), is_zero))
        return std::nullopt;
      bool fits = numbers->shape().size() == 1;
      for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
        const double scale = codes->params.scale_of(c);
        fits = fits && std::abs(scale / steps(c) - 1) < kBiasScaleTolerance;
        reals.push_back(scale * numbers->data<int32_t>()[c]);
      }
      if (fits) return codes->codes;
    } else if (const Tensor* constant = graph_.constant(id);
               constant != nullptr && is_row(*constant, channels)) {
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

  /// True if no sum of the layer on codes can leave s32; else it is better left in float.
  bool sums_fit(const Node& layer, const Codes& weights, ValueId bias) const {
    const Tensor& codes = *graph_.constant(weights.codes);
    const Tensor* numbers = graph_.constant(bias);
    const auto layout = find_op(graph_, layer).weight_layout(layer, codes.shape());
    return layout && bound_of_sums(codes, {weights.params.zero_point[0]}, *layout,
                                   numbers == nullptr ? std::vector<double>{} : numbers->to_vector<double>())
                         .fits();
  }

  /// The same for a product of two activations.
  bool products_fit(const Node& matmul, const Codes& a, const Codes& b) const {
    const auto& shape = graph_.value(matmul.inputs[0]).shape;
    const int64_t count = shape && !shape->empty() ? shape->back() : kUnknownDim;
    return bound_of_products(count, graph_.value(a.codes).dtype, a.params.zero_point[0],
                             graph_.value(b.codes).dtype, b.params.zero_point[0])
        .fits();
  }

  void lower_conv(const Node& conv, NodeId place) {
    const auto w = islands_.weights(conv.inputs[1], 0);
    if (!w || !is_image_kernel(graph_.constant(w->codes)->shape())) return;
    if (runtime_ == Runtime::kOwn && lower_fused_conv(conv, place, *w)) return;
    const auto x = islands_.operand(conv.inputs[0]);
    const auto y = x ? islands_.result(conv.outputs[0]) : std::nullopt;
    if (y) replace_conv(conv, place, *x, *w, *y);
  }

  /// A convolution that is more than a QLinearConv, for our own engine.
  bool lower_fused_conv(const Node& conv, NodeId place, const Codes& w) {
    const Shape& kernel = graph_.constant(w.codes)->shape();
    const auto x = islands_.fused_operand(conv.inputs[0], is_depthwise(conv, kernel) ? kernel[0] : 1);
    const auto y = x ? islands_.fused_result(conv.outputs[0], kernel[0]) : std::nullopt;
    if (!y || (!y->function && !y->residual && x->params.per_tensor() && y->y.params.per_tensor()))
      return false;
    replace_conv(conv, place, *x, w, *y);
    return true;
  }

  void replace_conv(const Node& conv, NodeId place, const Codes& x, const Codes& w, const IslandResult& y) {
    const auto b = bias(conv.input(2), x, w, graph_.constant(w.codes)->shape()[0]);
    if (!b || !sums_fit(conv, w, *b)) return;
    Node node = make_node(conv, "QLinearConv", "");
    append(node, x);
    append(node, w);
    append_params(node, y.y);
    if (*b != kNoValue) node.inputs.push_back(*b);
    if (y.function || y.residual || !x.params.per_tensor() || !y.y.params.per_tensor())
      node = as_fused_conv(node);
    if (y.function) {
      node.attributes["function"] = static_cast<int64_t>(y.function->function);
      node.attributes["alpha"] = y.function->alpha;
    }
    if (y.residual) {
      const ValueId operand[] = {y.residual->codes, y.residual->scale, y.residual->zero_point};
      std::copy(std::begin(operand), std::end(operand), node.inputs.begin() + kFusedConvResidual);
      dropped_[static_cast<size_t>(place)] = true;
      place = y.add;  // where the residual is computed
    }
    replace(place, std::move(node), y);
  }

  /// Every output pixel of a ConvTranspose belongs to one of stride x stride phases, and each phase is a
  /// convolution of the input. All of them are one convolution whose channels DepthToSpace spreads; a Slice cuts off what
  /// is beyond the output.
  void lower_conv_transpose(const Node& conv, NodeId place) {
    const auto x = islands_.operand(conv.inputs[0]);
    const auto w = islands_.weights(conv.inputs[1], 1);
    if (!x || !w) return;
    const auto phases =
        phases_of(conv, graph_.value(conv.inputs[0]).shape, graph_.constant(w->codes)->shape());
    if (!phases || (phases->groups != 1 && !w->params.per_tensor())) return;
    const auto b = bias(conv.input(2), *x, *w, phases->channels);
    const auto y = b && sums_fit(conv, *w, *b) ? islands_.result(conv.outputs[0]) : std::nullopt;
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
    const auto ends = phases->ends();
    if (!ends) return replace(place, std::move(spread), *y);
    const ValueId whole = graph_.add_value(graph_.value(y->y.codes).name + "_whole",
                                           graph_.value(y->y.zero_point).dtype, std::nullopt);
    spread.outputs = {whole};
    replacements_[static_cast<size_t>(place)].push_back(std::move(spread));
    Node crop = make_node(conv, "Slice", "");
    crop.name += "/Slice";
    crop.attributes.clear();
    const auto integers = [&](const char* suffix, std::vector<int64_t> numbers) {
      return add(suffix, Tensor::of<int64_t>({2}, numbers));
    };
    crop.inputs = {whole, integers("_starts", {0, 0}), integers("_ends", *ends), integers("_axes", {2, 3})};
    replace(place, std::move(crop), *y);
  }

  /// B is one matrix of weights, or computed like A.
  void lower_matmul(const Node& matmul, NodeId place) {
    const auto a = islands_.operand(matmul.inputs[0]), weights = islands_.weights(matmul.inputs[1], 1);
    if (weights && graph_.constant(weights->codes)->shape().size() != 2) return;
    const auto b = weights ? weights : islands_.operand(matmul.inputs[1]);
    if (!a || !b || (!weights && graph_.constant(b->codes) != nullptr)) return;
    if (weights ? !sums_fit(matmul, *b, kNoValue) : !products_fit(matmul, *a, *b)) return;
    const auto y = islands_.result(matmul.outputs[0]);
    if (!y && weights) lower_real_matmul(matmul, place, *a, *b);
    if (!y) return;
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
    const int64_t columns = w.shape()[1];
    if (const auto bias = bias_behind(matmul.outputs[0], columns)) {
      const NodeId add = index_.uses(matmul.outputs[0])[0].node;
      const Node& sum = graph_.nodes[static_cast<size_t>(add)];
      const ValueId given = sum.inputs[bias->place];
      const bool is_row = graph_.constant(given)->shape() == Shape{columns};
      node.outputs = sum.outputs;
      node.inputs.push_back(is_row ? given
                                   : graph_.add_constant(graph_.value(given).name + "_row",
                                                         Tensor::of<float>({columns}, bias->columns)));
      dropped_[static_cast<size_t>(add)] = true;
    }
    replacements_[static_cast<size_t>(place)] = {std::move(node)};
    dropped_[static_cast<size_t>(place)] = true;
  }

  /// The number that is added to each column of a value by an Add that alone reads it.
  std::optional<ColumnAddend> bias_behind(ValueId id, int64_t columns) const {
    if (islands_.is_kept(id) || !index_.single_use(id)) return std::nullopt;
    const NodeId reader = index_.uses(id)[0].node;
    return column_addend(graph_, graph_.nodes[static_cast<size_t>(reader)], id, columns);
  }

  /// The result may stay real: then nothing has to follow.
  void lower_gemm(const Node& gemm, NodeId place) {
    const bool transposed = gemm.int_attribute("transB", 0) != 0;
    if (gemm.float_attribute("alpha", 1) != 1 || gemm.float_attribute("beta", 1) != 1) return;
    const auto a = islands_.operand(gemm.inputs[0]);
    const auto b = islands_.weights(gemm.inputs[1], transposed ? 0 : 1);
    if (!a || !b || graph_.constant(b->codes)->shape().size() != 2) return;
    const auto c = bias(gemm.input(2), *a, *b, graph_.constant(b->codes)->shape()[transposed ? 0 : 1]);
    if (!c || !sums_fit(gemm, *b, *c)) return;
    Node node = make_node(gemm, "QGemm", kMicrosoft);
    node.attributes.erase("beta");
    append(node, *a);
    append(node, *b);
    node.inputs.push_back(*c);
    if (const auto y = islands_.result(gemm.outputs[0])) {
      append_params(node, y->y);
      return replace(place, std::move(node), *y);
    }
    node.outputs = gemm.outputs;
    replacements_[static_cast<size_t>(place)] = {std::move(node)};
    dropped_[static_cast<size_t>(place)] = true;
  }

  /// Operators on activations alone.
  void lower_operands(const Node& original, NodeId place, const IntegerForm& form) {
    const std::vector<ValueId> reals = code_operands(graph_, original);
    std::vector<Codes> operands;
    for (ValueId id : reals) {
      const auto x = islands_.operand(id);
      if (!x) return;
      operands.push_back(*x);
    }
    const auto y = islands_.result(original.outputs[0]);
    if (!y) return;
    Node node = make_node(original, form.op_type, form.domain);
    if (form.names_opset) node.attributes["opset"] = graph_.opset();
    const CodeSlots slots = find_op(graph_, node).slots.repeated(operands.size());
    node.inputs.assign(3 * operands.size() + 2 + form.passed.size(), kNoValue);
    for (size_t i = 0; i < operands.size(); ++i) {
      node.inputs[slots.operands[i].codes] = operands[i].codes;
      node.inputs[slots.operands[i].scale] = operands[i].scale;
      node.inputs[slots.operands[i].zero_point] = operands[i].zero_point;
    }
    node.inputs[slots.y_scale] = y->y.scale;
    node.inputs[slots.y_scale + 1] = y->y.zero_point;
    auto free = node.inputs.begin();
    for (size_t i : form.passed) {
      free = std::find(free, node.inputs.end(), kNoValue);
      *free = original.inputs[i];
    }
    replace(place, std::move(node), *y);
  }

  void lower_move(const Node& move, NodeId place) {
    const auto x = islands_.operand(move.inputs[0]);
    if (!x || (blends(graph_, move) && graph_.value(x->codes).dtype != DataType::kU8)) return;
    Node node = move;
    node.inputs[0] = x->codes;
    std::vector<IslandResult> results;
    for (ValueId& id : node.outputs) {
      if (id == kNoValue) continue;
      const auto y = islands_.result(id);
      if (!y || y->unclamped != kNoValue || y->absorbed.size() != 1 || !same_params(y->y, *x)) return;
      id = y->y.codes;
      results.push_back(*y);
    }
    replacements_[static_cast<size_t>(place)] = {std::move(node)};
    dropped_[static_cast<size_t>(place)] = true;
    for (const IslandResult& y : results) dropped_[static_cast<size_t>(y.absorbed[0])] = true;
  }

  static constexpr double kBiasScaleTolerance = 1e-3;

  Graph graph_;
  const std::vector<bool>& keep_;
  Runtime runtime_;
  const GraphIndex index_;
  Islands islands_;
  std::vector<bool> dropped_;
  std::vector<std::vector<Node>> replacements_;  // per node: what stands there instead
  bool uses_microsoft_ = false;
};

}  // namespace

Graph lower_to_qoperator(Graph graph, const std::vector<bool>& keep, Runtime runtime) {
  widen_constant_codes(graph);
  complete_zero_points(graph);
  return QOperatorLowering(std::move(graph), keep, runtime).lower();
}

}  // namespace quantize
