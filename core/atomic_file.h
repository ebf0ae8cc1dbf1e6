// Output files that appear whole or not at all.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace quantize {

/// Writes a file beside its path under a temporary name; commit() gives it its name in one step, so that the
/// path is either what it was or the whole new file. Whatever is not committed is removed by the destructor.
///
///   AtomicFile file(path);
///   file.write(text);
///   file.commit();
///
/// A path that is a symbolic link has the file behind it replaced; a device or pipe is written to directly.
/// Errors: Error(kIo) with the path and the system's reason, from every member but the destructor.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// Flushes to the disk, closes and renames. Nothing may be written afterwards.
  void commit();

  /// Removes the temporary files of all uncommitted AtomicFiles of this process. May be called from a signal
  /// handler that then ends the process.
  static void remove_unfinished() noexcept;

 private:
  [[noreturn]] void fail(const char* what) const;
  void open_temporary();
  void close_and_remove() noexcept;

  std::string path_;       // as the caller gave it, for messages
  std::string target_;     // the path with symbolic links resolved
  std::string temporary_;  // empty: written to directly, or committed
  int slot_ = -1;          // place in the list of unfinished files
  int descriptor_ = -1;
};

}  // namespace quantize
