// Decodes every storage form of onnx.TensorProto; encodes as raw_data.
#include "onnx_io/tensor_proto.h"

#include <onnx/onnx_pb.h>

#include <bit>
#include <charconv>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "onnx_io/external_data.h"

namespace quantize {

namespace {

static_assert(std::endian::native == std::endian::little,
              "raw_data is little endian, and is copied as it is");

[[noreturn]] void invalid(const std::string& message) {
  throw Error(ErrorKind::kInvalidModel, message);
}

Shape read_shape(const onnx::TensorProto& proto) {
  Shape shape(proto.dims().begin(), proto.dims().end());
  for (int64_t dim : shape)
    if (dim < 0)
      invalid("the tensor has a negative extent (" + std::to_string(dim) + "); export the model anew");
  return shape;
}

/// Throws unless the file holds exactly the elements (or bytes) that the shape asks for: called before memory
/// is taken.
void check_size(const Shape& shape, size_t width, size_t present, const char* unit) {
  uint64_t needed = 0;
  if (__builtin_mul_overflow(static_cast<uint64_t>(element_count(shape)), width, &needed) ||
      needed != present)
    invalid("a tensor of shape " + to_string(shape) + " cannot have " + std::to_string(present) + " " + unit +
            " of data; the file is damaged");
}

template <typename Stored, typename Field>
void copy_field(const Field& field, Tensor& tensor) {
  auto* target = static_cast<Stored*>(tensor.mutable_bytes());
  for (const auto element : field) {
    using Limits = std::numeric_limits<Stored>;
    if constexpr (std::is_integral_v<Stored>) {
      if (element < Limits::min() || element > Limits::max())
        invalid("the value " + std::to_string(element) + " does not fit the tensor's type, " +
                std::string(name_of(tensor.dtype())));
    }
    *target++ = static_cast<Stored>(element);
  }
}

template <typename Stored, typename Field>
Tensor read_field(const Field& field, DataType dtype, const Shape& shape) {
  check_size(shape, 1, static_cast<size_t>(field.size()), "elements");
  Tensor tensor(dtype, shape);
  copy_field<Stored>(field, tensor);
  return tensor;
}

Tensor read_fields(const onnx::TensorProto& proto, DataType dtype, const Shape& shape) {
  switch (dtype) {
    case DataType::kF32:
      return read_field<float>(proto.float_data(), dtype, shape);
    case DataType::kF64:
      return read_field<double>(proto.double_data(), dtype, shape);
    case DataType::kS64:
      return read_field<int64_t>(proto.int64_data(), dtype, shape);
    case DataType::kU64:
      return read_field<uint64_t>(proto.uint64_data(), dtype, shape);
    case DataType::kU32:
      return read_field<uint32_t>(proto.uint64_data(), dtype, shape);
    case DataType::kS32:
      return read_field<int32_t>(proto.int32_data(), dtype, shape);
    case DataType::kS16:
      return read_field<int16_t>(proto.int32_data(), dtype, shape);
    case DataType::kS8:
      return read_field<int8_t>(proto.int32_data(), dtype, shape);
    case DataType::kU16:
    case DataType::kF16:
    case DataType::kBF16:
      return read_field<uint16_t>(proto.int32_data(), dtype, shape);  // the bits of floats
    default:
      return read_field<uint8_t>(proto.int32_data(), dtype, shape);  // u8, bool; the bits of floats
  }
}

Tensor read_raw(const std::string& bytes, DataType dtype, const Shape& shape) {
  check_size(shape, size_of(dtype), bytes.size(), "bytes");
  Tensor tensor(dtype, shape);
  if (!bytes.empty()) std::memcpy(tensor.mutable_bytes(), bytes.data(), bytes.size());
  return tensor;
}

uint64_t read_number(const std::string& key, const std::string& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    invalid("the " + key + " of external data, '" + text + "', is no number of bytes");
  return number;
}

ExternalData read_location(const onnx::TensorProto& proto) {
  ExternalData where;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") where.location = entry.value();
    if (entry.key() == "offset") where.offset = read_number("offset", entry.value());
    if (entry.key() == "length") where.length = read_number("length", entry.value());
  }
  return where;
}

/// The elements of a tensor from the form in which the file has them.
Tensor read_elements(const onnx::TensorProto& proto, DataType dtype, const Shape& shape,
                     const std::string& folder) {
  if (proto.data_location() == onnx::TensorProto::EXTERNAL)
    return read_external_data(dtype, shape, read_location(proto), folder);
  return proto.has_raw_data() ? read_raw(proto.raw_data(), dtype, shape) : read_fields(proto, dtype, shape);
}

/// Elements of 4 or 2 bits, of which files pack several to a byte, the first in its lowest bits.
Tensor unpacked(const Tensor& packed, DataType dtype, const Shape& shape) {
  const int count = packed_per_byte(dtype), bits = 8 / count, free = 8 - bits;
  const bool is_signed = dtype == DataType::kS4 || dtype == DataType::kS2;
  Tensor tensor(dtype, shape);
  const auto* from = packed.data<uint8_t>();
  auto* to = static_cast<uint8_t*>(tensor.mutable_bytes());
  for (int64_t i = 0; i < tensor.size(); ++i) {
    const auto high = static_cast<uint8_t>(from[i / count] << (free - static_cast<int>(i % count) * bits));
    to[i] = is_signed ? static_cast<uint8_t>(static_cast<int8_t>(high) >> free)
                      : static_cast<uint8_t>(high >> free);
  }
  return tensor;
}

std::string packed(const Tensor& tensor) {
  const int count = packed_per_byte(tensor.dtype()), bits = 8 / count;
  std::string bytes(static_cast<size_t>((tensor.size() + count - 1) / count), '\0');
  const auto* from = static_cast<const uint8_t*>(tensor.bytes());
  for (int64_t i = 0; i < tensor.size(); ++i) {
    const int element = (from[i] & ((1 << bits) - 1)) << (static_cast<int>(i % count) * bits);
    char& byte = bytes[static_cast<size_t>(i / count)];
    byte = static_cast<char>(static_cast<uint8_t>(byte) | element);
  }
  return bytes;
}

}  // namespace

DataType read_data_type(int32_t number) {
  if (number == onnx::TensorProto::UNDEFINED) invalid("a tensor has no element type; export the model anew");
  const auto dtype = static_cast<DataType>(number);
  if (number == onnx::TensorProto::STRING)
    throw Error(ErrorKind::kUnsupported,
                "tensors of strings are not supported; export the model without them");
  if (size_of(dtype) == 0)
    throw Error(ErrorKind::kUnsupported, "tensors of ONNX's element type number " + std::to_string(number) +
                                             " are not supported; export the model in float32");
  return dtype;
}

Tensor read_tensor(const onnx::TensorProto& proto, const std::string& folder) {
  const DataType dtype = read_data_type(proto.data_type());
  const Shape shape = read_shape(proto);
  if (proto.has_segment())
    throw Error(ErrorKind::kUnsupported,
                "tensors stored in segments are not supported; export the model anew");
  const int count = packed_per_byte(dtype);
  if (count > 1) {
    const int64_t elements = element_count(shape), bytes = elements / count + (elements % count != 0 ? 1 : 0);
    return unpacked(read_elements(proto, DataType::kU8, {bytes}, folder), dtype, shape);
  }
  Tensor tensor = read_elements(proto, dtype, shape, folder);
  if (dtype == DataType::kBool) {  // any byte but 0 is true, while a C++ bool must be 0 or 1
    auto* bytes = static_cast<uint8_t*>(tensor.mutable_bytes());
    for (int64_t i = 0; i < tensor.size(); ++i) bytes[i] = bytes[i] != 0;
  }
  return tensor;
}

void write_tensor(const Tensor& tensor, onnx::TensorProto& proto) {
  proto.set_data_type(static_cast<int32_t>(tensor.dtype()));
  for (int64_t dim : tensor.shape()) proto.add_dims(dim);
  if (packed_per_byte(tensor.dtype()) > 1)
    proto.set_raw_data(packed(tensor));
  else
    proto.set_raw_data(tensor.bytes(), tensor.byte_size());
}

void write_external_tensor(const Tensor& tensor, const ExternalData& place, onnx::TensorProto& proto) {
  proto.set_data_type(static_cast<int32_t>(tensor.dtype()));
  for (int64_t dim : tensor.shape()) proto.add_dims(dim);
  proto.set_data_location(onnx::TensorProto::EXTERNAL);
  const std::pair<const char*, std::string> entries[] = {{"location", place.location},
                                                         {"offset", std::to_string(place.offset)},
                                                         {"length", std::to_string(tensor.byte_size())}};
  for (const auto& [key, value] : entries) {
    auto& entry = *proto.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
}

}  // namespace quantize
