// Functions that a model defines, written out where they are called.
#pragma once

namespace onnx {
class ModelProto;
}

namespace quantize {

/// Replaces every node that calls a function of the model by the function's nodes, and those in turn; the values inside
/// get names of their own. Opsets that only functions import are imported by the model. Errors: Error(kUnsupported)
/// for functions that call themselves, that make more nodes than memory is for, or that use another opset than the
/// model; Error(kInvalidModel) for a call with more inputs or outputs than the function has.
void inline_functions(onnx::ModelProto& model);

}  // namespace quantize
