// One round of calls after the other, until no node of the graph or of a body calls a function.
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

using Name = std::pair<std::string, std::string>;  // domain, name
using Overloads = std::map<std::string, const onnx::FunctionProto*>;

/// Fields that older versions of ONNX's messages, which this program may be built with, do not know.
constexpr int kFunctionAttributes = 11, kFunctionOverload = 13, kNodeOverload = 8;

/// The contents of a field of strings or messages.
std::vector<std::string> field_of(const google::protobuf::MessageLite& message, int number) {
  google::protobuf::UnknownFieldSet fields;
  fields.ParseFromString(message.SerializeAsString());
  std::vector<std::string> contents;
  for (int i = 0; i < fields.field_count(); ++i)
    if (const auto& field = fields.field(i);
        field.number() == number && field.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED)
      contents.push_back(field.length_delimited());
  return contents;
}

/// Which of several functions of one name is meant, or is defined.
std::string overload_of(const google::protobuf::MessageLite& message, int number) {
  const std::vector<std::string> contents = field_of(message, number);
  return contents.empty() ? "" : contents.back();
}

[[noreturn]] void unsupported(const std::string& name, const std::string& what) {
  throw Error(ErrorKind::kUnsupported, "the model's function '" + name + "' " + what +
                                           "; inline it with onnx.inliner.inline_local_functions");
}

/// A node that calls a function, and what becomes of the function's names there.
struct Call {
  const onnx::NodeProto& node;
  std::vector<onnx::AttributeProto> defaults;
  std::string prefix;  // of names that the call does not give
  std::map<std::string, std::string> names;
};

class Inliner {
 public:
  explicit Inliner(onnx::ModelProto& model) : model_(model) {
    for (const onnx::FunctionProto& function : model.functions()) {
      const Name name{canonical_domain(function.domain()), function.name()};
      const std::string overload = overload_of(function, kFunctionOverload);
      if (!functions_[name].emplace(overload, &function).second) ambiguous_.insert({name, overload});
    }
  }

  void run() {
    for (int depth = 0; calls_function(model_.graph()); ++depth) {
      if (depth == kMaxDepth) unsupported(first_call_, "calls itself");
      write_out_calls(*model_.mutable_graph());
    }
  }

 private:
  const onnx::FunctionProto* called(const onnx::NodeProto& node) const {
    const Name name{canonical_domain(node.domain()), node.op_type()};
    const auto functions = functions_.find(name);
    if (functions == functions_.end()) return nullptr;
    const std::string overload = overload_of(node, kNodeOverload);
    if (ambiguous_.count({name, overload}) != 0) unsupported(node.op_type(), "is defined more than once");
    const auto found = functions->second.find(overload);
    if (found == functions->second.end())
      throw Error(ErrorKind::kInvalidModel, "node '" + node.name() + "' calls overload '" + overload +
                                                "' of function '" + node.op_type() +
                                                "', which the model does not define; export the model anew");
    return found->second;
  }

  bool calls_function(const onnx::GraphProto& graph) {
    for (const onnx::NodeProto& node : graph.node()) {
      if (called(node) != nullptr) {
        first_call_ = node.op_type();
        return true;
      }
      for (const onnx::AttributeProto& attribute : node.attribute())
        if (attribute.has_g() && calls_function(attribute.g())) return true;
    }
    return false;
  }

  /// One round: the calls of the graph and of all bodies in it.
  void write_out_calls(onnx::GraphProto& graph) {
    google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes;
    nodes.Swap(graph.mutable_node());
    for (onnx::NodeProto& node : nodes) {
      if (const onnx::FunctionProto* function = called(node)) {
        write_out(*function, node, graph);
        continue;
      }
      for (onnx::AttributeProto& attribute : *node.mutable_attribute())
        if (attribute.has_g()) write_out_calls(*attribute.mutable_g());
      graph.add_node()->Swap(&node);
    }
  }

  /// The nodes of one call, behind those of the graph.
  void write_out(const onnx::FunctionProto& function, const onnx::NodeProto& node, onnx::GraphProto& graph) {
    if (node.input_size() > function.input_size() || node.output_size() > function.output_size())
      throw Error(ErrorKind::kInvalidModel,
                  "node '" + node.name() + "' calls function '" + function.name() +
                      "' with more inputs or outputs than it has; export the model anew");
    import_opsets(function);
    Call call{node, defaults_of(function), function.name() + "_" + std::to_string(calls_++) + "/", {}};
    for (int i = 0; i < function.input_size(); ++i)
      call.names[function.input(i)] = i < node.input_size() ? node.input(i) : "";
    for (int i = 0; i < function.output_size(); ++i)
      if (i < node.output_size() && !node.output(i).empty()) call.names[function.output(i)] = node.output(i);
    for (const onnx::NodeProto& source : function.node()) {
      onnx::NodeProto& copy = *graph.add_node();
      copy = source;
      move_into(call, copy);
    }
    forward_inputs(function, call, graph);
  }

  /// Gives a copied node the names and attributes of the call, and the nodes of its bodies likewise.
  void move_into(Call& call, onnx::NodeProto& node) {
    if (++nodes_made_ > kMaxNodes) unsupported(first_call_, "makes too many nodes");
    node.set_name(call.prefix + (node.name().empty() ? node.op_type() : node.name()));
    for (std::string& name : *node.mutable_input()) name = renamed(call, name);
    for (std::string& name : *node.mutable_output()) name = renamed(call, name);
    fill_attributes(call, node);
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (!attribute.has_g()) continue;
      onnx::GraphProto& body = *attribute.mutable_g();
      for (auto* values : {body.mutable_input(), body.mutable_output(), body.mutable_value_info()})
        for (onnx::ValueInfoProto& value : *values) value.set_name(renamed(call, value.name()));
      for (onnx::TensorProto& constant : *body.mutable_initializer())
        constant.set_name(renamed(call, constant.name()));
      for (onnx::SparseTensorProto& constant : *body.mutable_sparse_initializer())
        constant.mutable_values()->set_name(renamed(call, constant.values().name()));
      for (onnx::NodeProto& inner : *body.mutable_node()) move_into(call, inner);
    }
  }

  /// A function may return what it is given.
  static void forward_inputs(const onnx::FunctionProto& function, const Call& call, onnx::GraphProto& graph) {
    for (int i = 0; i < call.node.output_size(); ++i)
      for (const std::string& input : function.input())
        if (input == function.output(i) && !call.node.output(i).empty()) {
          onnx::NodeProto& node = *graph.add_node();
          node.set_op_type("Identity");
          const int place = static_cast<int>(&input - &*function.input().begin());
          node.add_input(place < call.node.input_size() ? call.node.input(place) : "");
          node.add_output(call.names.at(function.output(i)));
        }
  }

  static std::string renamed(Call& call, const std::string& name) {
    if (name.empty()) return name;
    return call.names.try_emplace(name, call.prefix + name).first->second;
  }

  /// Attributes that a call need not give.
  static std::vector<onnx::AttributeProto> defaults_of(const onnx::FunctionProto& function) {
    std::vector<onnx::AttributeProto> defaults;
    for (const std::string& attribute : field_of(function, kFunctionAttributes))
      defaults.emplace_back().ParseFromString(attribute);
    return defaults;
  }

  /// Attributes that name one of the call take its value, else its default; they go where there is none.
  static void fill_attributes(const Call& call, onnx::NodeProto& node) {
    google::protobuf::RepeatedPtrField<onnx::AttributeProto> attributes;
    attributes.Swap(node.mutable_attribute());
    for (onnx::AttributeProto& attribute : attributes) {
      if (attribute.ref_attr_name().empty()) {
        node.add_attribute()->Swap(&attribute);
        continue;
      }
      const onnx::AttributeProto* value = nullptr;
      for (const onnx::AttributeProto& fallback : call.defaults)
        if (fallback.name() == attribute.ref_attr_name()) value = &fallback;
      for (const onnx::AttributeProto& given : call.node.attribute())
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
  std::map<Name, Overloads> functions_;
  std::set<std::pair<Name, std::string>> ambiguous_;
  std::string first_call_;
  int calls_ = 0, nodes_made_ = 0;
};

}  // namespace

void inline_functions(onnx::ModelProto& model) {
  if (model.functions_size() != 0) Inliner(model).run();
}

}  // namespace quantize
