// Graph -> onnx.ModelProto. Read GraphWriter first.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_set>
#include <variant>

#include "core/atomic_file.h"
#include "onnx_io/attribute_proto.h"
#include "onnx_io/external_data.h"
#include "onnx_io/onnx_io.h"
#include "onnx_io/proto_file.h"
#include "onnx_io/tensor_proto.h"

namespace quantize {

namespace {

/// The IR version that came with each opset, from 7 on; at least 4, because our initializers are no graph
/// inputs. Source: ONNX, docs/Versioning.md.
constexpr std::array<int64_t, 22> kIrVersions = {4, 4, 4, 5,  6,  7,  7,  7,  8,  8,  8,
                                                 8, 9, 9, 10, 10, 11, 12, 13, 13, 13, 14};

int64_t ir_version_for(int64_t opset) {
  const int64_t index = std::clamp<int64_t>(opset - 7, 0, static_cast<int64_t>(kIrVersions.size()) - 1);
  return kIrVersions[static_cast<size_t>(index)];
}

/// The names of the graphs around a body, which its own must not repeat.
using TakenNames = std::unordered_set<std::string>;

/// Writes a graph: that of the model, or a body inside of it.
class GraphWriter {
 public:
  /// `data`: takes the bytes of constants; nullptr: they stand in the message.
  GraphWriter(const Graph& graph, onnx::GraphProto& target, ExternalDataWriter* data = nullptr,
              TakenNames taken = {})
      : graph_(graph),
        target_(target),
        data_(data),
        taken_(std::move(taken)),
        referenced_(graph.values.size(), false) {
    target_.set_name(graph_.name.empty() ? "graph" : graph_.name);  // ONNX requires a name
    target_.set_doc_string(graph_.info.graph_doc_string);
  }

  void write_model() {
    settle_names();
    write_nodes();
    write_inputs();
    write_results();
  }

  /// `captured`: the outer names of the body's last inputs, which are read by name alone.
  void write_body(const std::vector<std::string>& captured) {
    const size_t own_inputs = graph_.inputs.size() - captured.size();
    for (size_t i = 0; i < captured.size(); ++i) names_[graph_.inputs[own_inputs + i]] = captured[i];
    settle_names();
    write_nodes();
    for (size_t i = 0; i < own_inputs; ++i) write_value_info(graph_.inputs[i], *target_.add_input());
    write_results();
  }

 private:
  /// Values of a body whose names the graphs around have, too, get names of their own.
  void settle_names() {
    if (!taken_.empty())
      for (size_t v = 0; v < graph_.values.size(); ++v) {
        std::string name = graph_.values[v].name;
        if (taken_.count(name) == 0 || names_.count(static_cast<ValueId>(v)) != 0) continue;
        for (int i = 1; taken_.count(name) != 0 || graph_.find_value(name) != kNoValue; ++i)
          name = graph_.values[v].name + "_" + std::to_string(i);
        taken_.insert(names_[static_cast<ValueId>(v)] = name);
      }
    for (size_t v = 0; v < graph_.values.size(); ++v) taken_.insert(written_name(static_cast<ValueId>(v)));
  }

  void write_nodes() {
    for (const Node& node : graph_.nodes) write_node(node);
  }

  void write_results() {
    for (ValueId id : graph_.outputs) write_value_info(id, *target_.add_output());
    for (ValueId id : graph_.outputs) referenced_[static_cast<size_t>(id)] = true;
    write_values();
  }

  const std::string& name_of_value(ValueId id) {
    static const std::string kAbsent;
    if (id == kNoValue) return kAbsent;
    referenced_[static_cast<size_t>(id)] = true;
    return written_name(id);
  }

  const std::string& written_name(ValueId id) const {
    const auto found = names_.find(id);
    return found == names_.end() ? graph_.value(id).name : found->second;
  }

  void write_node(const Node& node) {
    auto& proto = *target_.add_node();
    proto.set_op_type(node.op_type);
    if (!node.domain.empty()) proto.set_domain(node.domain);
    if (!node.name.empty()) proto.set_name(node.name);
    if (!node.doc_string.empty()) proto.set_doc_string(node.doc_string);
    const size_t own_inputs = node.inputs.size() - node.captures;
    for (size_t i = 0; i < own_inputs; ++i) proto.add_input(name_of_value(node.inputs[i]));
    for (ValueId id : node.outputs) proto.add_output(name_of_value(id));
    std::vector<std::string> captured;
    for (size_t i = own_inputs; i < node.inputs.size(); ++i)
      captured.push_back(name_of_value(node.inputs[i]));
    for (const auto& [name, attribute] : node.attributes) {
      auto& written = *proto.add_attribute();
      if (const Body* body = std::get_if<Body>(&attribute)) {
        written.set_name(name);
        written.set_type(onnx::AttributeProto::GRAPH);
        GraphWriter(**body, *written.mutable_g(), data_, taken_).write_body(captured);
      } else {
        write_attribute(name, attribute, written);
      }
    }
  }

  void write_value_info(ValueId id, onnx::ValueInfoProto& proto) const {
    const Value& value = graph_.value(id);
    proto.set_name(written_name(id));
    if (!value.doc_string.empty()) proto.set_doc_string(value.doc_string);
    auto& type = *proto.mutable_type()->mutable_tensor_type();
    type.set_elem_type(static_cast<int32_t>(value.dtype));
    if (!value.shape) return;
    auto& shape = *type.mutable_shape();
    for (size_t i = 0; i < value.shape->size(); ++i) {
      auto& dim = *shape.add_dim();
      const int64_t extent = (*value.shape)[i];
      if (extent != kUnknownDim)
        dim.set_dim_value(extent);
      else if (i < value.dim_names.size() && !value.dim_names[i].empty())
        dim.set_dim_param(value.dim_names[i]);
    }
  }

  /// Those that no node reads stand where they stood.
  void write_inputs() {
    auto unread = graph_.info.unread_inputs.begin();
    const auto end = graph_.info.unread_inputs.end();
    const auto write_unread = [&] { target_.add_input()->ParseFromString(unread++->declaration); };
    for (ValueId id : graph_.inputs) {
      while (unread != end && unread->position <= static_cast<size_t>(target_.input_size())) write_unread();
      write_value_info(id, *target_.add_input());
    }
    while (unread != end) write_unread();
  }

  /// Initializers, and what is known of the values between nodes.
  void write_values() {
    std::vector<bool> described(graph_.values.size(), false);
    for (ValueId id : graph_.inputs) described[static_cast<size_t>(id)] = true;
    for (ValueId id : graph_.outputs) described[static_cast<size_t>(id)] = true;
    for (size_t i = 0; i < graph_.values.size(); ++i) {
      const Value& value = graph_.values[i];
      if (!referenced_[i]) continue;
      const auto id = static_cast<ValueId>(i);
      if (value.is_constant()) {
        auto& proto = *target_.add_initializer();
        proto.set_name(written_name(id));
        if (!value.doc_string.empty()) proto.set_doc_string(value.doc_string);
        write_constant(value.initializer, proto);
      } else if (!described[i] && value.dtype != DataType::kUndefined) {
        write_value_info(id, *target_.add_value_info());
      }
    }
  }

  /// Small constants stay in the message, where shapes are looked up; so do those that files pack.
  void write_constant(const Tensor& tensor, onnx::TensorProto& proto) {
    constexpr size_t kSmall = 1024;
    if (data_ == nullptr || tensor.byte_size() <= kSmall || packed_per_byte(tensor.dtype()) > 1)
      write_tensor(tensor, proto);
    else
      write_external_tensor(tensor, data_->add(tensor), proto);
  }

  const Graph& graph_;
  onnx::GraphProto& target_;
  ExternalDataWriter* data_;
  TakenNames taken_;
  std::map<ValueId, std::string> names_;  // in the file, where they are not the values' own
  std::vector<bool> referenced_;          // values that the graph needs
};

/// Bytes of the constants that are written, those of bodies included; a constant that nothing reads counts, too.
uint64_t constant_bytes(const Graph& graph) {
  uint64_t bytes = 0;
  for (const Value& value : graph.values) bytes += value.initializer.byte_size();
  for (const Node& node : graph.nodes)
    for (const auto& [name, attribute] : node.attributes)
      if (const Body* body = std::get_if<Body>(&attribute)) bytes += constant_bytes(**body);
  return bytes;
}

onnx::ModelProto model_proto(const Graph& graph, ExternalDataWriter* data) {
  onnx::ModelProto model;
  const ModelInfo& info = graph.info;
  model.set_ir_version(std::max(info.ir_version, ir_version_for(graph.opset())));
  model.set_producer_name(info.producer_name);
  model.set_producer_version(info.producer_version);
  model.set_domain(info.domain);
  model.set_model_version(info.model_version);
  model.set_doc_string(info.doc_string);
  for (const auto& [domain, version] : info.opsets) {
    auto& import = *model.add_opset_import();
    import.set_domain(domain);
    import.set_version(version);
  }
  for (const auto& [key, value] : info.metadata) {
    auto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  GraphWriter(graph, *model.mutable_graph(), data).write_model();
  return model;
}

}  // namespace

uint64_t model_bytes(const Graph& graph) {
  return model_proto(graph, nullptr).ByteSizeLong();
}

uint64_t save_model(const Graph& graph, const std::string& path, uint64_t most_inside) {
  std::optional<ExternalDataWriter> data;
  if (constant_bytes(graph) > most_inside) data.emplace(path);
  AtomicFile file(path);
  uint64_t bytes = write_proto(model_proto(graph, data ? &*data : nullptr), file);
  if (data) {
    bytes += data->bytes();
    data->commit();
  }
  file.commit();
  return bytes;
}

}  // namespace quantize
