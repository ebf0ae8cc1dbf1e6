// Tensor bytes that stand in files beside the model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/atomic_file.h"
#include "core/tensor.h"

namespace quantize {

/// The place of a tensor's bytes, as its TensorProto names it.
struct ExternalData {
  std::string location;            // relative to the model's folder
  uint64_t offset = 0;             // bytes
  std::optional<uint64_t> length;  // bytes; nothing: as many as the tensor needs
};

/// Reads a tensor's little-endian bytes from a file in the model's folder or below it; symbolic links may not
/// lead out. A tensor of 1 MiB or more at a multiple of 64 bytes is mapped instead (core/memory_block.h), so that the
/// file must stay as it is while the tensor lives. Every size is checked against the file before memory is taken. Errors: Error(kInvalidModel) for
/// a location outside the folder, or a range outside the file or of the wrong size; Error(kIo) if the file
/// cannot be read.
Tensor read_external_data(DataType dtype, const Shape& shape, const ExternalData& where,
                          const std::string& folder);

/// Bytes of tensors in one file beside a model, one after the other. The file appears with commit().
class ExternalDataWriter {
 public:
  /// The file is called as the model's, with ".data" behind it. Errors: those of AtomicFile; Error(kUnsupported) if
  /// the model is written to a pipe or device.
  explicit ExternalDataWriter(const std::string& model_path);

  /// Writes the little-endian bytes of a tensor, aligned so that they can be mapped. Errors: Error(kIo).
  ExternalData add(const Tensor& tensor);

  uint64_t bytes() const { return position_; }
  void commit() { file_.commit(); }

 private:
  std::string location_;
  AtomicFile file_;
  uint64_t position_ = 0;
};

}  // namespace quantize
