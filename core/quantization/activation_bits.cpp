// Read ActivationBits::ActivationBits(), at the end, first.
#include "core/quantization/activation_bits.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "core/quantization/node_selection.h"

namespace quantize {

namespace {

constexpr int64_t kFirstOpset = 21;

std::string targets_of_16_bits() {
  std::string names;
  for (const TargetProfile* target : all_targets())
    if (target->sixteen_bits != nullptr && target->sixteen_bits->in_integers)
      names += (names.empty() ? "" : " and ") + std::string(target->name);
  return names;
}

/// Decides node by node.
class BitsFinder {
 public:
  BitsFinder(const Graph& graph, const GraphIndex& index, const QuantizationScheme& scheme,
             const std::vector<Candidate>& candidates, const Chains& chains)
      : graph_(graph),
        index_(index),
        scheme_(scheme),
        candidates_(candidates),
        chains_(chains),
        choice_(scheme) {}

  void find(std::vector<int>& nodes, std::vector<int>& values) const {
    const std::vector<bool> feeds = values_that_feed_16_bits();
    for (size_t v = 0; v < values.size(); ++v) {
      const auto id = static_cast<ValueId>(v);
      const bool stays_8 = scheme_.integer_input && index_.producer(id) == kNoNode;
      const int otherwise = feeds[v] && !stays_8 ? 16 : 8;
      values[v] = overridden_bits(scheme_, graph_.value(id).name).value_or(otherwise);
    }
    for (size_t n = 0; n < nodes.size(); ++n) {
      const auto id = static_cast<NodeId>(n);
      const NodeId before = chains_.before(id);
      if (before == kNoNode && !candidates_[n]) continue;  // reads and makes reals
      nodes[n] = before != kNoNode ? nodes[static_cast<size_t>(before)] : bits_of_node(id, values);
      for (const ValueId output : graph_.nodes[n].outputs)
        if (output != kNoValue) values[static_cast<size_t>(output)] = nodes[n];
    }
  }

 private:
  /// The bits that the node has whatever it reads.
  std::optional<int> own_bits(NodeId n) const {
    const Candidate& candidate = candidates_[static_cast<size_t>(n)];
    if (candidate.rule == QuantizationRule::kPassThrough) return std::nullopt;
    const auto links = chains_.of(n).links();
    const Node& last = graph_.nodes[static_cast<size_t>(links.empty() ? n : links.back())];
    if (const auto bits = overridden_bits(scheme_, graph_.value(last.outputs[0]).name)) return bits;
    if (const auto bits = choice_.of(graph_.nodes[static_cast<size_t>(n)])) return bits;
    return candidate.layout ? std::optional(8) : std::nullopt;
  }

  int bits_of_node(NodeId n, const std::vector<int>& values) const {
    if (const auto bits = own_bits(n)) return *bits;
    const auto& inputs = candidates_[static_cast<size_t>(n)].activations;
    return std::all_of(inputs.begin(), inputs.end(),
                       [&](ValueId id) { return values[static_cast<size_t>(id)] == 16; })
               ? 16
               : 8;
  }

  /// Per value: true if a node whose own bits are 16 reads it, or what operators without such make of it.
  std::vector<bool> values_that_feed_16_bits() const {
    std::vector<bool> feeds(graph_.values.size(), false);
    for (size_t n = graph_.nodes.size(); n-- > 0;) {
      if (!candidates_[n]) continue;
      const auto own = own_bits(static_cast<NodeId>(n));
      const auto& outputs = graph_.nodes[n].outputs;
      const bool has_16 = own ? *own == 16 : std::any_of(outputs.begin(), outputs.end(), [&](ValueId id) {
        return id != kNoValue && feeds[static_cast<size_t>(id)];
      });
      if (!has_16) continue;
      for (const ValueId id : candidates_[n].activations) feeds[static_cast<size_t>(id)] = true;
    }
    return feeds;
  }

  const Graph& graph_;
  const GraphIndex& index_;
  const QuantizationScheme& scheme_;
  const std::vector<Candidate>& candidates_;
  const Chains& chains_;
  const BitsChoice choice_;
};

}  // namespace

int64_t opset_of_bits(const QuantizationScheme& scheme) {
  return may_have_16_bits(scheme) ? kFirstOpset : 0;
}

void check_activation_bits(const Graph& graph, const QuantizationScheme& scheme,
                           const TargetProfile& target) {
  const BitsChoice choice(scheme);
  if (asks_for_16_bits(scheme) && target.sixteen_bits == nullptr)
    throw Error(ErrorKind::kUnsupported, std::string("target ") + target.name +
                                             " has no activations of 16 bits; " + targets_of_16_bits() +
                                             " compute on them");
  if (may_have_16_bits(scheme) && graph.opset() < kFirstOpset)
    throw Error(ErrorKind::kUnsupported,
                "ONNX has codes of 16 bits from opset 21 on, and this model has opset " +
                    std::to_string(graph.opset()));
}

BitsChoice::BitsChoice(const QuantizationScheme& scheme) : scheme_(scheme) {
  for (const BitsRule& rule : scheme.bits_rules)
    rules_.emplace_back(compile_selector("--activation-bits", rule.nodes), rule.bits);
}

std::optional<int> BitsChoice::of(const Node& node) const {
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule)
    if (selects(rule->first, node.name)) return rule->second;
  if (scheme_.activation_bits == 16 || scheme_.nodes16.contains(node.name)) return 16;
  return std::nullopt;
}

ActivationBits::ActivationBits(const Graph& graph, const GraphIndex& index, const QuantizationScheme& scheme,
                               const std::vector<Candidate>& candidates, const Chains& chains)
    : nodes_(graph.nodes.size(), 8), values_(graph.values.size(), 8) {
  if (may_have_16_bits(scheme)) BitsFinder(graph, index, scheme, candidates, chains).find(nodes_, values_);
}

}  // namespace quantize
