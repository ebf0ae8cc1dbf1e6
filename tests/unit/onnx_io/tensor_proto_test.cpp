// Every way to store a tensor, and tensors whose bytes do not fit their shape.
#include <cstring>

#include "onnx_io/tensor_proto.h"
#include "tests/unit/onnx_io/model_files.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using onnx::TensorProto;

/// A tensor read back from a file of its own, the way test data come.
Tensor read(const TensorProto& proto) {
  const TemporaryFolder folder;
  write_text(folder.file("t.pb"), proto.SerializeAsString());
  return load_tensor_proto(folder.file("t.pb"));
}

TensorProto proto_of(TensorProto::DataType dtype, const std::vector<int64_t>& shape) {
  TensorProto proto;
  proto.set_data_type(dtype);
  for (int64_t dim : shape) proto.add_dims(dim);
  return proto;
}

template <typename T>
void check_raw(TensorProto::DataType dtype, const std::vector<T>& values) {
  TensorProto proto = proto_of(dtype, {static_cast<int64_t>(values.size())});
  proto.set_raw_data(values.data(), values.size() * sizeof(T));
  const Tensor tensor = read(proto);
  CHECK(static_cast<int>(tensor.dtype()) == static_cast<int>(dtype));
  REQUIRE(tensor.byte_size() == values.size() * sizeof(T));
  CHECK(std::memcmp(tensor.bytes(), values.data(), tensor.byte_size()) == 0);
}

/// Elements in int32_data, which carries every type of up to 32 bits but f32 and u32.
template <typename T>
void check_int32_data(TensorProto::DataType dtype, const std::vector<T>& values) {
  TensorProto proto = proto_of(dtype, {static_cast<int64_t>(values.size())});
  for (T value : values) proto.add_int32_data(static_cast<int32_t>(value));
  const Tensor tensor = read(proto);
  CHECK(static_cast<int>(tensor.dtype()) == static_cast<int>(dtype));
  REQUIRE(tensor.byte_size() == values.size() * sizeof(T));
  CHECK(std::memcmp(tensor.bytes(), values.data(), tensor.byte_size()) == 0);
}

ErrorKind kind_of(const TensorProto& proto) {
  const Error error = error_of([&] { read(proto); });
  INFO(error.what());
  CHECK(error.context().size() == 1);
  return error.kind();
}

}  // namespace

TEST_CASE("raw bytes of every type", "[tensor_proto]") {
  check_raw<float>(TensorProto::FLOAT, {1.5f, -2.0f});
  check_raw<double>(TensorProto::DOUBLE, {1.5, -2.0});
  check_raw<uint8_t>(TensorProto::UINT8, {0, 255});
  check_raw<int8_t>(TensorProto::INT8, {-128, 127});
  check_raw<uint16_t>(TensorProto::UINT16, {0, 65535});
  check_raw<int16_t>(TensorProto::INT16, {-32768, 32767});
  check_raw<int32_t>(TensorProto::INT32, {-5, 7});
  check_raw<uint32_t>(TensorProto::UINT32, {0, 4294967295u});
  check_raw<int64_t>(TensorProto::INT64, {-5, int64_t{1} << 40});
  check_raw<uint64_t>(TensorProto::UINT64, {5, uint64_t{1} << 63});
  check_raw<uint16_t>(TensorProto::FLOAT16, {0x3c00, 0xc000});
  check_raw<uint16_t>(TensorProto::BFLOAT16, {0x3f80, 0xbf80});
}

TEST_CASE("typed fields of every type", "[tensor_proto]") {
  check_int32_data<int32_t>(TensorProto::INT32, {-5, 7});
  check_int32_data<uint8_t>(TensorProto::UINT8, {0, 255});
  check_int32_data<int8_t>(TensorProto::INT8, {-128, 127});
  check_int32_data<uint16_t>(TensorProto::UINT16, {0, 65535});
  check_int32_data<int16_t>(TensorProto::INT16, {-32768, 32767});
  check_int32_data<uint16_t>(TensorProto::FLOAT16, {0x3c00, 0xc000});
  check_int32_data<uint16_t>(TensorProto::BFLOAT16, {0x3f80, 0xbf80});
  check_int32_data<uint8_t>(TensorProto::BOOL, {1, 0, 1});

  TensorProto proto = proto_of(TensorProto::FLOAT, {2});
  proto.add_float_data(1.5f);
  proto.add_float_data(-2.0f);
  CHECK(equal(read(proto), Tensor::of<float>({2}, {1.5f, -2.0f})));
  proto = proto_of(TensorProto::DOUBLE, {});
  proto.add_double_data(1.25);
  CHECK(equal(read(proto), Tensor::scalar<double>(1.25)));
  proto = proto_of(TensorProto::INT64, {1, 1});
  proto.add_int64_data(-9);
  CHECK(equal(read(proto), Tensor::of<int64_t>({1, 1}, {-9})));
  proto = proto_of(TensorProto::UINT32, {1});
  proto.add_uint64_data(4294967295u);
  CHECK(equal(read(proto), Tensor::of<uint32_t>({1}, {4294967295u})));
  proto = proto_of(TensorProto::UINT64, {1});
  proto.add_uint64_data(uint64_t{1} << 63);
  CHECK(equal(read(proto), Tensor::of<uint64_t>({1}, {uint64_t{1} << 63})));
  CHECK(read(proto_of(TensorProto::FLOAT, {0, 3})).shape() == Shape{0, 3});
}

TEST_CASE("elements of 4 and 2 bits lie one in a byte, and are packed again", "[tensor_proto]") {
  struct Packed {
    DataType dtype;
    std::string bytes;
    std::vector<uint8_t> elements;
  };
  const Packed cases[] = {{DataType::kU4, "\x1f\x0a", {15, 1, 10}},
                          {DataType::kS4, "\x1f\x0a", {0xff, 1, 0xfa}},
                          {DataType::kU2, "\x1b\x02", {3, 2, 1, 0, 2}},
                          {DataType::kS2, "\x1b\x02", {0xff, 0xfe, 1, 0, 0xfe}},
                          {DataType::kF4E2M1, "\x9f", {15, 9}}};
  for (const auto& [dtype, bytes, elements] : cases) {
    INFO(name_of(dtype));
    TensorProto raw, field;
    for (TensorProto* proto : {&raw, &field}) {
      proto->set_data_type(static_cast<int32_t>(dtype));
      proto->add_dims(static_cast<int64_t>(elements.size()));
    }
    raw.set_raw_data(bytes);
    for (const char byte : bytes) field.add_int32_data(static_cast<uint8_t>(byte));
    for (const TensorProto& proto : {raw, field}) {
      const Tensor tensor = read(proto);
      REQUIRE(tensor.byte_size() == elements.size());
      CHECK(std::memcmp(tensor.bytes(), elements.data(), elements.size()) == 0);
      TensorProto written;
      write_tensor(tensor, written);
      CHECK(written.raw_data() == bytes);
    }
    raw.set_raw_data(bytes + "x");
    CHECK(kind_of(raw) == ErrorKind::kInvalidModel);
  }
}

TEST_CASE("bytes of booleans become 0 or 1", "[tensor_proto]") {
  TensorProto proto = proto_of(TensorProto::BOOL, {3});
  proto.set_raw_data(std::string("\x00\x02\xff", 3));
  CHECK(read(proto).to_vector<int64_t>() == std::vector<int64_t>{0, 1, 1});
}

TEST_CASE("elements that do not fit their type are refused", "[tensor_proto]") {
  TensorProto proto = proto_of(TensorProto::UINT8, {1});
  proto.add_int32_data(256);
  CHECK(kind_of(proto) == ErrorKind::kInvalidModel);
  proto = proto_of(TensorProto::INT8, {1});
  proto.add_int32_data(-129);
  CHECK(kind_of(proto) == ErrorKind::kInvalidModel);
  proto = proto_of(TensorProto::UINT32, {1});
  proto.add_uint64_data(uint64_t{1} << 32);
  CHECK(kind_of(proto) == ErrorKind::kInvalidModel);
}

TEST_CASE("sizes are compared with the bytes present before memory is taken", "[tensor_proto]") {
  for (const auto& shape : std::vector<std::vector<int64_t>>{
           {int64_t{1} << 60}, {int64_t{1} << 40, int64_t{1} << 40}, {INT64_MAX, 4}, {3}, {2, 2}, {}, {0}}) {
    TensorProto proto = proto_of(TensorProto::FLOAT, shape);
    proto.set_raw_data("12345678");
    CHECK(kind_of(proto) == ErrorKind::kInvalidModel);
    proto.clear_raw_data();
    proto.add_float_data(1);
    proto.add_float_data(2);
    CHECK(kind_of(proto) == ErrorKind::kInvalidModel);
  }
  TensorProto proto = proto_of(TensorProto::FLOAT, {-1});
  CHECK(kind_of(proto) == ErrorKind::kInvalidModel);
  CHECK(kind_of(proto_of(TensorProto::FLOAT, {4})) == ErrorKind::kInvalidModel);  // no data at all
}

TEST_CASE("element types we have not", "[tensor_proto]") {
  TensorProto proto = proto_of(TensorProto::STRING, {1});
  proto.add_string_data("text");
  CHECK(kind_of(proto) == ErrorKind::kUnsupported);
  CHECK(kind_of(proto_of(TensorProto::COMPLEX64, {0})) == ErrorKind::kUnsupported);
  proto.set_data_type(27);  // a float of 6 bits
  CHECK(kind_of(proto) == ErrorKind::kUnsupported);
  proto.set_data_type(-1);
  CHECK(kind_of(proto) == ErrorKind::kUnsupported);
  CHECK(kind_of(proto_of(TensorProto::UNDEFINED, {0})) == ErrorKind::kInvalidModel);
  proto = proto_of(TensorProto::FLOAT, {0});
  proto.mutable_segment()->set_begin(0);
  CHECK(kind_of(proto) == ErrorKind::kUnsupported);
}
