// One round of calls after the other, until no node calls a function.
#include "onnx_io/inline_functions.h"

#include <google/protobuf/unknown_field_set.h>
#include <onnx/onnx_pb.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "onnx_io/domains.h"

namespace quantize {

namespace {

constexpr int kMaxDepth = 64;            // of functions that call each other
constexpr int kMaxNodes = int{1} << 20;  // a file of a few bytes must not fill the memory

using Names = std::map<std::string, std::string>;
using Key = std::pair<std::string, std::string>;  // domain, name

[[noreturn]] void unsupported(const std::string& name, const std::string& what) {
  throw Error(ErrorKind::kUnsupported, "the model's function '" + name + "' " + what +
                                           "; inline it with onnx.inliner.inline_local_functions");
}

class Inliner {
 public:
  explicit Inliner(onnx::ModelProto& model) : model_(model) {
    for (const onnx::FunctionProto& function : model.functions()) {
      const Key key{canonical_domain(function.domain()), function.name()};
      if (!functions_.emplace(key, &function).second) ambiguous_.insert(key);
    }
  }

  void run() {
    for (int depth = 0; calls_function(); ++depth) {
      if (depth == kMaxDepth) unsupported(first_call_, "calls itself");
      onnx::GraphProto& graph = *model_.mutable_graph();
      google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes;
      nodes.Swap(graph.mutable_node());
      for (onnx::NodeProto& node : nodes) {
        if (const onnx::FunctionProto* function = called(node))
          write_out(*function, node);
        else
          graph.add_node()->Swap(&node);
        if (graph.node_size() > kMaxNodes) unsupported(first_call_, "makes too many nodes");
      }
    }
  }

 private:
  const onnx::FunctionProto* called(const onnx::NodeProto& node) const {
    const Key key{canonical_domain(node.domain()), node.op_type()};
    if (ambiguous_.count(key) != 0) unsupported(node.op_type(), "is defined more than once");
    const auto found = functions_.find(key);
    return found == functions_.end() ? nullptr : found->second;
  }

  bool calls_function() {
    for (const onnx::NodeProto& node : model_.graph().node())
      if (called(node) != nullptr) {
        first_call_ = node.op_type();
        return true;
      }
    return false;
  }

  /// The nodes of one call, behind those of the graph.
  void write_out(const onnx::FunctionProto& function, const onnx::NodeProto& call) {
    if (call.input_size() > function.input_size() || call.output_size() > function.output_size())
      throw Error(ErrorKind::kInvalidModel,
                  "node '" + call.name() + "' calls function '" + function.name() +
                      "' with more inputs or outputs than it has; export the model anew");
    import_opsets(function);
    const std::string prefix = function.name() + "_" + std::to_string(calls_++) + "/";
    const std::vector<onnx::AttributeProto> defaults = defaults_of(function);
    Names names;
    for (int i = 0; i < function.input_size(); ++i)
      names[function.input(i)] = i < call.input_size() ? call.input(i) : "";
    for (int i = 0; i < function.output_size(); ++i)
      if (i < call.output_size() && !call.output(i).empty()) names[function.output(i)] = call.output(i);
    for (const onnx::NodeProto& source : function.node()) {
      onnx::NodeProto& node = *model_.mutable_graph()->add_node();
      node = source;
      node.set_name(prefix + (source.name().empty() ? source.op_type() : source.name()));
      for (std::string& name : *node.mutable_input()) name = renamed(names, name, prefix);
      for (std::string& name : *node.mutable_output()) name = renamed(names, name, prefix);
      fill_attributes(call, defaults, node);
    }
    forward_inputs(function, call, names);
  }

  /// A function may return what it is given.
  void forward_inputs(const onnx::FunctionProto& function, const onnx::NodeProto& call, const Names& names) {
    for (int i = 0; i < call.output_size(); ++i)
      for (const std::string& input : function.input())
        if (input == function.output(i) && !call.output(i).empty()) {
          onnx::NodeProto& node = *model_.mutable_graph()->add_node();
          node.set_op_type("Identity");
          const int place = static_cast<int>(&input - &*function.input().begin());
          node.add_input(place < call.input_size() ? call.input(place) : "");
          node.add_output(names.at(function.output(i)));
        }
  }

  static std::string renamed(Names& names, const std::string& name, const std::string& prefix) {
    if (name.empty()) return name;
    return names.try_emplace(name, prefix + name).first->second;
  }

  /// FunctionProto.attribute_proto: attributes that a call need not give. Older versions of ONNX's messages, which this
  /// program may be built with, do not know the field.
  static std::vector<onnx::AttributeProto> defaults_of(const onnx::FunctionProto& function) {
    constexpr int kAttributeProto = 11;
    google::protobuf::UnknownFieldSet fields;
    fields.ParseFromString(function.SerializeAsString());
    std::vector<onnx::AttributeProto> defaults;
    for (int i = 0; i < fields.field_count(); ++i)
      if (const auto& field = fields.field(i); field.number() == kAttributeProto)
        defaults.emplace_back().ParseFromString(field.length_delimited());
    return defaults;
  }

  /// Attributes that name one of the call take its value, else its default; they go where there is none.
  static void fill_attributes(const onnx::NodeProto& call, const std::vector<onnx::AttributeProto>& defaults,
                              onnx::NodeProto& node) {
    google::protobuf::RepeatedPtrField<onnx::AttributeProto> attributes;
    attributes.Swap(node.mutable_attribute());
    for (onnx::AttributeProto& attribute : attributes) {
      if (attribute.ref_attr_name().empty()) {
        node.add_attribute()->Swap(&attribute);
        continue;
      }
      const onnx::AttributeProto* value = nullptr;
      for (const onnx::AttributeProto& fallback : defaults)
        if (fallback.name() == attribute.ref_attr_name()) value = &fallback;
      for (const onnx::AttributeProto& given : call.attribute())
        if (given.name() == attribute.ref_attr_name()) value = &given;
      if (value == nullptr) continue;
      onnx::AttributeProto& copy = *node.add_attribute();
      copy = *value;
      copy.set_name(attribute.name());
    }
  }

  void import_opsets(const onnx::FunctionProto& function) {
    for (const onnx::OperatorSetIdProto& needed : function.opset_import()) {
      bool found = false;
      for (const onnx::OperatorSetIdProto& import : model_.opset_import()) {
        if (canonical_domain(import.domain()) != canonical_domain(needed.domain())) continue;
        found = true;
        if (import.version() != needed.version())
          unsupported(function.name(), "uses opset " + std::to_string(needed.version()) +
                                           " where the model has " + std::to_string(import.version()));
      }
      if (!found) *model_.add_opset_import() = needed;
    }
  }

  onnx::ModelProto& model_;
  std::map<Key, const onnx::FunctionProto*> functions_;
  std::set<Key> ambiguous_;
  std::string first_call_;
  int calls_ = 0;
};

}  // namespace

void inline_functions(onnx::ModelProto& model) {
  if (model.functions_size() != 0) Inliner(model).run();
}

}  // namespace quantize
