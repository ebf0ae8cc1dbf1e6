// Streams between files and protobuf.
#include "onnx_io/proto_file.h"

#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/message_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <exception>

#include "core/atomic_file.h"
#include "core/error.h"

namespace quantize {

namespace {

using google::protobuf::MessageLite;
namespace io = google::protobuf::io;

constexpr int kMaxBytes = INT_MAX;  // protobuf's own limit, 2 GiB - 1
constexpr int kMaxLevels =
    600;  // of messages in messages, three to a graph: what a thread's stack holds with ease

/// protobuf reports to stderr by itself; whatever matters is reported by us, as an Error.
void silence_protobuf() {
  static const bool done = [] {
    google::protobuf::SetLogHandler(nullptr);
    return true;
  }();
  static_cast<void>(done);
}

[[noreturn]] void fail_to_read(int reason) {
  throw Error(ErrorKind::kIo, std::string("cannot read the file: ") + std::strerror(reason));
}

[[noreturn]] void too_large() {
  throw Error(ErrorKind::kUnsupported,
              "the model is larger than 2 GiB, the limit of the format; keep its weights in external data");
}

/// Hands what protobuf writes to an AtomicFile. No exception may pass through protobuf, so the first one
/// waits here.
class AtomicFileStream : public io::CopyingOutputStream {
 public:
  explicit AtomicFileStream(AtomicFile& file) : file_(file) {}
  bool Write(const void* data, int bytes) override {
    try {
      file_.write(data, static_cast<size_t>(bytes));
      return true;
    } catch (const Error&) {
      error_ = std::current_exception();
      return false;
    }
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  AtomicFile& file_;
  std::exception_ptr error_;
};

}  // namespace

void read_proto(const std::string& path, MessageLite& message) {
  silence_protobuf();
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail_to_read(errno);
  io::FileInputStream file(descriptor);
  file.SetCloseOnDelete(true);
  struct stat status {};
  if (fstat(descriptor, &status) != 0) fail_to_read(errno);
  if (S_ISDIR(status.st_mode)) fail_to_read(EISDIR);
  if (status.st_size > kMaxBytes) too_large();
  io::CodedInputStream stream(&file);
  stream.SetTotalBytesLimit(kMaxBytes);
  stream.SetRecursionLimit(kMaxLevels);
  const bool parsed = message.ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage();
  if (file.GetErrno() != 0) fail_to_read(file.GetErrno());
  if (stream.CurrentPosition() == 0)
    throw Error(ErrorKind::kInvalidModel, "the file is empty or holds no ONNX data; export the model anew");
  if (!parsed)
    throw Error(ErrorKind::kInvalidModel,
                "the file is not ONNX, is damaged, or has graphs nested more than " +
                    std::to_string(kMaxLevels / 3) + " deep; export or download it anew");
}

uint64_t write_proto(const MessageLite& message, AtomicFile& file) {
  silence_protobuf();
  const size_t bytes = message.ByteSizeLong();
  if (bytes > static_cast<size_t>(kMaxBytes)) too_large();
  AtomicFileStream stream(file);
  bool written = false;
  {
    io::CopyingOutputStreamAdaptor adaptor(&stream);
    written = message.SerializeToZeroCopyStream(&adaptor) && adaptor.Flush();
  }
  stream.rethrow();
  if (!written) throw Error(ErrorKind::kInternal, "protobuf could not serialize the model");
  return bytes;
}

}  // namespace quantize
