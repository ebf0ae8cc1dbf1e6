// numpy's .npy and .npz files.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace quantize {

/// An array in a file: its header is read, its elements are read when they are asked for.
class NpyArray {
 public:
  /// Opens a .npy file (format 1 to 3, little-endian, C order). A pipe or device is read to its end.
  /// Errors: Error(kIo) if it cannot be read; Error(kCalibration) if it is damaged, cut off, or of a kind
  /// named above.
  static NpyArray open(const std::string& path);
  /// The same from the file's bytes; `path` is for messages.
  static NpyArray parse(const std::string& path, const std::vector<uint8_t>& bytes);

  DataType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }

  /// Elements [first, first + count) along axis 0. Thread-safe. Errors: as open.
  /// Requires: the array has an axis 0 of that extent.
  Tensor rows(int64_t first, int64_t count) const;
  Tensor all() const;

 private:
  friend std::map<std::string, NpyArray> open_npz(const std::string& path);

  /// `header`: the beginning of the array's bytes, of which there are `byte_size` from `offset` on in the
  /// file.
  NpyArray(std::string path, uint64_t offset, uint64_t byte_size, const std::string& header);
  Tensor read(uint64_t offset, Shape shape) const;

  std::string path_;
  uint64_t offset_ = 0;  // of the elements in the file, or in `unpacked_`
  DataType dtype_ = DataType::kUndefined;
  Shape shape_;
  std::string unpacked_;  // the array's bytes where the file holds them compressed or is a pipe
};

/// The arrays of a .npz file by name (without ".npy"). Compressed ones are unpacked into memory at once.
/// Errors: as NpyArray::open; Error(kCalibration) for a compression other than stored and deflated.
std::map<std::string, NpyArray> open_npz(const std::string& path);

/// Writes a .npy file (format 1.0). Errors: Error(kIo); Error(kUnsupported) for types that numpy lacks
/// (bf16).
void save_npy(const std::string& path, const TensorView& tensor);

/// "conv/out:0" -> "conv_out_0.npy": letters, digits, '.', '_' and '-' stay, all else becomes '_'.
std::string npy_file_name(const std::string& value_name);

}  // namespace quantize
