// Blocks of memory for tensors and runs, none of them above a limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace quantize {

/// The most bytes of one block from now on, in the whole process. No limit until it is called.
void limit_blocks(uint64_t bytes);

/// A block whose address is a multiple of 64, with any content. `purpose` begins the message where it cannot be had: "a
/// tensor needs". Errors: Error(kUnsupported) above the limit, before memory is taken; Error(kInternal) when memory runs
/// out.
std::shared_ptr<std::byte> take_block(size_t bytes, const char* purpose);

/// A part of an open file.
struct FilePart {
  int file = -1;  // descriptor
  uint64_t file_bytes = 0;
  uint64_t offset = 0;  // of the first byte
  size_t bytes = 0;     // the part is within the file
};

/// The part as a block of take_block's alignment with 64 readable bytes behind it. The system reads a page when it is
/// touched first; writing changes a copy of this process. Nothing where the part has no such place in the file, or
/// where the system maps no more: the caller reads it. A file that is cut off while it is mapped ends the process with
/// SIGBUS. Errors: Error(kUnsupported) above the limit.
std::shared_ptr<std::byte> map_block(const FilePart& part, const char* purpose);

}  // namespace quantize
