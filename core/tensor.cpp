// Allocation and conversion of tensors.
#include "core/tensor.h"

#include <cstring>
#include <string>

#include "core/error.h"
#include "core/memory_block.h"

namespace quantize {

namespace {

constexpr size_t kAlignment = 64;
constexpr int64_t kMaxBytes = int64_t{1} << 40;

/// Never nothing, and with 64 bytes behind it, which kernels may read.
std::shared_ptr<void> allocate(size_t bytes) {
  const size_t rounded = (bytes + 2 * kAlignment - 1) / kAlignment * kAlignment;
  std::shared_ptr<std::byte> memory = take_block(rounded, "a tensor needs");
  std::memset(memory.get(), 0, rounded);
  return memory;
}

template <typename From, typename To>
void convert(const Tensor& tensor, std::vector<To>& result) {
  const From* data = static_cast<const From*>(tensor.bytes());
  for (int64_t i = 0; i < tensor.size(); ++i) result.push_back(static_cast<To>(data[i]));
}

}  // namespace

size_t byte_count(DataType dtype, Dims shape) {
  const auto width = static_cast<int64_t>(size_of(dtype));
  if (width == 0)
    throw Error(ErrorKind::kUnsupported,
                "tensors of type " + std::string(name_of(dtype)) + " are not supported");
  const int64_t count = element_count(shape);
  if (count > kMaxBytes / width)
    throw Error(ErrorKind::kInvalidModel, "a tensor of shape " + to_string(shape) + " is too large");
  return static_cast<size_t>(count * width);
}

Tensor::Tensor(DataType dtype, Shape shape)
    : dtype_(dtype),
      shape_(std::move(shape)),
      size_(element_count(shape_)),
      bytes_(allocate(byte_count(dtype_, shape_))) {}

Tensor::Tensor(DataType dtype, Shape shape, std::shared_ptr<std::byte> block)
    : dtype_(dtype), shape_(std::move(shape)), size_(element_count(shape_)), bytes_(std::move(block)) {}

Tensor Tensor::reshaped(Shape shape) const {
  if (element_count(shape) != size_)
    throw Error(ErrorKind::kInternal, "cannot see " + to_string(shape_) + " as " + to_string(shape));
  Tensor result = *this;
  result.shape_ = std::move(shape);
  return result;
}

template <typename T>
std::vector<T> Tensor::to_vector() const {
  std::vector<T> result;
  result.reserve(static_cast<size_t>(size_));
  switch (dtype_) {
    case DataType::kF32:
      convert<float>(*this, result);
      break;
    case DataType::kF64:
      convert<double>(*this, result);
      break;
    case DataType::kU8:
      convert<uint8_t>(*this, result);
      break;
    case DataType::kS8:
      convert<int8_t>(*this, result);
      break;
    case DataType::kU16:
      convert<uint16_t>(*this, result);
      break;
    case DataType::kS16:
      convert<int16_t>(*this, result);
      break;
    case DataType::kU32:
      convert<uint32_t>(*this, result);
      break;
    case DataType::kS32:
      convert<int32_t>(*this, result);
      break;
    case DataType::kU64:
      convert<uint64_t>(*this, result);
      break;
    case DataType::kS64:
      convert<int64_t>(*this, result);
      break;
    case DataType::kBool:
      convert<bool>(*this, result);
      break;
    default:
      throw Error(ErrorKind::kUnsupported, "cannot read values of type " + std::string(name_of(dtype_)));
  }
  return result;
}

template std::vector<float> Tensor::to_vector<float>() const;
template std::vector<double> Tensor::to_vector<double>() const;
template std::vector<int32_t> Tensor::to_vector<int32_t>() const;
template std::vector<int64_t> Tensor::to_vector<int64_t>() const;

bool equal(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.byte_size() == 0 || std::memcmp(a.bytes(), b.bytes(), a.byte_size()) == 0);
}

}  // namespace quantize
