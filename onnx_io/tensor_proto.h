// onnx.TensorProto <-> Tensor.
#pragma once

#include <string>

#include "core/tensor.h"

namespace onnx {
class TensorProto;
}

namespace quantize {

struct ExternalData;

/// The DataType of an ONNX element type number.
/// Errors: Error(kInvalidModel) for none (0), Error(kUnsupported) for one that has no DataType, strings among
/// them.
DataType read_data_type(int32_t number);

/// Reads any of the ways to store a tensor: raw bytes, typed fields, external data in `folder`.
/// Errors: Error(kInvalidModel) if the sizes disagree, Error(kUnsupported) for element types we have not,
/// those of read_external_data.
Tensor read_tensor(const onnx::TensorProto& proto, const std::string& folder);

/// Writes type, shape and raw bytes; leaves the name alone.
void write_tensor(const Tensor& tensor, onnx::TensorProto& proto);

/// The same for a tensor whose bytes stand in another file.
void write_external_tensor(const Tensor& tensor, const ExternalData& place, onnx::TensorProto& proto);

}  // namespace quantize
