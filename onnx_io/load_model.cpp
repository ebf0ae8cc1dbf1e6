// onnx.ModelProto -> Graph. Read Loader::load first.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "core/ops/control_flow.h"
#include "core/ops/op_registry.h"
#include "onnx_io/attribute_proto.h"
#include "onnx_io/batched_scan.h"
#include "onnx_io/domains.h"
#include "onnx_io/drop_unneeded.h"
#include "onnx_io/inline_functions.h"
#include "onnx_io/onnx_io.h"
#include "onnx_io/proto_file.h"
#include "onnx_io/tensor_proto.h"
#include "onnx_io/widen_halves.h"

namespace quantize {

namespace {

constexpr int64_t kMinIrVersion = 3;
constexpr int kMaxDepth = 16;  // of bodies in bodies

[[noreturn]] void invalid(const std::string& message) {
  throw Error(ErrorKind::kInvalidModel, message);
}
[[noreturn]] void unsupported(const std::string& message) {
  throw Error(ErrorKind::kUnsupported, message);
}

/// "." for a path without a folder.
std::string folder_of(const std::string& path) {
  return (std::filesystem::path(".") / path).parent_path().string();
}

/// Copies what a file says about a value: its type, shape and doc string.
void read_value_info(const onnx::ValueInfoProto& info, Value& value) {
  value.doc_string = info.doc_string();
  const onnx::TypeProto::Tensor& type = info.type().tensor_type();
  value.dtype = read_data_type(type.elem_type());
  if (!type.has_shape()) return;
  Shape shape;
  std::vector<std::string> names;
  for (const auto& dim : type.shape().dim()) {
    // Some exporters write -1 for an extent that is unknown.
    const bool known = dim.has_dim_value() && dim.dim_value() != kUnknownDim;
    if (known && dim.dim_value() < 0)
      invalid("tensor '" + info.name() + "' has a negative extent (" + std::to_string(dim.dim_value()) +
              "); export the model anew");
    shape.push_back(known ? dim.dim_value() : kUnknownDim);
    names.push_back(known ? "" : dim.dim_param());
  }
  value.shape = std::move(shape);
  const bool named =
      std::any_of(names.begin(), names.end(), [](const std::string& name) { return !name.empty(); });
  if (named) value.dim_names = std::move(names);
}

/// The domains of a graph's operators, those of bodies included.
void collect_domains(const onnx::GraphProto& graph, std::unordered_set<std::string>& domains) {
  for (const auto& node : graph.node()) {
    domains.insert(canonical_domain(node.domain()));
    for (const auto& attribute : node.attribute())
      if (attribute.has_g()) collect_domains(attribute.g(), domains);
  }
}

void check_depth(const onnx::GraphProto& graph, int depth = 0);

/// Refuses bodies that are nested too deeply for the recursion of all that reads them.
void check_depth(const onnx::NodeProto& node, int depth = 0) {
  for (const auto& attribute : node.attribute())
    if (attribute.has_g()) check_depth(attribute.g(), depth + 1);
}

void check_depth(const onnx::GraphProto& graph, int depth) {
  if (depth > kMaxDepth)
    unsupported("bodies are nested more than " + std::to_string(kMaxDepth) +
                " deep; export the model with fewer levels");
  for (const auto& node : graph.node()) check_depth(node, depth);
}

bool is_body(const Node& node, const onnx::AttributeProto& attribute) {
  return control_flow_of(node) && attribute.type() == onnx::AttributeProto::GRAPH;
}

/// Reads one graph: that of the model, or a body inside of it.
class Loader {
 public:
  /// Takes the message apart as it reads, so that no tensor is in memory twice.
  Loader(onnx::ModelProto& model, std::string folder)
      : model_(model), source_(*model.mutable_graph()), folder_(std::move(folder)) {}

  /// A body of a node in the graph that `outer` reads.
  Loader(onnx::GraphProto& body, Loader& outer)
      : model_(outer.model_), source_(body), folder_(outer.folder_), outer_(&outer) {
    graph_.info.opsets = outer.graph_.info.opsets;
    graph_.name = body.name();
  }

  Graph load() {
    graph_.info.unread_inputs = drop_unneeded(source_);
    check_depth(source_);
    for (const onnx::FunctionProto& function : model_.functions())
      for (const onnx::NodeProto& node : function.node()) check_depth(node);
    inline_functions(model_);
    check_depth(source_);  // functions in bodies may have bodies
    read_opsets();
    read_info();
    read_graph();
    validate(graph_);
    return std::move(graph_);
  }

 private:
  void read_graph() {
    read_initializers();
    read_inputs();
    add_node_outputs();
    for (int n = 0; n < source_.node_size(); ++n)
      with_context([&] { return describe(graph_, node_at(n)); },
                   [&] { read_node(*source_.mutable_node(n), node_at(n)); });
    read_outputs();
    read_value_infos();
    settle_outputs();
    widen_halves(graph_);
    sort_topologically(graph_);
  }

  /// A body, whose last inputs are the outer values of these names; some of them it may not read.
  Body finish_body(const std::vector<std::string>& captures) {
    for (ValueId& output : graph_.outputs) {  // runtimes refuse outer values as results
      if (std::find(captured_.begin(), captured_.end(), graph_.value(output).name) == captured_.end())
        continue;
      const ValueId copy = graph_.add_value(graph_.value(output).name + "_result");
      Node& node = graph_.nodes.emplace_back();
      node.op_type = "Identity";
      node.inputs = {output};
      node.outputs = {copy};
      output = copy;
    }
    for (const std::string& name : captures) {
      const bool reads_it = std::find(captured_.begin(), captured_.end(), name) != captured_.end();
      graph_.inputs.push_back(reads_it ? ids_.at(name) : graph_.add_value(name));
    }
    validate(graph_);
    return std::make_shared<const Graph>(std::move(graph_));
  }

  Node& node_at(int n) { return graph_.nodes[static_cast<size_t>(n)]; }

  /// ONNX's own domain, and those of nodes.
  void read_opsets() {
    std::unordered_set<std::string> used = {""};
    collect_domains(source_, used);
    for (const auto& import : model_.opset_import()) {
      const std::string domain = canonical_domain(import.domain());
      if (used.count(domain) != 0 && !graph_.info.opsets.emplace(domain, import.version()).second)
        invalid("the model imports the operators of domain '" + import.domain() + "' twice");
    }
    const int64_t opset = graph_.opset();
    if (opset == 0) invalid("the model does not say which opset it uses; export it anew");
    if (opset < kOldestOpset || opset > kNewestOpset)
      unsupported("opset " + std::to_string(opset) +
                  " is not supported; export the model with an opset from " + std::to_string(kOldestOpset) +
                  " to " + std::to_string(kNewestOpset));
  }

  void read_info() {
    ModelInfo& info = graph_.info;
    info.ir_version = model_.ir_version();
    info.producer_name = model_.producer_name();
    info.producer_version = model_.producer_version();
    info.domain = model_.domain();
    info.model_version = model_.model_version();
    info.doc_string = model_.doc_string();
    info.graph_doc_string = source_.doc_string();
    for (const auto& entry : model_.metadata_props()) info.metadata[entry.key()] = entry.value();
    graph_.name = source_.name();
  }

  ValueId add_value(const std::string& name) {
    if (name.empty()) invalid("a graph input or initializer has no name; export the model anew");
    const auto id = static_cast<ValueId>(graph_.values.size());
    if (!ids_.emplace(name, id).second)
      invalid("two tensors are called '" + name + "'; export the model anew");
    graph_.values.emplace_back().name = name;
    return id;
  }

  void read_initializers() {
    if (source_.sparse_initializer_size() != 0)
      unsupported("sparse initializer '" + source_.sparse_initializer(0).values().name() +
                  "' is not supported; export the model with dense ones");
    for (onnx::TensorProto& proto : *source_.mutable_initializer()) {
      Value& value = graph_.value(add_value(proto.name()));
      with_context([&] { return "initializer '" + value.name + "'"; },
                   [&] { value.initializer = read_tensor(proto, folder_); });
      value.dtype = value.initializer.dtype();
      value.shape = value.initializer.shape();
      value.doc_string = proto.doc_string();
      onnx::TensorProto().Swap(&proto);  // frees the bytes, which Clear would keep
    }
  }

  void read_inputs() {
    std::unordered_set<std::string> seen;
    for (const auto& info : source_.input()) {
      if (!seen.insert(info.name()).second) invalid("graph input '" + info.name() + "' is listed twice");
      const auto found = ids_.find(info.name());
      if (found != ids_.end())
        continue;  // an initializer that may be overridden: we take it as the constant it is
      const ValueId id = add_value(info.name());
      with_context(
          [&] { return "graph input '" + info.name() + "'"; },
          [&] {
            if (outer_ != nullptr && info.type().value_case() == onnx::TypeProto::VALUE_NOT_SET)
              return;  // inputs of bodies have the types that the operator gives them
            if (!info.type().has_tensor_type())
              unsupported("only tensors are supported as inputs, not sequences, maps or optional values");
            read_value_info(info, graph_.value(id));
          });
      graph_.inputs.push_back(id);
    }
  }

  /// First all names, so that nodes may stand in any order.
  void add_node_outputs() {
    for (const auto& proto : source_.node()) {
      Node& node = graph_.nodes.emplace_back();
      node.op_type = proto.op_type();
      node.domain = canonical_domain(proto.domain());
      node.name = proto.name();
      node.doc_string = proto.doc_string();
      for (const std::string& name : proto.output())
        node.outputs.push_back(name.empty() ? kNoValue : add_value(name));
    }
  }

  /// The value of this name, here or in a graph around this body, which then captures it; kNoValue if there is none.
  ValueId find(const std::string& name) {
    const auto found = ids_.find(name);
    if (found != ids_.end()) return found->second;
    const ValueId outer = outer_ == nullptr ? kNoValue : outer_->find(name);
    if (outer == kNoValue) return kNoValue;
    captured_.push_back(name);
    return add_value(name);
  }

  void read_node(onnx::NodeProto& proto, Node& node) {
    if (node.op_type.empty()) invalid("the node has no operator type; export the model anew");
    if (node.domain == kEngineDomain)
      throw Error(ErrorKind::kUnsupported,
                  "domain '" + node.domain + "' belongs to this program's engine; no file may use it");
    if (graph_.info.opsets.count(node.domain) == 0)
      invalid("the model does not say which version of domain '" + node.domain + "' it uses; export it anew");
    for (const std::string& name : proto.input()) {
      const ValueId id = name.empty() ? kNoValue : find(name);
      if (!name.empty() && id == kNoValue)
        invalid("nothing computes input '" + name + "' and it is no initializer; export the model anew");
      node.inputs.push_back(id);
    }
    for (const auto& attribute : proto.attribute())
      if (!is_body(node, attribute))
        add_attribute(node, attribute.name(), read_attribute(attribute, folder_));
    complete_loop(node);
    read_bodies(proto, node);
  }

  void add_attribute(Node& node, const std::string& name, Attribute attribute) {
    if (!node.attributes.emplace(name, std::move(attribute)).second)
      invalid("attribute '" + name + "' is given twice");
  }

  /// A Loop without a trip count or condition gets those that mean the same, so that its first inputs are there.
  void complete_loop(Node& node) {
    if (control_flow_of(node) != ControlFlowKind::kLoop) return;
    if (node.inputs.size() < 2) node.inputs.resize(2, kNoValue);
    if (node.inputs[0] == kNoValue)
      node.inputs[0] =
          graph_.add_constant("loop_trips", Tensor::scalar<int64_t>(std::numeric_limits<int64_t>::max()));
    if (node.inputs[1] == kNoValue)
      node.inputs[1] = graph_.add_constant("loop_condition", Tensor::scalar(true));
  }

  /// The bodies of a node, and as its last inputs what they capture.
  void read_bodies(onnx::NodeProto& proto, Node& node) {
    std::vector<std::pair<std::string, std::unique_ptr<Loader>>> bodies;
    std::vector<std::string> captures;
    for (onnx::AttributeProto& attribute : *proto.mutable_attribute()) {
      if (!is_body(node, attribute)) continue;
      Loader& body =
          *bodies.emplace_back(attribute.name(), std::make_unique<Loader>(*attribute.mutable_g(), *this))
               .second;
      with_context([&] { return "attribute '" + attribute.name() + "'"; }, [&] { body.read_graph(); });
      for (const std::string& name : body.captured_)
        if (std::find(captures.begin(), captures.end(), name) == captures.end()) captures.push_back(name);
    }
    for (auto& [name, body] : bodies) add_attribute(node, name, body->finish_body(captures));
    for (const std::string& name : captures) node.inputs.push_back(find(name));
    node.captures = captures.size();
    if (control_flow_of(node) == ControlFlowKind::kScan && graph_.opset() < 9) unbatch_scan(graph_, node);
  }

  void read_outputs() {
    for (const auto& info : source_.output()) {
      const ValueId id = find(info.name());
      if (id == kNoValue) invalid("nothing computes the graph output '" + info.name() + "'");
      graph_.outputs.push_back(id);
      describe_value(info);
    }
  }

  void read_value_infos() {
    for (const auto& info : source_.value_info()) describe_value(info);
  }

  /// Types of computed values and doc strings of constants; what is no tensor stays undescribed.
  void describe_value(const onnx::ValueInfoProto& info) {
    const auto found = ids_.find(info.name());
    if (found == ids_.end()) return;
    Value& value = graph_.value(found->second);
    const bool typed = info.type().has_tensor_type() && info.type().tensor_type().elem_type() != 0;
    if (value.is_constant() || value.dtype != DataType::kUndefined || !typed) return;
    with_context([&] { return "tensor '" + value.name + "'"; }, [&] { read_value_info(info, value); });
  }

  /// Every node has a first output: one that a file leaves out, of an LSTM whose last state alone is read, gets
  /// a name. Optional outputs that nobody reads go: indices of a MaxPool, the mask of a Dropout.
  void settle_outputs() {
    for (Node& node : graph_.nodes)
      if (node.outputs.size() > 1 && node.outputs[0] == kNoValue)
        node.outputs[0] = graph_.add_value(node.op_type + "_unread");
    const GraphIndex index(graph_);
    const auto is_unread = [&](ValueId id) {
      return id != kNoValue && index.uses(id).empty() && !index.is_output(id);
    };
    for (Node& node : graph_.nodes) {
      const OpDef* def = try_find_op(graph_, node);
      if (def != nullptr && def->max_outputs == kAnyNumber) continue;  // their number is a parameter
      const size_t least = required_outputs(node);
      while (node.outputs.size() > least && is_unread(node.outputs.back())) node.outputs.pop_back();
    }
  }

  onnx::ModelProto& model_;
  onnx::GraphProto& source_;
  std::string folder_;
  Loader* outer_ = nullptr;  // of the graph around a body
  Graph graph_;
  std::unordered_map<std::string, ValueId> ids_;
  std::vector<std::string> captured_;  // the names of outer values that this body reads
};

Graph load(const std::string& path) {
  onnx::ModelProto model;
  read_proto(path, model);
  if (!model.has_graph() || model.ir_version() < 1)
    invalid("the file holds no ONNX model; export or download it anew");
  if (model.ir_version() < kMinIrVersion)
    unsupported("IR version " + std::to_string(model.ir_version()) +
                " is not supported; export the model anew");
  return Loader(model, folder_of(path)).load();
}

}  // namespace

Graph load_model(const std::string& path) {
  return with_context([&] { return path; }, [&] { return load(path); });
}

Tensor load_tensor_proto(const std::string& path) {
  return with_context([&] { return path; },
                      [&] {
                        onnx::TensorProto proto;
                        read_proto(path, proto);
                        return read_tensor(proto, folder_of(path));
                      });
}

}  // namespace quantize
