#include "core/memory_block.h"

#include <atomic>
#include <cstdlib>
#include <limits>
#include <string>

#include "core/error.h"

namespace quantize {

namespace {

constexpr size_t kAlignment = 64;
std::atomic<uint64_t> most_bytes = std::numeric_limits<uint64_t>::max();

}  // namespace

void limit_blocks(uint64_t bytes) {
  most_bytes = bytes;
}

std::shared_ptr<std::byte> take_block(size_t bytes, const char* purpose) {
  if (bytes > most_bytes)
    throw Error(ErrorKind::kUnsupported, std::string(purpose) + " " + std::to_string(bytes) +
                                             " bytes at once, above the " + std::to_string(most_bytes) +
                                             " that are allowed; allow more with --max-memory");
  void* memory = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  if (memory == nullptr)
    throw Error(ErrorKind::kInternal,
                std::string("out of memory: ") + purpose + " " + std::to_string(bytes) + " bytes");
  return {static_cast<std::byte*>(memory), std::free};
}

}  // namespace quantize
