// Path checks, reading and mapping of external data.
#include "onnx_io/external_data.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "core/memory_block.h"

namespace quantize {

namespace {

namespace fs = std::filesystem;

// A mapping takes whole pages and an entry of the system's table: smaller tensors are read.
constexpr uint64_t kLeastMapped = uint64_t{1} << 20;

[[noreturn]] void invalid(const ExternalData& where, const std::string& what) {
  throw Error(ErrorKind::kInvalidModel, "external data '" + where.location + "' " + what);
}

[[noreturn]] void fail_to_read(const ExternalData& where, int reason) {
  throw Error(ErrorKind::kIo, "cannot read external data '" + where.location + "': " + std::strerror(reason) +
                                  "; put the file beside the model");
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

/// The file's real path, which is inside the folder's real path.
fs::path resolve(const ExternalData& where, const std::string& folder) {
  const fs::path location(where.location);
  const bool climbs = std::find(location.begin(), location.end(), fs::path("..")) != location.end();
  if (location.empty() || location.is_absolute() || climbs || where.location.find('\0') != std::string::npos)
    invalid(where, "is outside the model's folder, which is not allowed; name a file inside it");
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error) fail_to_read(where, error.value());
  fs::path file = fs::canonical(root / location, error);
  if (error) fail_to_read(where, error.value());
  if (std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first != root.end())
    invalid(where, "leads out of the model's folder through a symbolic link; put the file itself there");
  return file;
}

void read_all(const Descriptor& file, const ExternalData& where, char* target, size_t bytes) {
  auto position = static_cast<off_t>(where.offset);
  while (bytes > 0) {
    const ssize_t count = pread(file.number(), target, bytes, position);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_to_read(where, errno);
    if (count == 0) invalid(where, "became shorter while it was read");
    target += count;
    position += count;
    bytes -= static_cast<size_t>(count);
  }
}

}  // namespace

Tensor read_external_data(DataType dtype, const Shape& shape, const ExternalData& where,
                          const std::string& folder) {
  const Descriptor file(open(resolve(where, folder).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.number() < 0) fail_to_read(where, errno);
  struct stat status {};
  if (fstat(file.number(), &status) != 0) fail_to_read(where, errno);
  if (!S_ISREG(status.st_mode)) invalid(where, "is not a regular file");
  const auto available = static_cast<uint64_t>(status.st_size);
  const auto count = static_cast<uint64_t>(element_count(shape));
  uint64_t needed = 0;
  if (__builtin_mul_overflow(count, size_of(dtype), &needed) || where.offset > available ||
      needed > available - where.offset)
    invalid(where, "holds " + std::to_string(available) + " bytes, too few for a tensor of shape " +
                       to_string(shape) + " at byte " + std::to_string(where.offset));
  if (where.length && *where.length != needed)
    invalid(where, "is said to hold " + std::to_string(*where.length) + " bytes of a tensor that has " +
                       std::to_string(needed));
  if (needed >= kLeastMapped) {
    const FilePart part{file.number(), available, where.offset, byte_count(dtype, shape)};
    if (auto block = map_block(part, "a tensor needs")) return {dtype, shape, std::move(block)};
  }
  Tensor tensor(dtype, shape);
  read_all(file, where, static_cast<char*>(tensor.mutable_bytes()), tensor.byte_size());
  return tensor;
}

namespace {

std::string data_path_of(const std::string& model_path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(model_path, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status))
    throw Error(ErrorKind::kUnsupported,
                "a model above 2 GiB has its weights in a file beside it, so that '" + model_path +
                    "' cannot take it; give the name of a file");
  return model_path + ".data";
}

}  // namespace

ExternalDataWriter::ExternalDataWriter(const std::string& model_path)
    : location_(fs::path(model_path).filename().string() + ".data"), file_(data_path_of(model_path)) {}

ExternalData ExternalDataWriter::add(const Tensor& tensor) {
  constexpr uint64_t kAlignment = 4096;
  const std::string padding((kAlignment - position_ % kAlignment) % kAlignment, '\0');
  file_.write(padding);
  position_ += padding.size();
  const ExternalData place{location_, position_, tensor.byte_size()};
  file_.write(tensor.bytes(), tensor.byte_size());
  position_ += tensor.byte_size();
  return place;
}

}  // namespace quantize
