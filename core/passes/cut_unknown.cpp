// Cutting a model before operators that are not known, and putting it together again. Read cut_unknown() and
// rejoin().
#include "core/passes/cut_unknown.h"

#include <algorithm>
#include <unordered_map>
#include <variant>

#include "core/error.h"
#include "core/ops/op.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

bool is_unknown(const Graph& graph, const Node& node, bool in_bodies = true) {
  if (try_find_op(graph, node) == nullptr && node.op_type != "Constant") return true;
  return in_bodies && std::any_of(node.attributes.begin(), node.attributes.end(), [](const auto& entry) {
           const Body* body = std::get_if<Body>(&entry.second);
           return body != nullptr && !unknown_nodes(**body).empty();
         });
}

/// Per node: is it unknown, or does it read what depends on such a node and is not fed?
std::vector<bool> nodes_of_tail(const Graph& model, const std::vector<std::string>& fed = {}) {
  std::vector<bool> in_tail(model.nodes.size(), false), tainted(model.values.size(), false);
  for (size_t n = 0; n < model.nodes.size(); ++n) {
    const Node& node = model.nodes[n];
    in_tail[n] = is_unknown(model, node) ||
                 std::any_of(node.inputs.begin(), node.inputs.end(),
                             [&](ValueId id) { return id != kNoValue && tainted[static_cast<size_t>(id)]; });
    for (const ValueId id : node.outputs)
      if (id != kNoValue && in_tail[n])
        tainted[static_cast<size_t>(id)] =
            std::find(fed.begin(), fed.end(), model.value(id).name) == fed.end();
  }
  return in_tail;
}

std::vector<Node> nodes_where(const Graph& model, const std::vector<bool>& in_tail, bool wanted) {
  std::vector<Node> nodes;
  for (size_t n = 0; n < model.nodes.size(); ++n)
    if (in_tail[n] == wanted) nodes.push_back(model.nodes[n]);
  return nodes;
}

std::vector<std::string> names_of(const Graph& model, const std::vector<ValueId>& ids) {
  std::vector<std::string> names;
  for (const ValueId id : ids) names.push_back(model.value(id).name);
  return names;
}

void add_once(std::vector<ValueId>& ids, ValueId id) {
  if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
}

/// Values that the tail reads and does not make: its inputs. Those that the head makes are the head's outputs.
void connect(CutModel& cut) {
  const GraphIndex made_by_head(cut.head), made_by_tail(cut.tail);
  std::vector<ValueId> outputs;
  for (const ValueId id : cut.head.outputs)
    (made_by_tail.producer(id) == kNoNode ? outputs : cut.tail.outputs).push_back(id);
  cut.head.outputs = std::move(outputs);
  cut.tail.inputs.clear();
  for (const Node& node : cut.tail.nodes)
    for (const ValueId id : node.inputs) {
      if (id == kNoValue || cut.tail.value(id).is_constant() || made_by_tail.producer(id) != kNoNode)
        continue;
      add_once(cut.tail.inputs, id);
      if (made_by_head.producer(id) != kNoNode) add_once(cut.head.outputs, id);
    }
}

/// Values that the tail makes and nodes of the head read are inputs of the head.
void feed(CutModel& cut) {
  const GraphIndex made_by_tail(cut.tail);
  const std::vector<ValueId> given = cut.head.inputs;
  for (const Node& node : cut.head.nodes)
    for (const ValueId id : node.inputs)
      if (id != kNoValue && made_by_tail.producer(id) != kNoNode) add_once(cut.head.inputs, id);
  cut.fed = names_of(cut.head,
                     {cut.head.inputs.begin() + static_cast<ptrdiff_t>(given.size()), cut.head.inputs.end()});
}

/// Values that the head computes of constants alone become constants of the tail; inputs that only the tail reads
/// leave the head.
void fold_head(CutModel& cut) {
  Graph& head = cut.head;
  infer_and_fold(head);
  std::vector<ValueId> outputs;
  for (const ValueId id : head.outputs) {
    const Value& value = head.value(id);
    const bool of_model = std::find(cut.outputs.begin(), cut.outputs.end(), value.name) != cut.outputs.end();
    if (value.is_constant()) {
      cut.tail.value(id).initializer = value.initializer;
      std::erase(cut.tail.inputs, id);
    }
    if (!value.is_constant() || of_model) outputs.push_back(id);
  }
  head.outputs = std::move(outputs);
  if (head.outputs.empty() || head.nodes.empty())
    throw Error(ErrorKind::kUnsupported, "nothing stands in front of " + cut.cause +
                                             " that could be quantized; split the model behind it");
  remove_dead_nodes(head);
  const GraphIndex index(head);
  std::erase_if(head.inputs, [&](ValueId id) { return index.uses(id).empty() && !index.is_output(id); });
}

/// Values of the tail as values of the whole: those of the head that have its inputs' names, and new ones. Names
/// of the model's outputs are kept; a value of the head that has one by chance gets another.
class Rejoining {
 public:
  Rejoining(Graph& whole, const CutModel& cut) : whole_(whole), cut_(cut) {
    for (size_t v = 0; v < whole.values.size(); ++v)
      known_.emplace(whole.values[v].name, static_cast<ValueId>(v));
  }

  void run() {
    for (const ValueId id : cut_.tail.inputs) {
      const std::string& name = cut_.tail.value(id).name;
      if (known_.find(name) == known_.end()) known_[name] = copy(id);
      ids_[id] = known_.at(name);
    }
    for (const std::string& name : cut_.fed)
      if (known_.find(name) != known_.end()) ids_[cut_.tail.find_value(name)] = known_.at(name);
    for (const ValueId id : cut_.tail.outputs) {
      if (ids_.find(id) != ids_.end()) continue;
      const auto taken = known_.find(cut_.tail.value(id).name);
      if (taken != known_.end()) rename(taken->second);
      known_[cut_.tail.value(id).name] = id_of(id);
    }
    for (Node node : cut_.tail.nodes) {
      for (ValueId& id : node.inputs) id = id_of(id);
      for (ValueId& id : node.outputs) id = id_of(id);
      whole_.nodes.push_back(std::move(node));
    }
    whole_.inputs.clear();
    for (const std::string& name : cut_.inputs) whole_.inputs.push_back(known_.at(name));
    whole_.outputs.clear();
    for (const std::string& name : cut_.outputs) whole_.outputs.push_back(known_.at(name));
  }

 private:
  ValueId copy(ValueId id) {
    const Value& value = cut_.tail.value(id);
    const ValueId made = whole_.add_value(value.name, value.dtype, value.shape);
    whole_.value(made).initializer = value.initializer;
    whole_.value(made).dim_names = value.dim_names;
    whole_.value(made).doc_string = value.doc_string;
    return made;
  }

  ValueId id_of(ValueId id) {
    if (id == kNoValue) return kNoValue;
    const auto found = ids_.find(id);
    return found != ids_.end() ? found->second : ids_[id] = copy(id);
  }

  /// Gives the value a name that no other has: its own is that of an output of the tail.
  void rename(ValueId id) {
    const ValueId unused = whole_.add_value(whole_.value(id).name);
    std::swap(whole_.value(id).name, whole_.value(unused).name);
    whole_.value(unused).name = whole_.value(id).name + "_unused";
  }

  Graph& whole_;
  const CutModel& cut_;
  std::unordered_map<std::string, ValueId> known_;
  std::unordered_map<ValueId, ValueId> ids_;  // of the tail -> of the whole
};

}  // namespace

std::vector<NodeId> unknown_nodes(const Graph& graph, bool in_bodies) {
  std::vector<NodeId> nodes;
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    if (is_unknown(graph, graph.nodes[n], in_bodies)) nodes.push_back(static_cast<NodeId>(n));
  return nodes;
}

std::string describe_unknown(const Graph& graph, const Node& node) {
  const auto made =
      std::find_if(node.outputs.begin(), node.outputs.end(), [](ValueId id) { return id != kNoValue; });
  const std::string name = !node.name.empty() ? "node '" + node.name + "'"
                           : made == node.outputs.end()
                               ? "a node"
                               : "the node that makes '" + graph.value(*made).name + "'";
  return name + " (" + node.op_type + " of domain '" + (node.domain.empty() ? "ai.onnx" : node.domain) + "')";
}

std::vector<ValueId> values_of_unknown(const Graph& model) {
  const std::vector<bool> in_tail = nodes_of_tail(model);
  std::vector<ValueId> values;
  for (size_t n = 0; n < model.nodes.size(); ++n)
    for (const ValueId id : model.nodes[n].outputs)
      if (in_tail[n] && id != kNoValue) values.push_back(id);
  return values;
}

CutModel cut_unknown(const Graph& model, const std::vector<std::string>& fed) {
  CutModel cut{model, model, names_of(model, model.inputs), names_of(model, model.outputs), {}, ""};
  cut.cause = describe_unknown(model, model.nodes[static_cast<size_t>(unknown_nodes(model).at(0))]);
  if (!model.info.widened_from.empty())
    throw Error(ErrorKind::kUnsupported,
                cut.cause + " may want the f16 of the model, which is f32 here; convert the model to f32");
  const std::vector<bool> in_tail = nodes_of_tail(model, fed);
  cut.head.nodes = nodes_where(model, in_tail, false);
  cut.tail.nodes = nodes_where(model, in_tail, true);
  cut.tail.outputs.clear();
  connect(cut);
  feed(cut);
  fold_head(cut);
  for (const auto& [domain, version] : model.info.opsets) {
    const auto reads = [name = domain](const Node& node) { return node.domain == name; };
    if (!domain.empty() && std::none_of(cut.head.nodes.begin(), cut.head.nodes.end(), reads))
      cut.head.info.opsets.erase(domain);
  }
  validate(cut.head);
  return cut;
}

Graph rejoin(Graph head, const CutModel& cut) {
  CutModel tail = cut;
  const int64_t opset = std::max(head.opset(), cut.tail.opset());
  upgrade_opset(tail.tail, opset);
  for (const auto& [domain, version] : cut.tail.info.opsets) head.info.opsets.emplace(domain, version);
  head.info.opsets[""] = opset;
  Rejoining(head, tail).run();
  sort_topologically(head);
  validate(head);
  return head;
}

}  // namespace quantize
