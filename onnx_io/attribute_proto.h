// onnx.AttributeProto <-> Attribute.
#pragma once

#include <string>

#include "core/graph.h"

namespace onnx {
class AttributeProto;
}

namespace quantize {

/// Requires: no body; these are read and written with the graph around them.
/// Errors: Error(kUnsupported) for lists of bodies, types, sparse tensors and lists of tensors;
/// Error(kInvalidModel) for an attribute without a type; those of read_tensor.
Attribute read_attribute(const onnx::AttributeProto& proto, const std::string& folder);

/// Sets the name, type and value of `proto`.
void write_attribute(const std::string& name, const Attribute& attribute, onnx::AttributeProto& proto);

}  // namespace quantize
