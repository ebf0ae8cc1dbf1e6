#include "calibration/sensitivity.h"

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

std::vector<LayerSensitivity> measure_sensitivity(const Graph& graph, const QuantizationPlan& plan,
                                                  const Planner& planner, const Validator& validator,
                                                  bool alone, const std::function<void(size_t)>& progress) {
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
    LayerSensitivity layer{
        .node = n, .without = validator.judge(insert_qdq(graph, planner({name}))), .alone = {}};
    if (alone) {
      std::set<std::string> others = names;
      others.erase(name);
      layer.alone = validator.judge(insert_qdq(graph, planner(others)));
    }
    result.push_back(std::move(layer));
    if (progress) progress(result.size());
  }
  return result;
}

bool Bound::holds(const Quality& quality) const {
  return (!min_agreement || quality.agreement() >= *min_agreement) &&
         (!min_sqnr || quality.sqnr_db() >= *min_sqnr) && (!max_drop || quality.drop() <= *max_drop);
}

std::vector<std::string> most_harmful_first(const Graph& graph, const QuantizationPlan& plan,
                                            const std::vector<LayerSensitivity>& layers,
                                            const Quality& quality) {
  std::vector<std::pair<double, std::string>> gains;
  for (const LayerSensitivity& layer : layers) {
    const auto n = static_cast<size_t>(layer.node);
    const double gain = mean_error(quality) - mean_error(layer.without);
    const auto macs = static_cast<double>(std::max<uint64_t>(plan.nodes[n].macs, 1));
    gains.emplace_back(gain > 0 ? gain / macs : gain, graph.nodes[n].name);
  }
  std::stable_sort(gains.begin(), gains.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> order;
  for (auto& [gain, name] : gains) order.push_back(std::move(name));
  return order;
}

std::optional<size_t> fewest_in_float(const std::vector<std::string>& order,
                                      const std::function<bool(const std::set<std::string>&)>& holds) {
  const auto holds_with = [&](size_t count) {
    return holds({order.begin(), order.begin() + static_cast<ptrdiff_t>(count)});
  };
  size_t failing = 0, count = 0;
  while (!holds_with(count)) {
    if (count == order.size()) return std::nullopt;
    failing = count;
    count = std::min(std::max<size_t>(2 * count, 1), order.size());
  }
  while (count > failing + 1) {
    const size_t middle = failing + (count - failing) / 2;
    (holds_with(middle) ? count : failing) = middle;
  }
  return count;
}

}  // namespace quantize
