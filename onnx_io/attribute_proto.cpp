// One case per attribute type.
#include "onnx_io/attribute_proto.h"

#include <onnx/onnx_pb.h>

#include "core/error.h"
#include "onnx_io/tensor_proto.h"

namespace quantize {

namespace {

using onnx::AttributeProto;

[[noreturn]] void unsupported(const AttributeProto& proto, const std::string& what) {
  throw Error(ErrorKind::kUnsupported, "attribute '" + proto.name() + "' holds " + what);
}

/// Writes each alternative of Attribute.
struct Writer {
  AttributeProto& proto;

  void operator()(int64_t value) const {
    proto.set_type(AttributeProto::INT);
    proto.set_i(value);
  }
  void operator()(float value) const {
    proto.set_type(AttributeProto::FLOAT);
    proto.set_f(value);
  }
  void operator()(const std::string& value) const {
    proto.set_type(AttributeProto::STRING);
    proto.set_s(value);
  }
  void operator()(const Tensor& value) const {
    proto.set_type(AttributeProto::TENSOR);
    write_tensor(value, *proto.mutable_t());
  }
  void operator()(const std::vector<int64_t>& values) const {
    proto.set_type(AttributeProto::INTS);
    for (int64_t value : values) proto.add_ints(value);
  }
  void operator()(const std::vector<float>& values) const {
    proto.set_type(AttributeProto::FLOATS);
    for (float value : values) proto.add_floats(value);
  }
  void operator()(const std::vector<std::string>& values) const {
    proto.set_type(AttributeProto::STRINGS);
    for (const std::string& value : values) proto.add_strings(value);
  }
  void operator()(const Body&) const {
    throw Error(ErrorKind::kInternal, "a body is written with the graph around it");
  }
};

}  // namespace

Attribute read_attribute(const AttributeProto& proto, const std::string& folder) {
  switch (proto.type()) {
    case AttributeProto::INT:
      return proto.i();
    case AttributeProto::FLOAT:
      return proto.f();
    case AttributeProto::STRING:
      return proto.s();
    case AttributeProto::TENSOR:
      return with_context([&] { return "attribute '" + proto.name() + "'"; },
                          [&] { return read_tensor(proto.t(), folder); });
    case AttributeProto::INTS:
      return std::vector<int64_t>(proto.ints().begin(), proto.ints().end());
    case AttributeProto::FLOATS:
      return std::vector<float>(proto.floats().begin(), proto.floats().end());
    case AttributeProto::STRINGS:
      return std::vector<std::string>(proto.strings().begin(), proto.strings().end());
    case AttributeProto::GRAPH:
    case AttributeProto::GRAPHS:
      unsupported(proto, "a subgraph, which only If, Loop and Scan may have; export the model without it");
    case AttributeProto::SPARSE_TENSOR:
    case AttributeProto::SPARSE_TENSORS:
      unsupported(proto, "a sparse tensor, which is not supported; export the model with dense ones");
    case AttributeProto::TENSORS:
    case AttributeProto::TYPE_PROTO:
    case AttributeProto::TYPE_PROTOS:
      unsupported(
          proto,
          "a list of tensors or a type, which is not supported; export the model without this operator");
    default:
      throw Error(ErrorKind::kInvalidModel,
                  "attribute '" + proto.name() + "' has no type; export the model anew");
  }
}

void write_attribute(const std::string& name, const Attribute& attribute, AttributeProto& proto) {
  proto.set_name(name);
  std::visit(Writer{proto}, attribute);
}

}  // namespace quantize
