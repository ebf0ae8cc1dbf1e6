// Every graph of the suite, quantized for every target, as that target's runtime will read it: nothing of a plan is
// against the profile, and the forecast for the file is the plan.
#include <catch2/catch.hpp>

#include <map>

#include "core/passes/passes.h"
#include "core/quantization/check_scheme.h"
#include "core/quantization/forecast.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/plan_quantization.h"
#include "tests/suites/graphs.h"
#include "tests/support/quantized_graph.h"

namespace quantize::test {

namespace {

/// The bits of activations of a plan: all of one number, or those of every second node.
enum class Bits { k8, k16, kMixed };

PlannedModel planned_for(const SuiteGraph& entry, const TargetProfile& target, Bits bits) {
  Graph source = open_model(entry.build(), bits == Bits::k8 ? 13 : 21);
  name_nodes(source);
  QuantizationScheme scheme;
  scheme.max_noise = 1e30;
  take_types(scheme, target, target.choose_types({}, {}));
  if (bits == Bits::k16) scheme.activation_bits = 16;
  if (bits == Bits::kMixed)
    for (size_t n = 0; n < source.nodes.size(); n += 2) scheme.nodes16.insert(source.nodes[n].name);
  const RangeTable ranges = measured_ranges(source);
  return plan_quantization(source, ranges, scheme, target);
}

/// The forecast of each node, by name.
std::map<std::string, NodeForecast> by_name(const Graph& graph, const Forecast& found) {
  std::map<std::string, NodeForecast> names;
  for (const NodeForecast& each : found.nodes)
    names[name_of_node(graph, graph.nodes[static_cast<size_t>(each.node)])] = each;
  return names;
}

void check_forecast(const PlannedModel& planned, const TargetProfile& target, const std::string& label) {
  Graph qdq = insert_qdq(planned);
  infer_shapes(qdq);
  validate(qdq);
  const Forecast found = forecast(qdq, target);
  CHECK_FALSE(found.refusal);
  const auto names = by_name(qdq, found);
  for (size_t n = 0; n < planned.graph.nodes.size(); ++n) {
    const auto each = names.find(planned.graph.nodes[n].name);
    if (each == names.end()) continue;  // absorbed
    const auto reason = float_reason(planned, static_cast<NodeId>(n));
    INFO(label << ", " << target.name << ", " << planned.graph.nodes[n].name << ": plan "
               << reason.value_or("integer") << "; forecast " << each->second.reason);
    const NodeId tail = planned.plan.nodes[n].tail;  // a clamp that stays hands reals to float readers, too
    if (tail != kNoNode && planned.plan.nodes[static_cast<size_t>(tail)].placement == Placement::kFloat)
      continue;
    if (!reason) CHECK_FALSE(each->second.flaw);
    if (planned.plan.nodes[n].weights) CHECK(each->second.flaw.has_value() == reason.has_value());
  }
}

}  // namespace

TEST_CASE("suite: the forecast for the file of each target is its plan", "[suite][forecast]") {
  for (const SuiteGraph& entry : suite_graphs())
    for (const TargetProfile* target : all_targets())
      check_forecast(planned_for(entry, *target, Bits::k8), *target, entry.name);
}

TEST_CASE("suite: the same with activations of 16 bits, of all nodes and of some", "[suite][forecast]") {
  for (const SuiteGraph& entry : suite_graphs())
    for (const TargetProfile* target : all_targets()) {
      if (target->sixteen_bits == nullptr) continue;
      for (const Bits bits : {Bits::k16, Bits::kMixed}) {
        const PlannedModel planned = planned_for(entry, *target, bits);
        check_forecast(planned, *target, entry.name + std::string(bits == Bits::k16 ? ", 16" : ", mixed"));
        const PlanSummary summary = summarize(planned);
        if (target->sixteen_bits->in_integers && bits == Bits::k16) CHECK(summary.integer_macs == 0);
        if (!target->sixteen_bits->in_integers) CHECK(summary.macs16 == 0);
      }
    }
}

TEST_CASE("suite: reals are float on each target, for a reason", "[suite][forecast]") {
  for (const SuiteGraph& entry : suite_graphs())
    for (const TargetProfile* target : all_targets()) {
      Graph graph = open_model(entry.build());
      infer_shapes(graph);
      const Forecast found = forecast(graph, *target);
      CHECK(found.conversions == 0);
      for (const NodeForecast& each : found.nodes) {
        INFO(entry.name << ", " << target->name << ", " << each.reason);
        CHECK(each.flaw);
      }
    }
}

}  // namespace quantize::test
