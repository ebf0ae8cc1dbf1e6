#include "cli/labels.h"

#include <charconv>
#include <filesystem>
#include <sstream>

#include "calibration/read_file.h"
#include "core/error.h"

namespace quantize {

std::optional<int64_t> label_of(const std::map<std::string, int64_t>& labels, const std::string& sample) {
  for (const std::string& name : {sample, std::filesystem::path(sample).filename().string()})
    if (const auto found = labels.find(name); found != labels.end()) return found->second;
  return std::nullopt;
}

std::map<std::string, int64_t> read_labels(const std::string& path, int64_t offset) {
  std::istringstream file(read_text(path));
  std::map<std::string, int64_t> labels;
  std::string line;
  for (size_t number = 1; std::getline(file, line); ++number) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (line.empty()) continue;
    const size_t split = line.find_last_of(" \t");
    int64_t label = 0;
    const char* const end = line.data() + line.size();
    const char* const start = split == std::string::npos ? end : line.data() + split + 1;
    const auto [stop, error] = std::from_chars(start, end, label);
    if (error != std::errc() || stop != end)
      throw Error(ErrorKind::kInvalidArgument, "line " + std::to_string(number) + " of the labels '" + path +
                                                   "' is not an image name and a class index");
    labels[line.substr(0, line.find_last_not_of(" \t", split) + 1)] = label + offset;
  }
  return labels;
}

}  // namespace quantize
