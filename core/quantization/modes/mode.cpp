// Which node has which mode.
#include "core/quantization/modes/mode.h"

#include <algorithm>

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
}

const Mode& ModeChoice::of(const Node& node) const {
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule)
    if (std::regex_search(node.name, rule->first)) return *rule->second;
  return all_;
}

std::vector<const Mode*> modes_of(const QuantizationScheme& scheme) {
  std::vector<const Mode*> modes = {&find_mode(scheme.mode)};
  for (const ModeRule& rule : scheme.mode_rules) {
    const Mode* mode = &find_mode(rule.mode);
    if (std::find(modes.begin(), modes.end(), mode) == modes.end()) modes.push_back(mode);
  }
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
  if (scheme.weight_block != 0 &&
      std::none_of(modes.begin(), modes.end(), [](const Mode* mode) { return mode->takes_blocks; }))
    throw Error(ErrorKind::kInvalidArgument, "--mode " + join_names(modes, " and ") +
                                                 " has no blocks of weights; leave out --weight-block");
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
}

std::string modes_that_take(const ModeRequest& request, const Node& node) {
  std::vector<const Mode*> modes;
  for (const Mode* mode : all_modes())
    if (mode->takes != nullptr && mode->takes(request, node)) modes.push_back(mode);
  return join_names(modes, " or ");
}

}  // namespace quantize
