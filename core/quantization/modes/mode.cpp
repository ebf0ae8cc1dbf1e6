// Which node has which mode.
#include "core/quantization/modes/mode.h"

#include <algorithm>
#include <cstdio>

#include "core/error.h"
#include "core/quantization/node_selection.h"
#include "core/quantization/reasons.h"

namespace quantize {

namespace {

std::string join_names(const std::vector<const Mode*>& modes, const std::string& last) {
  std::string text;
  for (size_t i = 0; i < modes.size(); ++i)
    text += (i == 0 ? "" : i + 1 == modes.size() ? last : ", ") + std::string(modes[i]->name);
  return text;
}

/// Warns where stored weights are so coarse that networks which were not trained for it hardly work.
void warn_of_coarse(const Graph& graph, QuantizationPlan& plan) {
  constexpr double kCoarse = 10;
  size_t stored = 0, coarse = 0, worst = 0;
  double least = kCoarse;
  for (size_t n = 0; n < plan.nodes.size(); ++n)
    for (const StoredWeights& weights : plan.nodes[n].stored) {
      if (plan.nodes[n].placement != Placement::kFloat) continue;
      ++stored;
      coarse += weights.sqnr_db < kCoarse;
      if (weights.sqnr_db < least) {
        least = weights.sqnr_db;
        worst = n;
      }
    }
  if (coarse == 0) return;
  char figure[32];
  std::snprintf(figure, sizeof figure, "%.1f", least);
  plan.warnings.push_back("the weights of " + std::to_string(coarse) + " of " + std::to_string(stored) +
                          " stored operands keep less than 10 dB of SQNR, " + figure + " dB at '" +
                          graph.nodes[worst].name +
                          "'; without training for it a network hardly works so: give it more bits");
}

}  // namespace

const Mode& find_mode(const std::string& name) {
  for (const Mode* mode : all_modes())
    if (name == mode->name) return *mode;
  const auto modes = all_modes();
  throw Error(ErrorKind::kInvalidArgument, "there is no mode '" + name + "'; the modes are " +
                                               join_names({modes.begin(), modes.end()}, " and "));
}

ModeChoice::ModeChoice(const QuantizationScheme& scheme) : all_(find_mode(scheme.mode)) {
  for (const ModeRule& rule : scheme.mode_rules)
    rules_.emplace_back(compile_selector("--mode", rule.nodes), &find_mode(rule.mode));
  for (const auto& [node, mode] : scheme.node_modes) named_[node] = &find_mode(mode);
}

const Mode& ModeChoice::of(const Node& node) const {
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule)
    if (selects(rule->first, node.name)) return *rule->second;
  const auto named = named_.find(node.name);
  return named == named_.end() ? all_ : *named->second;
}

std::vector<const Mode*> modes_of(const QuantizationScheme& scheme) {
  std::vector<const Mode*> modes = {&find_mode(scheme.mode)};
  const auto add = [&](const std::string& name) {
    const Mode* mode = &find_mode(name);
    if (std::find(modes.begin(), modes.end(), mode) == modes.end()) modes.push_back(mode);
  };
  for (const ModeRule& rule : scheme.mode_rules) add(rule.mode);
  for (const Rule& rule : scheme.rules)
    if (!rule.mode.value_or("").empty()) add(*rule.mode);
  return modes;
}

bool takes_ranges(const QuantizationScheme& scheme) {
  const auto modes = modes_of(scheme);
  return std::any_of(modes.begin(), modes.end(), [](const Mode* mode) { return mode->takes_ranges; });
}

bool asks_for_integers(const QuantizationScheme& scheme) {
  const auto modes = modes_of(scheme);
  return std::any_of(modes.begin(), modes.end(), [](const Mode* mode) { return mode->on_codes; });
}

void check_modes(const QuantizationScheme& scheme, const TargetProfile& target) {
  const auto modes = modes_of(scheme);
  for (const Mode* mode : modes)
    if (mode->check != nullptr) mode->check(scheme, target);
  const auto takes = [](const Mode* mode) { return mode->takes_bits; };
  if (scheme.weights.num_bits != 8 && std::none_of(modes.begin(), modes.end(), takes))
    throw Error(ErrorKind::kInvalidArgument,
                "--mode " + join_names(modes, " and ") + " rounds no weights; leave out --weight-bits");
  if (scheme.weights.num_bits < 2 && std::any_of(modes.begin(), modes.end(), [](const Mode* mode) {
        return mode->takes_bits && !mode->takes_storage;
      }))
    throw Error(ErrorKind::kInvalidArgument,
                "integers that are computed on have 2 bits or more; give --weight-bits 2 to 8, or --mode "
                "weight-only alone");
  const WeightStorage& storage = scheme.storage;
  const char* given = scheme.weight_block != 0                ? "blocks of weights; leave out --weight-block"
                      : storage.grid == WeightGrid::kCodebook ? "codebooks; leave out --weight-codebook"
                      : storage.grid != WeightGrid::kLinear   ? "grids of weights; leave out --weight-grid"
                                                              : nullptr;
  if (given != nullptr &&
      std::none_of(modes.begin(), modes.end(), [](const Mode* mode) { return mode->takes_storage; }))
    throw Error(ErrorKind::kInvalidArgument, "--mode " + join_names(modes, " and ") + " has no " + given);
}

int64_t opset_of_modes(const QuantizationScheme& scheme) {
  int64_t opset = 0;
  for (const Mode* mode : modes_of(scheme))
    if (mode->opset != nullptr) opset = std::max(opset, mode->opset(scheme));
  return opset;
}

void plan_modes(const ModeRequest& request, QuantizationPlan& plan) {
  const ModeChoice choice(request.scheme);
  const NodeSelection selection(request.scheme);
  for (size_t n = 0; n < plan.nodes.size(); ++n) {
    const Node& node = request.graph.nodes[n];
    PlannedNode& planned = plan.nodes[n];
    planned.mode = &choice.of(node);
    if (planned.mode->plan == nullptr || planned.placement != Placement::kFloat) continue;
    if (const auto excluded = selection.reason(node))
      planned.reason = *excluded;
    else
      with_context([&] { return describe(request.graph, node); },
                   [&] { planned.mode->plan(request, node, planned); });
  }
  warn_of_coarse(request.graph, plan);
}

std::string modes_that_take(const ModeRequest& request, const Node& node) {
  std::vector<const Mode*> modes;
  for (const Mode* mode : all_modes())
    if (mode->takes != nullptr && mode->takes(request, node)) modes.push_back(mode);
  return join_names(modes, " or ");
}

}  // namespace quantize
