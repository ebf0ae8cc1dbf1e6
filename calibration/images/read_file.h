// Whole files, and what comes out of a pipe or device.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quantize {

/// The most that is read from a pipe or device, which may never end.
constexpr uint64_t kMaxStreamBytes = uint64_t{1} << 28;

/// All bytes of a file, or of a pipe or device up to its end.
///
/// Errors: Error(kIo) with the path and the reason: the system's, more than kMaxStreamBytes in a pipe or
/// device, or a pipe that nobody opens for writing within five seconds.
std::vector<uint8_t> read_file(const std::string& path);

/// A text file's bytes without the byte order mark that editors put before UTF-8.
/// Errors: as read_file; Error(kInvalidArgument) for UTF-16.
std::string read_text(const std::string& path);

}  // namespace quantize
