// Temporary file, fsync, rename; and the list of what a signal handler has to remove.
#include "core/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/error.h"

namespace quantize {

namespace {

/// One temporary file that exists. The memory is static, so that a signal handler can read it at any moment.
struct Slot {
  std::atomic<bool> taken{false};
  std::atomic<bool> visible{false};  // path is complete
  char path[PATH_MAX] = {};
};

constexpr int kSlots = 16;
std::array<Slot, kSlots> unfinished;

/// Enters a path in the list; -1 if the list is full.
int take_slot(const std::string& path) {
  for (int i = 0; i < kSlots; ++i) {
    Slot& slot = unfinished[static_cast<size_t>(i)];
    if (slot.taken.exchange(true)) continue;
    std::memcpy(slot.path, path.c_str(), path.size() + 1);
    slot.visible = true;
    return i;
  }
  return -1;
}

void free_slot(int index) {
  if (index < 0) return;
  Slot& slot = unfinished[static_cast<size_t>(index)];
  slot.visible = false;
  slot.taken = false;
}

/// "." for a path without a folder.
std::string folder_of(const std::string& path) {
  return (std::filesystem::path(".") / path).parent_path().string();
}

/// A rename lasts through a power failure only once its folder is on the disk. File systems that cannot do
/// this for a folder say so with an error, which changes nothing about the file.
void flush_folder(const std::string& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(path) {
  struct stat status {};
  const bool exists = stat(path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    fail("write");
  }
  if (exists && !S_ISREG(status.st_mode)) {
    descriptor_ = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail("write");
    return;
  }
  if (exists) {
    if (access(path.c_str(), W_OK) != 0) fail("write");
    char* resolved = realpath(path.c_str(), nullptr);
    if (resolved == nullptr) fail("write");
    target_ = resolved;
    std::free(resolved);
  }
  open_temporary();
}

void AtomicFile::open_temporary() {
  for (int attempt = 0; descriptor_ < 0; ++attempt) {
    temporary_ = folder_of(target_) + "/.quantize-" + std::to_string(getpid()) + "-" +
                 std::to_string(attempt) + ".tmp";
    if (temporary_.size() >= PATH_MAX) {
      errno = ENAMETOOLONG;
      fail("write");
    }
    slot_ = take_slot(temporary_);
    if (slot_ < 0) throw Error(ErrorKind::kInternal, "too many files are being written at the same time");
    descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ >= 0) return;
    const int reason = errno;
    free_slot(slot_);
    slot_ = -1;
    errno = reason;
    if (reason != EEXIST || attempt == 100) fail("create");
  }
}

AtomicFile::~AtomicFile() {
  close_and_remove();
}

void AtomicFile::write(const void* data, size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, next, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write");
    next += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  const bool direct = temporary_.empty();
  if (!direct && fsync(descriptor_) != 0) fail("write");
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (close(descriptor) != 0) fail("write");
  if (direct) return;
  if (rename(temporary_.c_str(), target_.c_str()) != 0) fail("write");
  free_slot(slot_);
  slot_ = -1;
  temporary_.clear();
  flush_folder(folder_of(target_));
}

void AtomicFile::close_and_remove() noexcept {
  if (descriptor_ >= 0) close(descriptor_);
  if (slot_ >= 0) unlink(temporary_.c_str());
  free_slot(slot_);
}

void AtomicFile::remove_unfinished() noexcept {
  for (const Slot& slot : unfinished)
    if (slot.visible) unlink(slot.path);
}

void AtomicFile::fail(const char* what) const {
  const int reason = errno;
  throw Error(ErrorKind::kIo, std::string("cannot ") + what + " '" + path_ + "': " + std::strerror(reason));
}

}  // namespace quantize
