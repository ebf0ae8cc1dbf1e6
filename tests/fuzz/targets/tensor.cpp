// Tensors as protobuf messages.
#include "onnx_io/onnx_io.h"
#include "tests/fuzz/fuzz_target.h"

namespace quantize::test {

void fuzz_tensor(std::span<const uint8_t> bytes) {
  load_tensor_proto(file_with(bytes, ".pb"));
}

}  // namespace quantize::test
