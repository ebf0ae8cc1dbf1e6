// Graph -> onnx.ModelProto. Read Writer::write first.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>

#include "onnx_io/attribute_proto.h"
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

class Writer {
 public:
  explicit Writer(const Graph& graph) : graph_(graph), referenced_(graph.values.size(), false) {}

  onnx::ModelProto write() {
    write_info();
    for (const Node& node : graph_.nodes) write_node(node);
    write_inputs();
    for (ValueId id : graph_.outputs) write_value_info(id, *target_.add_output());
    for (ValueId id : graph_.outputs) referenced_[static_cast<size_t>(id)] = true;
    write_values();
    return std::move(model_);
  }

 private:
  void write_info() {
    const ModelInfo& info = graph_.info;
    model_.set_ir_version(std::max(info.ir_version, ir_version_for(graph_.opset())));
    model_.set_producer_name(info.producer_name);
    model_.set_producer_version(info.producer_version);
    model_.set_domain(info.domain);
    model_.set_model_version(info.model_version);
    model_.set_doc_string(info.doc_string);
    for (const auto& [domain, version] : info.opsets) {
      auto& import = *model_.add_opset_import();
      import.set_domain(domain);
      import.set_version(version);
    }
    for (const auto& [key, value] : info.metadata) {
      auto& entry = *model_.add_metadata_props();
      entry.set_key(key);
      entry.set_value(value);
    }
    target_.set_name(graph_.name.empty() ? "graph" : graph_.name);  // ONNX requires a name
    target_.set_doc_string(info.graph_doc_string);
  }

  const std::string& name_of_value(ValueId id) {
    static const std::string kAbsent;
    if (id == kNoValue) return kAbsent;
    referenced_[static_cast<size_t>(id)] = true;
    return graph_.value(id).name;
  }

  void write_node(const Node& node) {
    auto& proto = *target_.add_node();
    proto.set_op_type(node.op_type);
    if (!node.domain.empty()) proto.set_domain(node.domain);
    if (!node.name.empty()) proto.set_name(node.name);
    if (!node.doc_string.empty()) proto.set_doc_string(node.doc_string);
    for (ValueId id : node.inputs) proto.add_input(name_of_value(id));
    for (ValueId id : node.outputs) proto.add_output(name_of_value(id));
    for (const auto& [name, attribute] : node.attributes)
      write_attribute(name, attribute, *proto.add_attribute());
  }

  void write_value_info(ValueId id, onnx::ValueInfoProto& proto) const {
    const Value& value = graph_.value(id);
    proto.set_name(value.name);
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
      if (value.is_constant()) {
        auto& proto = *target_.add_initializer();
        proto.set_name(value.name);
        if (!value.doc_string.empty()) proto.set_doc_string(value.doc_string);
        write_tensor(value.initializer, proto);
      } else if (!described[i] && value.dtype != DataType::kUndefined) {
        write_value_info(static_cast<ValueId>(i), *target_.add_value_info());
      }
    }
  }

  const Graph& graph_;
  onnx::ModelProto model_;
  onnx::GraphProto& target_ = *model_.mutable_graph();
  std::vector<bool> referenced_;  // values that the model needs
};

}  // namespace

uint64_t save_model(const Graph& graph, const std::string& path) {
  return write_proto(Writer(graph).write(), path);
}

}  // namespace quantize
