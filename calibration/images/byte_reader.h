// Numbers in the bytes of a file that nobody vouches for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace quantize {

/// Reads unsigned numbers at any offset. Errors: Error(kCalibration) past the end.
class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes, bool big_endian = false)
      : bytes_(bytes), big_endian_(big_endian) {}

  uint32_t u8(size_t at) const { return static_cast<uint32_t>(number(at, 1)); }
  uint32_t u16(size_t at) const { return static_cast<uint32_t>(number(at, 2)); }
  uint32_t u32(size_t at) const { return static_cast<uint32_t>(number(at, 4)); }
  uint64_t u64(size_t at) const { return number(at, 8); }
  size_t size() const { return bytes_.size(); }

 private:
  uint64_t number(size_t at, size_t size) const;

  std::span<const uint8_t> bytes_;
  bool big_endian_;
};

/// Throws Error(kCalibration): the file, said to be of this format, ends too early.
[[noreturn]] void throw_truncated(const char* format);

}  // namespace quantize
