#include "calibration/search/sensitivity.h"

#include <algorithm>
#include <numeric>

#include "core/quantization/insert_qdq.h"

namespace quantize {

namespace {

double mean_error(const Quality& quality) {
  return std::accumulate(quality.errors.begin(), quality.errors.end(), 0.0) /
         static_cast<double>(std::max<size_t>(quality.errors.size(), 1));
}

}  // namespace

std::vector<LayerSensitivity> measure_sensitivity(const PlannedModel& planned, const Planner& planner,
                                                  const Validator& validator, bool without,
                                                  const std::function<void(size_t)>& progress) {
  const auto& [graph, plan] = planned;
  std::vector<NodeId> layers;
  std::set<std::string> names;
  for (size_t n = 0; n < plan.nodes.size(); ++n) {
    if (!plan.nodes[n].weights) continue;
    layers.push_back(static_cast<NodeId>(n));
    names.insert(graph.nodes[n].name);
  }
  std::vector<LayerSensitivity> result;
  for (NodeId n : layers) {
    const std::string& name = graph.nodes[static_cast<size_t>(n)].name;
    std::set<std::string> others = names;
    others.erase(name);
    LayerSensitivity layer{.node = n, .alone = validator.judge(insert_qdq(planner(others))), .without = {}};
    if (without) layer.without = validator.judge(insert_qdq(planner({name})));
    result.push_back(std::move(layer));
    if (progress) progress(result.size());
  }
  return result;
}

bool Bound::holds(const Quality& quality) const {
  const auto is_within = [](const std::optional<double>& limit, const std::optional<double>& value,
                            double sign) { return !limit || (value && sign * *value >= sign * *limit); };
  return is_within(min_agreement, quality.agreement(), 1) && is_within(min_sqnr, quality.sqnr_db(), 1) &&
         is_within(max_drop, quality.top1.drop(), -1);
}

std::vector<std::string> most_harmful_first(const PlannedModel& planned,
                                            const std::vector<LayerSensitivity>& layers, HarmPer per) {
  const auto& [graph, plan] = planned;
  std::vector<std::pair<double, std::string>> harms;
  for (const LayerSensitivity& layer : layers) {
    const auto n = static_cast<size_t>(layer.node);
    const auto macs = static_cast<double>(std::max<uint64_t>(plan.nodes[n].macs, 1));
    harms.emplace_back(mean_error(layer.alone) / (per == HarmPer::kMac ? macs : 1), graph.nodes[n].name);
  }
  std::stable_sort(harms.begin(), harms.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> order;
  order.reserve(harms.size());
  for (auto& [harm, name] : harms) order.push_back(std::move(name));
  return order;
}

std::optional<std::vector<std::string>> fewest_put_back(
    const std::vector<std::string>& order, size_t most,
    const std::function<bool(const std::set<std::string>&)>& holds) {
  const auto first = [&](size_t count) {
    return std::set<std::string>(order.begin(), order.begin() + static_cast<ptrdiff_t>(count));
  };
  size_t failing = 0, count = 0;
  while (!holds(first(count))) {
    if (count >= most) return std::nullopt;
    failing = count;
    count = std::min(std::max<size_t>(2 * count, 1), most);
  }
  while (count > failing + 1) {
    const size_t middle = failing + (count - failing) / 2;
    (holds(first(middle)) ? count : failing) = middle;
  }
  std::set<std::string> chosen = first(count);
  for (size_t i = count; i-- > 0;) {
    std::set<std::string> fewer = chosen;
    fewer.erase(order[i]);
    if (fewer.size() < chosen.size() && i + 1 != count && holds(fewer)) chosen = fewer;
  }
  std::vector<std::string> result;
  for (const std::string& name : order)
    if (chosen.contains(name)) result.push_back(name);
  return result;
}

}  // namespace quantize
