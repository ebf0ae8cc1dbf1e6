// .npz if the bytes begin like an archive, else .npy: every array is read.
#include "calibration/images/npy.h"
#include "tests/fuzz/fuzz_target.h"

namespace quantize::test {

void fuzz_array(std::span<const uint8_t> bytes) {
  if (bytes.size() > 1 && bytes[0] == 'P' && bytes[1] == 'K') {
    for (const auto& [name, array] : open_npz(file_with(bytes, ".npz"))) array.all();
  } else {
    NpyArray::parse("input.npy", {bytes.begin(), bytes.end()}).all();
    NpyArray::open(file_with(bytes, ".npy")).all();
  }
}

}  // namespace quantize::test
