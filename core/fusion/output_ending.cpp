// Following an output back. Read ending_of() at the end.
#include "core/fusion/output_ending.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace quantize {

namespace {

template <size_t N>
bool is_one_of(const std::string& op_type, const std::array<std::string_view, N>& list) {
  return std::find(list.begin(), list.end(), op_type) != list.end();
}

constexpr std::array<std::string_view, 6> kMoving = {
    "Identity", "Cast", "Dropout", "QuantizeLinear", "DequantizeLinear", "Transpose"};
constexpr std::array<std::string_view, 4> kReshaping = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"};
constexpr std::array<std::string_view, 5> kAveraging = {"GlobalAveragePool", "QLinearGlobalAveragePool",
                                                        "AveragePool", "QLinearAveragePool", "ReduceMean"};
constexpr std::array<std::string_view, 2> kEnlarging = {"Resize", "Upsample"};
constexpr std::array<std::string_view, 6> kShifting = {"Add", "Sub",        "Mul",
                                                       "Div", "QLinearAdd", "QLinearMul"};
constexpr std::array<std::string_view, 2> kRectifying = {"Relu", "Clip"};
constexpr std::array<std::string_view, 3> kProbable = {"Softmax", "LogSoftmax", "QLinearSoftmax"};
constexpr std::array<std::string_view, 3> kScoring = {"Sigmoid", "HardSigmoid", "QLinearSigmoid"};
constexpr std::array<std::string_view, 12> kLayers = {
    "Conv",      "ConvTranspose", "Gemm",          "MatMul",      "QLinearConv",          "QGemm",
    "FusedConv", "FusedGemm",     "QLinearMatMul", "FusedMatMul", "MatMulIntegerToFloat", "ConvInteger"};
constexpr std::array<std::string_view, 2> kNorms = {"LpNormalization", "LayerNormalization"};
constexpr std::array<std::string_view, 2> kJoining = {"Concat", "QLinearConcat"};

/// A walk from an output towards the inputs.
class Walk {
 public:
  Walk(const Graph& graph, ValueId output, size_t rank)
      : graph_(graph), index_(graph), at_(output), rank_(static_cast<int64_t>(rank)) {}

  OutputEnding run() {
    while (const Node* node = producer(at_)) {
      end_.op_type = node->op_type;
      const std::optional<ValueId> next = step(*node);
      if (!next) return end_;
      at_ = *next;
    }
    end_.op_type.clear();
    return end_;
  }

 private:
  const Node* producer(ValueId id) const {
    const NodeId n = id == kNoValue ? kNoNode : index_.producer(id);
    return n == kNoNode ? nullptr : &graph_.nodes[static_cast<size_t>(n)];
  }

  /// A value that no node makes and that is no input is a constant, also where its elements were let go.
  bool is_constant(ValueId id) const {
    const Node* node = producer(id);
    if (node == nullptr)
      return std::find(graph_.inputs.begin(), graph_.inputs.end(), id) == graph_.inputs.end();
    return node->op_type == "Constant" ||
           (node->op_type == "DequantizeLinear" && is_constant(node->input(0)));
  }

  /// Where to go on, or nothing where `end_` is found.
  std::optional<ValueId> step(const Node& node) {
    const std::string& op = node.op_type;
    if (op == "Transpose") permutations_.push_back(node.ints_attribute("perm", {}));
    if (is_one_of(op, kReshaping) || op == "ReduceMean") reshaped_ = true;
    if (is_one_of(op, kMoving) || is_one_of(op, kReshaping) || is_one_of(op, kEnlarging))
      return node.input(0);
    if (is_one_of(op, kAveraging)) {
      averaged_ = true;
      return node.input(0);
    }
    if (is_one_of(op, kRectifying) && averaged_) return node.input(0);
    if (op == "BatchNormalization" && averaged_) return node.input(0);
    if (is_one_of(op, kShifting)) return behind_shift(node);
    end_.ending = meaning_of(node);
    return std::nullopt;
  }

  /// The operand of an arithmetic operator that is no constant; nothing where both are computed.
  std::optional<ValueId> behind_shift(const Node& node) {
    const size_t second = node.op_type.starts_with("QLinear") ? 3 : 1;
    if (is_constant(node.input(second))) return node.input(0);
    if (is_constant(node.input(0))) return node.input(second);
    if (node.op_type == "Div" && is_norm(node.input(1))) end_.ending = Ending::kNormalized;
    return std::nullopt;
  }

  /// True for a length of vectors, kept from 0 and broadcast.
  bool is_norm(ValueId id) const {
    const Node* node = producer(id);
    while (node != nullptr &&
           (node->op_type == "Clip" || node->op_type == "Expand" || node->op_type == "Max" ||
            node->op_type == "Add" || node->op_type == "Unsqueeze"))
      node = producer(node->input(0));
    return node != nullptr && (node->op_type == "ReduceL2" || node->op_type == "Sqrt");
  }

  Ending meaning_of(const Node& node) {
    const std::string& op = node.op_type;
    if (is_one_of(op, kProbable)) {
      end_.axis = axis_in_output(node);
      return Ending::kProbabilities;
    }
    if (is_one_of(op, kScoring)) return Ending::kScores;
    if (is_one_of(op, kLayers)) return Ending::kLinear;
    if (is_one_of(op, kNorms)) return Ending::kNormalized;
    if (op == "BatchNormalization") {
      return rank_ == 2 ? Ending::kNormalized : Ending::kLinear;
    }
    if (op == "ArgMax") return Ending::kIndices;
    if (op == "NonMaxSuppression") return Ending::kSelection;
    if (is_one_of(op, kJoining)) return Ending::kJoined;
    return Ending::kOther;
  }

  /// The axis of a Softmax as the output has it, behind the Transposes that were passed.
  std::optional<int64_t> axis_in_output(const Node& node) const {
    if (reshaped_) return std::nullopt;
    int64_t axis = node.int_attribute("axis", graph_.opset_of(node) < 13 ? 1 : -1);
    if (axis < 0) axis += rank_;
    for (auto perm = permutations_.rbegin(); perm != permutations_.rend(); ++perm) {
      if (perm->empty())
        axis = rank_ - 1 - axis;
      else
        axis = std::find(perm->begin(), perm->end(), axis) - perm->begin();
    }
    if (axis < 0 || axis >= rank_) return std::nullopt;
    return axis;
  }

  const Graph& graph_;
  const GraphIndex index_;
  ValueId at_;
  const int64_t rank_;
  bool averaged_ = false, reshaped_ = false;
  std::vector<std::vector<int64_t>> permutations_;  // the output's first
  OutputEnding end_;
};

}  // namespace

bool is_softmax(const Node& node) {
  return node.op_type == "Softmax" && node.domain.empty();
}

OutputEnding ending_of(const Graph& graph, ValueId output, size_t rank) {
  return Walk(graph, output, rank).run();
}

}  // namespace quantize
