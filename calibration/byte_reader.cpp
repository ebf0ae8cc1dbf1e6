// Checked reading of numbers, and of whole files.
#include "calibration/byte_reader.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

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

std::vector<uint8_t> read_file(const std::string& path) {
  std::error_code error;
  const uintmax_t size = std::filesystem::file_size(path, error);
  std::vector<uint8_t> bytes;
  if (!error) {
    std::ifstream file(path, std::ios::binary);
    bytes.resize(size);
    if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size))) {
      error = std::error_code(errno, std::generic_category());
    }
  }
  if (error) throw Error(ErrorKind::kIo, "cannot read '" + path + "': " + error.message());
  return bytes;
}

}  // namespace quantize
