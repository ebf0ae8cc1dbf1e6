// Tensors that own their bytes, and views of tensors that somebody else owns.
#pragma once

#include <cassert>
#include <cstddef>
#include <memory>
#include <vector>

#include "core/data_type.h"
#include "core/shape.h"

namespace quantize {

/// Bytes of a static tensor. Errors: Error(kInvalidModel) if the shape is not static or the size is absurd
/// (more than 2^40 bytes); Error(kUnsupported) for element types without a size.
size_t byte_count(DataType dtype, Dims shape);

/// A read-only view: type, extents and row-major bytes that live elsewhere.
struct TensorView {
  DataType dtype = DataType::kUndefined;
  Dims shape;
  const void* data = nullptr;

  template <typename T>
  const T* as() const {
    assert(dtype == data_type_of<T>());
    return static_cast<const T*>(data);
  }
  int64_t size() const { return element_count(shape); }
  /// False for an optional input or output that the node leaves out.
  explicit operator bool() const { return dtype != DataType::kUndefined; }
};

/// The same, writable.
struct MutableTensorView {
  DataType dtype = DataType::kUndefined;
  Dims shape;
  void* data = nullptr;

  template <typename T>
  T* as() const {
    assert(dtype == data_type_of<T>());
    return static_cast<T*>(data);
  }
  int64_t size() const { return element_count(shape); }
  explicit operator bool() const { return dtype != DataType::kUndefined; }
  operator TensorView() const { return {dtype, shape, data}; }
};

/// Element type, shape and 64-byte-aligned row-major bytes. Copies share the bytes; bytes are written only by
/// whoever made the tensor, before it is handed on, and are immutable from then.
class Tensor {
 public:
  /// No tensor: dtype kUndefined.
  Tensor() = default;

  /// Zero-filled. Errors: those of byte_count; Error(kInternal) when memory runs out.
  Tensor(DataType dtype, Shape shape);

  /// Of elements that stand in `block`, which has byte_count of them and is as take_block gives it, with 64 bytes
  /// behind them. Errors: those of byte_count.
  Tensor(DataType dtype, Shape shape, std::shared_ptr<std::byte> block);

  /// A tensor of the given values.
  template <typename T>
  static Tensor of(Shape shape, const std::vector<T>& values) {
    Tensor tensor(data_type_of<T>(), std::move(shape));
    assert(static_cast<size_t>(tensor.size()) == values.size());
    for (size_t i = 0; i < values.size(); ++i) tensor.mutable_data<T>()[i] = values[i];
    return tensor;
  }
  template <typename T>
  static Tensor scalar(T value) {
    return of<T>({}, {value});
  }

  DataType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t size() const { return size_; }
  size_t byte_size() const { return static_cast<size_t>(size_) * size_of(dtype_); }
  explicit operator bool() const { return dtype_ != DataType::kUndefined; }

  const void* bytes() const { return bytes_.get(); }
  void* mutable_bytes() { return bytes_.get(); }
  template <typename T>
  const T* data() const {
    assert(dtype_ == data_type_of<T>());
    return static_cast<const T*>(bytes());
  }
  template <typename T>
  T* mutable_data() {
    assert(dtype_ == data_type_of<T>());
    return static_cast<T*>(mutable_bytes());
  }

  TensorView view() const { return {dtype_, shape_, bytes()}; }
  MutableTensorView mutable_view() { return {dtype_, shape_, mutable_bytes()}; }

  /// The same bytes under another shape of equal size.
  Tensor reshaped(Shape shape) const;

  /// A copy of the elements as T; integers and floats convert as static_cast does.
  template <typename T>
  std::vector<T> to_vector() const;

 private:
  DataType dtype_ = DataType::kUndefined;
  Shape shape_;
  int64_t size_ = 0;
  std::shared_ptr<void> bytes_;
};

/// True if type, shape and bytes are the same.
bool equal(const Tensor& a, const Tensor& b);

}  // namespace quantize
