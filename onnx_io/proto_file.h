// Serialized protobuf messages in files: limits, I/O errors, protobuf's own log.
#pragma once

#include <cstdint>
#include <string>

namespace google::protobuf {
class MessageLite;
}

namespace quantize {

class AtomicFile;

/// Reads one message. Errors (the caller adds the path): Error(kIo) with the system's reason;
/// Error(kInvalidModel) if the file is empty or no such message; Error(kUnsupported) above protobuf's 2 GiB.
void read_proto(const std::string& path, google::protobuf::MessageLite& message);

/// Writes one message into a file that is not committed yet; returns its bytes. Errors: Error(kIo);
/// Error(kUnsupported) above protobuf's 2 GiB.
uint64_t write_proto(const google::protobuf::MessageLite& message, AtomicFile& file);

}  // namespace quantize
