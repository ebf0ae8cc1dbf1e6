// The files of a folder that can be samples, and what was found beside them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace quantize {

/// One file of a folder; ordered by path.
struct FoundFile {
  std::filesystem::path path;
  uint64_t bytes = 0;

  friend auto operator<=>(const FoundFile&, const FoundFile&) = default;
};

/// Several files that were passed over for one reason.
struct LeftOutFiles {
  size_t count = 0;
  std::filesystem::path first;
};

/// The files of a folder by use, and the number of those that have none.
struct FoundFiles {
  std::vector<FoundFile> images, tensors;  // sorted by path
  /// Pictures and videos of formats that are not read, by FileFinding::name; FIFOs, sockets, devices, broken
  /// links, links to a folder above and unreadable files by such words.
  std::map<std::string, LeftOutFiles> left_out;
  LeftOutFiles others;  // no pictures and no tensors
};

/// Looks through a folder and the folders in it.
///
/// Names that begin with a dot are passed over. Links are followed, in the order of their paths, after
/// everything else: what was seen already is not taken again, so that a link that leads back changes nothing.
/// A link to a folder that holds the searched one is not followed. FIFOs, sockets and devices are never
/// opened. Errors: Error(kIo) if a folder cannot be read.
FoundFiles find_files(const std::string& folder);

/// "4 .gif, 1 .mp4"; "1 FIFO ('in.jpg')"; with the first path below `folder` where the kind is no format.
std::string left_out_text(const FoundFiles& found, const std::string& folder);

}  // namespace quantize
