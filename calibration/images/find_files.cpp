// A walk through folders, then through the links in them. Read Walk::run().
#include "calibration/images/find_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>

#include "calibration/images/file_kind.h"
#include "core/error.h"
#include "core/interrupt.h"

namespace quantize {
namespace {

namespace fs = std::filesystem;

// The entries of a folder that are left out for another reason than their format.
constexpr const char *kFifo = "FIFO", *kSocket = "socket", *kDevice = "device", *kBrokenLink = "broken link",
                     *kUpwardLink = "link to a folder above", *kUnreadable = "unreadable file";

std::string plural(const std::string& kind) {
  if (kind == kUpwardLink) return "links to folders above";
  for (const char* word : {kFifo, kSocket, kDevice, kBrokenLink, kUnreadable})
    if (kind == word) return kind + "s";
  return kind;
}

/// The names of a folder that are not hidden, sorted.
std::vector<fs::directory_entry> entries_of(const fs::path& folder) {
  std::vector<fs::directory_entry> entries;
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
      if (!entry.path().filename().string().starts_with('.')) entries.push_back(entry);
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::kIo, "cannot read '" + folder.string() + "': " + error.code().message());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool holds(const fs::path& outer, const fs::path& inner) {
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

class Walk {
 public:
  explicit Walk(fs::path root) : root_(std::move(root)) {}

  FoundFiles run() {
    struct stat status {};
    if (::stat(root_.c_str(), &status) != 0)
      throw Error(ErrorKind::kIo,
                  "cannot read '" + root_.string() + "': " + std::generic_category().message(errno));
    is_new(status);
    walk(root_);
    following_ = true;
    while (!links_.empty()) {
      const fs::path link = *links_.begin();
      links_.erase(links_.begin());
      follow(link);
    }
    std::sort(found_.images.begin(), found_.images.end());
    std::sort(found_.tensors.begin(), found_.tensors.end());
    return std::move(found_);
  }

 private:
  void walk(const fs::path& folder) {
    for (const fs::directory_entry& entry : entries_of(folder)) {
      check_interrupt();
      struct stat status {};
      if (entry.is_symlink()) {
        links_.insert(entry.path());
      } else if (::stat(entry.path().c_str(), &status) == 0) {
        const bool first = is_new(status);
        if (S_ISDIR(status.st_mode)) {
          if (first) walk(entry.path());
        } else if (first || !following_) {  // hard links are files of their own
          take(entry.path(), status);
        }
      } else {
        leave_out(kUnreadable, entry.path());
      }
    }
  }

  void follow(const fs::path& link) {
    std::error_code ignored;
    struct stat status {};
    if (::stat(link.c_str(), &status) != 0) {
      leave_out(kBrokenLink, link);
    } else if (S_ISDIR(status.st_mode) && !seen_.contains({status.st_dev, status.st_ino}) &&
               holds(fs::canonical(link, ignored), fs::canonical(root_, ignored))) {
      leave_out(kUpwardLink, link);
    } else if (is_new(status)) {
      S_ISDIR(status.st_mode) ? walk(link) : take(link, status);
    }
  }

  void take(const fs::path& path, const struct stat& status) {
    if (!S_ISREG(status.st_mode))
      return leave_out(S_ISFIFO(status.st_mode) ? kFifo : S_ISSOCK(status.st_mode) ? kSocket : kDevice, path);
    const FileFinding finding = find_kind(path);
    const FoundFile file{path, static_cast<uint64_t>(status.st_size)};
    switch (finding.kind) {
      case FileKind::kImage:
        return found_.images.push_back(file);
      case FileKind::kTensor:
        return found_.tensors.push_back(file);
      case FileKind::kUnreadPicture:
        return leave_out(finding.name, path);
      case FileKind::kOther:
        return count(found_.others, path);
    }
  }

  void leave_out(const std::string& kind, const fs::path& path) { count(found_.left_out[kind], path); }

  static void count(LeftOutFiles& files, const fs::path& path) {
    if (files.count == 0 || path < files.first) files.first = path;
    ++files.count;
  }

  bool is_new(const struct stat& status) { return seen_.insert({status.st_dev, status.st_ino}).second; }

  fs::path root_;
  FoundFiles found_;
  bool following_ = false;    // links, after all else
  std::set<fs::path> links_;  // to follow
  std::set<std::pair<dev_t, ino_t>> seen_;
};

}  // namespace

FoundFiles find_files(const std::string& folder) {
  return Walk(folder).run();
}

std::string left_out_text(const FoundFiles& found, const std::string& folder) {
  std::string text;
  for (const auto& [kind, files] : found.left_out) {
    text += (text.empty() ? "" : ", ") + std::to_string(files.count) + " " +
            (files.count == 1 ? kind : plural(kind));
    if (kind.starts_with('.')) continue;
    text += files.count == 1 ? " ('" : " (such as '";
    text += files.first.lexically_relative(folder).generic_string() + "')";
  }
  return text;
}

}  // namespace quantize
