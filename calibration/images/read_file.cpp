// One loop for files, pipes and devices. Read read_file().
#include "calibration/images/read_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

#include "core/error.h"
#include "core/interrupt.h"

namespace quantize {
namespace {

constexpr int kPatienceMs = 5000, kPieceMs = 100;

[[noreturn]] void fail(const std::string& path, const std::string& reason) {
  throw Error(ErrorKind::kIo, "cannot read '" + path + "': " + reason);
}
[[noreturn]] void fail(const std::string& path, int error) {
  fail(path, std::generic_category().message(error));
}

/// An open file. It never blocks: a pipe without a writer would for ever.
class InputFile {
 public:
  explicit InputFile(const std::string& path)
      : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (descriptor_ < 0) fail(path, errno);
  }
  ~InputFile() { close(descriptor_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  struct stat status() const {
    struct stat status {};
    if (fstat(descriptor_, &status) != 0) fail(path_, errno);
    return status;
  }

  /// Up to `size` bytes, 0 at the end.
  size_t read(uint8_t* to, size_t size) {
    while (true) {
      const bool waited = !wait();
      const ssize_t count = ::read(descriptor_, to, size);
      if (count == 0 && waited) fail(path_, "nobody writes into this pipe");
      if (count >= 0) return static_cast<size_t>(count);
      if (errno != EAGAIN && errno != EINTR) fail(path_, errno);
    }
  }

 private:
  /// True once there is something to read or the end; false if there is neither for all our patience.
  bool wait() const {
    for (int waited = 0; waited < kPatienceMs; waited += kPieceMs) {
      pollfd file{descriptor_, POLLIN, 0};
      if (poll(&file, 1, kPieceMs) > 0) return true;
      check_interrupt();
    }
    return false;
  }

  std::string path_;
  int descriptor_;
};

}  // namespace

std::vector<uint8_t> read_file(const std::string& path) {
  constexpr size_t kPiece = 65536;
  InputFile file(path);
  const struct stat status = file.status();
  if (S_ISDIR(status.st_mode)) fail(path, EISDIR);
  const bool regular = S_ISREG(status.st_mode);
  std::vector<uint8_t> bytes(regular ? static_cast<size_t>(status.st_size) + 1 : kPiece);
  for (size_t size = 0;;) {
    if (size == bytes.size()) bytes.resize(size + kPiece);
    const size_t count = file.read(bytes.data() + size, bytes.size() - size);
    size += count;
    if (!regular && size > kMaxStreamBytes)
      fail(path, "it gives more than " + std::to_string(kMaxStreamBytes >> 20) +
                     " MiB, the most for a pipe or device; save it to a file first");
    if (count != 0) continue;
    bytes.resize(size);
    return bytes;
  }
}

std::string read_text(const std::string& path) {
  constexpr std::string_view kUtf8Mark = "\xef\xbb\xbf";
  const std::vector<uint8_t> bytes = read_file(path);
  std::string text(bytes.begin(), bytes.end());
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    throw Error(ErrorKind::kInvalidArgument, "'" + path + "' is UTF-16 text; save it as UTF-8");
  if (text.starts_with(kUtf8Mark)) text.erase(0, kUtf8Mark.size());
  return text;
}

}  // namespace quantize
