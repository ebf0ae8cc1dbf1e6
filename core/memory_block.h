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

}  // namespace quantize
