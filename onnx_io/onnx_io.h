// Files <-> Graph. protobuf is known to the .cpp files of this folder only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/graph.h"

namespace quantize {

/// Bytes of constants that a file of protobuf has room for, beside nodes, values and metadata.
constexpr uint64_t kMostInside = (uint64_t{1} << 31) - (uint64_t{1} << 26);

/// Reads an ONNX model (opset 7 to 28, IR 3 and later) with its external data; f16 and bf16 become f32. Nodes
/// are sorted topologically, calls of local functions are replaced by their nodes, Constant nodes stay nodes,
/// initializers listed as inputs are no inputs. The result is valid.
/// Errors: Error(kIo) if a file cannot be read; Error(kInvalidModel) for a broken one; Error(kUnsupported)
/// for sequences, strings, sparse tensors, and opsets outside the range; each with the path as context.
Graph load_model(const std::string& path);

/// Writes the model beside `path` and renames it when complete, so that `path` is either the old file or the
/// whole new one; a temporary file is removed on any error. Pipes and devices are written to directly
/// (AtomicFile). The same graph gives the same bytes. Returns how many, of all files.
///
/// A model with more than `most_inside` bytes of constants, which does not fit into protobuf's 2 GiB, keeps them in
/// one file beside it, `path` + ".data". Both files are complete before either gets its name.
///
/// Errors: Error(kIo) with the path and the system's reason; Error(kUnsupported) for a model above 2 GiB without
/// its constants, or of which a pipe or device would have to hold two files.
uint64_t save_model(const Graph& graph, const std::string& path, uint64_t most_inside = kMostInside);

/// The bytes that save_model writes, but for the padding between constants in a file of their own.
uint64_t model_bytes(const Graph& graph);

/// Reads a serialized onnx.TensorProto (".pb" test data).
/// Errors: as load_model.
Tensor load_tensor_proto(const std::string& path);

}  // namespace quantize
