#include "cli/labels.h"

#include <charconv>
#include <filesystem>
#include <set>
#include <sstream>

#include "calibration/images/read_file.h"
#include "cli/text.h"
#include "core/error.h"

namespace quantize {

std::array<std::string, 2> label_names_of(const std::string& sample) {
  return {sample, std::filesystem::path(sample).filename().string()};
}

std::optional<int64_t> label_of(const std::map<std::string, int64_t>& labels, const std::string& sample) {
  for (const std::string& name : label_names_of(sample))
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
    int32_t label = 0;
    const char* const end = line.data() + line.size();
    const char* const start = split == std::string::npos ? end : line.data() + split + 1;
    const auto [stop, error] = std::from_chars(start, end, label);  // of 32 bits: the offset fits on top
    const std::string name = line.substr(0, line.find_last_not_of(" \t", split) + 1);
    if (error != std::errc() || stop != end || name.empty())
      throw Error(ErrorKind::kInvalidArgument, "line " + std::to_string(number) + " of the labels '" + path +
                                                   "' is not an image name and a class index");
    const auto [entry, is_new] = labels.try_emplace(name, label + offset);
    if (!is_new && entry->second != label + offset)
      throw Error(ErrorKind::kInvalidArgument, "line " + std::to_string(number) + " of the labels '" + path +
                                                   "' gives '" + entry->first + "' a second class");
  }
  if (labels.empty())
    throw Error(
        ErrorKind::kInvalidArgument,
        "the labels '" + path + "' are empty; write a line of an image's name and its class for each image");
  return labels;
}

void check_some_labelled(const std::string& path, const std::map<std::string, int64_t>& labels,
                         const SampleSource& source) {
  for (size_t i = 0; i < source.count(); ++i)
    if (label_of(labels, source.name(i))) return;
  throw Error(ErrorKind::kInvalidArgument,
              "no sample has a label in '" + path + "'; its lines are an image's name and its class");
}

void warn_of_unmatched_labels(const std::string& path, const std::map<std::string, int64_t>& labels,
                              const std::vector<Sample>& found, Diagnostics& diagnostics) {
  std::set<std::string> known;
  for (const Sample& sample : found)
    for (std::string& name : label_names_of(sample.name)) known.insert(std::move(name));
  size_t unmatched = 0;
  std::string first;
  for (const auto& [name, label] : labels)
    if (!known.contains(name) && unmatched++ == 0) first = name;
  if (unmatched != 0)
    diagnostics.warn(std::to_string(unmatched) + " of " + format_plural(labels.size(), "name") + " in '" +
                     path + "' " + (unmatched == 1 ? "belongs" : "belong") + " to no sample, such as '" +
                     first + "'");
}

}  // namespace quantize
