// Rules against a network: what they select, and what becomes of their wishes.
#include <catch2/catch.hpp>

#include "core/error.h"
#include "core/passes/passes.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/node_selection.h"
#include "core/quantization/rules/apply_rules.h"
#include "core/quantization/rules/select.h"
#include "tests/support/planned_graph.h"

using namespace quantize;
using namespace quantize::test;
using Catch::Matchers::Contains;

namespace {

using Names = std::vector<std::string>;

/// x -> stem -> relu -> left  -> sum -> head (Gemm)
///                   -> right ->
/// A BatchNormalization, "norm", is folded into the stem; the ArgMax "winner" computes integers.
Graph network() {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 6, 6});
  const ValueId stem = b.node("Conv", {x, b.random("stem_w", {4, 2, 1, 1})});
  std::vector<ValueId> statistics;
  for (const char* name : {"scale", "bias", "mean"}) statistics.push_back(b.random(name, {4}));
  const ValueId norm =
      b.node("BatchNormalization", {stem, statistics[0], statistics[1], statistics[2],
                                    b.constant("variance", Tensor::of<float>({4}, {1, 1, 1, 1}))});
  const ValueId relu = b.node("Relu", {norm});
  const ValueId left = b.node("Conv", {relu, b.random("left_w", {4, 4, 1, 1})});
  const ValueId right = b.node("Conv", {relu, b.random("right_w", {4, 4, 1, 1})});
  const ValueId sum = b.node("Add", {left, right});
  const ValueId pool =
      b.node("MaxPool", {sum},
             {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}});
  const ValueId flat = b.node("Flatten", {pool});
  const ValueId head = b.node("Gemm", {flat, b.random("head_w", {36, 5})});
  const ValueId best = b.node("ArgMax", {relu}, {{"axis", int64_t{1}}});
  Graph graph = b.build({head, best});
  const Names names = {"stem", "norm", "relu", "left", "right", "sum", "pool", "flat", "head", "winner"};
  for (size_t n = 0; n < names.size(); ++n) {
    graph.nodes[n].name = names[n];
    graph.value(graph.nodes[n].outputs[0]).name = names[n] + "_out";
  }
  return graph;
}

struct Applied {
  std::vector<AppliedRule> rules;
  QuantizationScheme scheme;
  Graph graph;
};

Applied apply(std::vector<Rule> rules, QuantizationScheme scheme = {}, const char* target = "native") {
  const Graph source = network();
  Applied applied;
  applied.graph = open_model(source, 21);
  scheme.rules = std::move(rules);
  resolve_selectors(source, applied.graph, scheme);
  applied.rules = apply_rules(source, applied.graph, find_target(target), scheme);
  applied.scheme = std::move(scheme);
  return applied;
}

/// A RuleSelector of which every field may be left out.
struct Selects {
  RuleSelector::Kind of = RuleSelector::Kind::kNodes;
  std::optional<std::string> regex = {}, glob = {};
  std::vector<std::string> op_types = {};
  std::optional<std::string> from = {}, to = {};
  bool may_be_empty = false;

  RuleSelector selector() const { return {of, regex, glob, op_types, from, to, may_be_empty}; }
};

Rule rule(const Selects& selects, std::optional<std::string> mode = "float") {
  return {
      .text = "{}", .selects = selects.selector(), .mode = std::move(mode), .activations = {}, .weights = {}};
}

/// The nodes that a selector takes.
Names nodes(const Selects& selects) {
  return apply({rule(selects)}).rules[0].nodes;
}

std::string failure_of(const std::vector<Rule>& rules) {
  try {
    apply(rules);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kInvalidArgument);
    return error.what();
  }
  return "none";
}

std::string failure(const Selects& selects) {
  return failure_of({rule(selects)});
}

}  // namespace

TEST_CASE("A glob is of the whole name", "[rules]") {
  const std::pair<const char*, bool> cases[] = {
      {"left", true}, {"lef", false},  {"l*t", true},  {"*", true},     {"l?ft", true},
      {"?", false},   {"*e*t*", true}, {"*x*", false}, {"left*", true}, {"l??t?", false}};
  for (const auto& [pattern, matches] : cases) {
    INFO(pattern);
    CHECK(matches_glob(pattern, "left") == matches);
  }
  CHECK(matches_glob("a.b[0]", "a.b[0]"));
  CHECK_FALSE(matches_glob("a.b", "axb"));
  CHECK_FALSE(matches_glob(std::string(200, '*') + "b", std::string(5000, 'a')));
}

TEST_CASE("Nodes are selected by name and operator, and by all criteria together", "[rules]") {
  CHECK(nodes({.regex = "t$"}) == Names{"left", "right", "flat"});
  CHECK(nodes({.glob = "*t"}) == Names{"left", "right", "flat"});
  CHECK(nodes({.op_types = {"Conv", "Gemm"}}) == Names{"stem", "left", "right", "head"});
  CHECK(nodes({.glob = "*t", .op_types = {"Conv"}}) == Names{"left", "right"});
  CHECK(nodes({.regex = "^l", .glob = "*t"}) == Names{"left"});
}

TEST_CASE("A sub-graph is every node on a path, both ends included", "[rules]") {
  CHECK(nodes({.from = "relu", .to = "sum"}) == Names{"relu", "left", "right", "sum"});
  CHECK(nodes({.from = "left", .to = "head"}) == Names{"left", "sum", "pool", "flat", "head"});
  CHECK(nodes({.from = "relu_out", .to = "left_out"}) == Names{"left"});  // values: who reads, who computes
  CHECK(nodes({.from = "pool"}) == Names{"pool", "flat", "head"});
  CHECK(nodes({.to = "left"}) == Names{"stem", "relu", "left"});
  CHECK(nodes({.from = "x", .to = "relu"}) == Names{"stem", "relu"});
  CHECK(nodes({.op_types = {"Conv"}, .from = "relu", .to = "sum"}) == Names{"left", "right"});
}

TEST_CASE("A rule that selects nothing says what is near", "[rules]") {
  CHECK_THAT(failure({.glob = "rigt"}),
             Contains("rule 1") && Contains("'rigt' names no node") && Contains("'right'"));
  CHECK_THAT(failure({.regex = "^hed"}), Contains("names no node") && Contains("'head'"));
  CHECK_THAT(failure({.op_types = {"conv"}}), Contains("names no operator") && Contains("'Conv'"));
  CHECK_THAT(failure({.from = "lft"}),
             Contains("\"from\" 'lft' names no node and no value") && Contains("'left'"));
  CHECK_THAT(failure({.from = "left", .to = "right"}), Contains("no path leads from 'left' to 'right'"));
  CHECK_THAT(failure({.glob = "left", .op_types = {"Gemm"}}), Contains("nothing fulfils all"));
  CHECK_THAT(failure({.glob = "norm"}), Contains("no longer there") && Contains("'norm'"));
  CHECK_THAT(failure({.to = "stem_outt"}), Contains("names no node and no value"));
  CHECK_THAT(failure({.of = RuleSelector::Kind::kValues, .glob = "left"}),
             Contains("names no value") && Contains("'left_out'"));
  CHECK_THAT(failure({.regex = "["}), Contains("no regular expression"));
  CHECK_THAT(failure({.regex = std::string(1001, '(')}), Contains("1001 characters"));
}

TEST_CASE("An optional rule may select nothing, but must be an expression", "[rules]") {
  CHECK(nodes({.glob = "nothing", .may_be_empty = true}).empty());
  CHECK_THAT(failure({.regex = "[", .may_be_empty = true}), Contains("no regular expression"));
}

TEST_CASE("Later rules win, and options win over rules", "[rules]") {
  QuantizationScheme scheme;
  scheme.mode_rules = {{"dynamic", "^right$"}};
  const Applied applied = apply({rule({.op_types = {"Conv"}}, "weight-only"), rule({.glob = "left"}, "float"),
                                 rule({.glob = "stem"}, "")},
                                scheme);
  const ModeChoice modes(applied.scheme);
  std::map<std::string, std::string> by_name;
  for (const Node& node : applied.graph.nodes) by_name[node.name] = modes.of(node).name;
  CHECK(by_name["left"] == "float");
  CHECK(by_name["right"] == "dynamic");
  CHECK(by_name["stem"] == "static");
  CHECK(by_name["head"] == "static");
  CHECK(modes_of(applied.scheme).size() == 4);
}

TEST_CASE("Wishes for nodes are overrides of their weights and of what they compute", "[rules]") {
  Rule coarse = rule({.op_types = {"Conv"}}, std::nullopt), fine = rule({.glob = "left"}, std::nullopt);
  coarse.weights.num_bits = 4;
  coarse.activations.method = "max";
  fine.weights.num_bits = 6;
  fine.weights.per_channel = false;
  QuantizationScheme scheme;
  scheme.overrides["right_w"].num_bits = 8;  // as --overrides has it
  const Applied applied = apply({coarse, fine}, scheme);
  const auto& overrides = applied.scheme.overrides;
  CHECK(overrides.at("left_w").num_bits == 6);
  CHECK(overrides.at("left_w").per_channel == false);
  CHECK(overrides.at("right_w").num_bits == 8);
  CHECK(overrides.at("left_out").method == "max");
  CHECK(overrides.at("relu_out").method == "max");  // the clamp of the stem
  CHECK_FALSE(overrides.contains("head_w"));
  CHECK(applied.rules[1].values == Names{"left_w"});
}

TEST_CASE("A rule for values leaves out what cannot take it, and says why", "[rules]") {
  Rule narrow = rule({.of = RuleSelector::Kind::kActivations, .glob = "*"}, std::nullopt);
  narrow.activations.num_bits = narrow.weights.num_bits = 7;
  const Applied applied = apply({narrow});
  REQUIRE(applied.rules[0].left_out.size() == 1);
  CHECK(applied.rules[0].left_out[0].first == "winner_out");
  CHECK_THAT(applied.rules[0].left_out[0].second, Contains("s64"));
  CHECK(applied.scheme.overrides.at("x").num_bits == 7);
  CHECK_FALSE(applied.scheme.overrides.contains("left_w"));

  narrow.selects.glob = "winner_out";
  CHECK_THAT(failure_of({narrow}), Contains("rule 1") && Contains("'winner_out'") && Contains("s64"));
  Rule weights = rule({.op_types = {"Relu"}}, std::nullopt);
  weights.weights.num_bits = 4;
  CHECK_THAT(failure_of({weights}), Contains("none of the nodes has weights"));
}

TEST_CASE("Values that are told the same share their scales as if they were told nothing", "[rules]") {
  Rule all = rule({.of = RuleSelector::Kind::kActivations, .glob = "*"}, std::nullopt);
  all.activations.num_bits = 7;
  const Applied applied = apply({all});
  const PlannedModel planned =
      plan_quantization(applied.graph, measured_ranges(applied.graph), applied.scheme, find_target("native"));
  for (const char* name : {"pool_out", "flat_out"}) {
    INFO(name);
    const PlannedValue& value = planned.plan.values[static_cast<size_t>(applied.graph.find_value(name))];
    REQUIRE(value.params);
    CHECK(value.params->quant_max == 127);
    CHECK(applied.graph.value(value.source).name == "sum_out");
  }
}

TEST_CASE("A wish for values that the plan does not round comes to nothing, with the reason", "[rules]") {
  const Applied applied = apply({});
  const PlannedModel planned =
      plan_quantization(applied.graph, measured_ranges(applied.graph), applied.scheme, find_target("native"));
  CHECK(idle_reason(planned, {"norm_out", "relu_out"}).empty());
  CHECK_THAT(idle_reason(planned, {"norm_out"}), Contains("'norm_out' is not rounded"));
  CHECK(idle_reason(planned, {"left_w"}).empty());
  CHECK(idle_reason(planned, {}).empty());
}

TEST_CASE("A later amax takes the place of ends that were set before", "[rules]") {
  ValueOverride specific;
  specific.min = -1.0f;
  specific.method = "max";
  ValueOverride later;
  later.amax = 6.0f;
  merge_override(specific, later);
  CHECK_FALSE(specific.min);
  CHECK(specific.amax == 6.0f);
  CHECK(specific.method == "max");
}
