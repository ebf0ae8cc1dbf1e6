// Checked reading of numbers.
#include "calibration/images/byte_reader.h"

#include "core/error.h"

namespace quantize {

uint64_t ByteReader::number(size_t at, size_t size) const {
  if (at > bytes_.size() || bytes_.size() - at < size) {
    throw Error(ErrorKind::kCalibration, "the file is cut off in its header");
  }
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) {
    value |= static_cast<uint64_t>(bytes_[at + i]) << (8 * (big_endian_ ? size - 1 - i : i));
  }
  return value;
}

void throw_truncated(const char* format) {
  throw Error(ErrorKind::kCalibration, std::string("the ") + format + " file is cut off");
}

}  // namespace quantize
