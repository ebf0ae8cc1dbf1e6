// Models made with protobuf, as files for load_model to read.
#pragma once

#include <onnx/onnx_pb.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "onnx_io/onnx_io.h"
#include "tests/support/temporary_folder.h"

namespace quantize::test {

inline void set_type(onnx::ValueInfoProto& info, const std::string& name, const std::vector<int64_t>& shape) {
  info.set_name(name);
  auto& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape();
  for (int64_t dim : shape) type.mutable_shape()->add_dim()->set_dim_value(dim);
}

inline onnx::NodeProto& add_node(onnx::ModelProto& model, const std::string& op_type,
                                 const std::vector<std::string>& inputs,
                                 const std::vector<std::string>& outputs) {
  onnx::NodeProto& node = *model.mutable_graph()->add_node();
  node.set_op_type(op_type);
  for (const std::string& name : inputs) node.add_input(name);
  for (const std::string& name : outputs) node.add_output(name);
  return node;
}

inline onnx::TensorProto& add_initializer(onnx::ModelProto& model, const std::string& name,
                                          onnx::TensorProto::DataType dtype,
                                          const std::vector<int64_t>& shape) {
  onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(dtype);
  for (int64_t dim : shape) tensor.add_dims(dim);
  return tensor;
}

/// x [1, 4] and y [1, 4], with nothing between them yet.
inline onnx::ModelProto empty_model() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(13);
  model.mutable_graph()->set_name("g");
  set_type(*model.mutable_graph()->add_input(), "x", {1, 4});
  set_type(*model.mutable_graph()->add_output(), "y", {1, 4});
  return model;
}

/// y = Relu(x).
inline onnx::ModelProto relu_model() {
  onnx::ModelProto model = empty_model();
  add_node(model, "Relu", {"x"}, {"y"}).set_name("relu");
  return model;
}

/// Loads the bytes as "m.onnx" of a folder.
inline Graph load_bytes(const TemporaryFolder& folder, const std::string& bytes) {
  write_text(folder.file("m.onnx"), bytes);
  return load_model(folder.file("m.onnx"));
}

inline Graph load(const onnx::ModelProto& model) {
  const TemporaryFolder folder;
  return load_bytes(folder, model.SerializeAsString());
}

/// The Error that `body` throws.
template <typename Body>
Error error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error was thrown");
  return {ErrorKind::kInternal, ""};
}

/// Checks that the model is refused with this kind, in a sentence that holds each of the words.
inline void check_refused(const onnx::ModelProto& model, ErrorKind kind,
                          const std::vector<std::string>& words) {
  const Error error = error_of([&] { load(model); });
  INFO(error.what());
  CHECK(error.kind() == kind);
  for (const std::string& word : words) CHECK(std::string(error.what()).find(word) != std::string::npos);
  REQUIRE_FALSE(error.context().empty());
  CHECK(error.context().back().find("m.onnx") != std::string::npos);
}

/// The value called `name`.
inline const Value& value_of(const Graph& graph, const std::string& name) {
  const ValueId id = graph.find_value(name);
  REQUIRE(id != kNoValue);
  return graph.value(id);
}

}  // namespace quantize::test
