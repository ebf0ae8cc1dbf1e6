#include "core/memory_block.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <limits>
#include <string>

#include "core/error.h"

namespace quantize {

namespace {

constexpr size_t kAlignment = 64;
std::atomic<uint64_t> most_bytes = std::numeric_limits<uint64_t>::max();

void check_limit(size_t bytes, const char* purpose) {
  if (bytes > most_bytes)
    throw Error(ErrorKind::kUnsupported, std::string(purpose) + " " + std::to_string(bytes) +
                                             " bytes at once, above the " + std::to_string(most_bytes) +
                                             " that are allowed; allow more with --max-memory");
}

}  // namespace

void limit_blocks(uint64_t bytes) {
  most_bytes = bytes;
}

std::shared_ptr<std::byte> take_block(size_t bytes, const char* purpose) {
  check_limit(bytes, purpose);
  void* memory = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  if (memory == nullptr)
    throw Error(ErrorKind::kInternal,
                std::string("out of memory: ") + purpose + " " + std::to_string(bytes) + " bytes");
  return {static_cast<std::byte*>(memory), std::free};
}

std::shared_ptr<std::byte> map_block(const FilePart& part, const char* purpose) {
  check_limit(part.bytes, purpose);
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t begin = part.offset / page * page, end = part.offset + part.bytes + kAlignment;
  const uint64_t readable = (part.file_bytes + page - 1) / page * page;
  if (part.offset % kAlignment != 0 || end > readable) return nullptr;
  const size_t length = end - begin;
  void* pages = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, part.file,
                     static_cast<off_t>(begin));
  if (pages == MAP_FAILED) return nullptr;
  const std::shared_ptr<std::byte> all(static_cast<std::byte*>(pages),
                                       [length](void* p) { munmap(p, length); });
  return {all, all.get() + (part.offset - begin)};
}

}  // namespace quantize
