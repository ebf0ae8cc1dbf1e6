// A walk over names, from the outputs back.
#include "onnx_io/drop_unneeded.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace quantize {

namespace {

using Names = std::unordered_set<std::string>;

/// Calls visit for each name that a node reads, bodies included: these may read any tensor of the graph around them.
template <typename Visit>
void visit_read_names(const onnx::NodeProto& node, const Visit& visit) {
  for (const std::string& name : node.input())
    if (!name.empty()) visit(name);
  for (const auto& attribute : node.attribute()) {
    if (!attribute.has_g()) continue;
    for (const auto& inner : attribute.g().node()) visit_read_names(inner, visit);
    for (const auto& output : attribute.g().output()) visit(output.name());
  }
}

/// The tensors that the outputs depend on.
Names needed_names(const onnx::GraphProto& graph) {
  std::unordered_map<std::string, std::vector<const onnx::NodeProto*>> makers;
  for (const auto& node : graph.node())
    for (const std::string& name : node.output())
      if (!name.empty()) makers[name].push_back(&node);
  Names needed;
  std::vector<std::string> open;
  const auto need = [&](const std::string& name) {
    if (needed.insert(name).second) open.push_back(name);
  };
  for (const auto& output : graph.output()) need(output.name());
  std::unordered_set<const onnx::NodeProto*> seen;
  while (!open.empty()) {
    const auto found = makers.find(open.back());
    open.pop_back();
    if (found == makers.end()) continue;
    for (const onnx::NodeProto* node : found->second)
      if (seen.insert(node).second) visit_read_names(*node, need);
  }
  return needed;
}

/// Keeps the elements that `is_needed` says, in their order.
template <typename Elements, typename Predicate>
void keep_if(Elements& elements, Predicate is_needed) {
  int kept = 0;
  for (int i = 0; i < elements.size(); ++i)
    if (is_needed(elements.Get(i))) elements.SwapElements(kept++, i);
  elements.DeleteSubrange(kept, elements.size() - kept);
}

/// The inputs that nothing needs and that can be fed by name.
std::vector<UnreadInput> unread_inputs(const onnx::GraphProto& graph, const Names& needed) {
  Names taken;
  for (const auto& tensor : graph.initializer()) taken.insert(tensor.name());
  for (const auto& tensor : graph.sparse_initializer()) taken.insert(tensor.values().name());
  std::vector<UnreadInput> unread;
  size_t position = 0;
  for (const auto& input : graph.input()) {
    if (input.name().empty() || !taken.insert(input.name()).second) continue;
    if (needed.count(input.name()) == 0 && input.type().value_case() != onnx::TypeProto::VALUE_NOT_SET)
      unread.push_back({input.name(), position, input.SerializeAsString()});
    ++position;
  }
  return unread;
}

}  // namespace

std::vector<UnreadInput> drop_unneeded(onnx::GraphProto& graph) {
  const Names needed = needed_names(graph);
  std::vector<UnreadInput> unread = unread_inputs(graph, needed);
  const auto is_needed = [&](const std::string& name) { return needed.count(name) != 0; };
  keep_if(*graph.mutable_node(), [&](const onnx::NodeProto& node) {
    return std::any_of(node.output().begin(), node.output().end(), is_needed);
  });
  keep_if(*graph.mutable_initializer(), [&](const auto& tensor) { return is_needed(tensor.name()); });
  keep_if(*graph.mutable_sparse_initializer(),
          [&](const auto& tensor) { return is_needed(tensor.values().name()); });
  keep_if(*graph.mutable_input(), [&](const auto& input) { return is_needed(input.name()); });
  return unread;
}

}  // namespace quantize
