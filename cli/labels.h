// Files of labels: the right class of every image.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace quantize {

/// Reads lines "image-name class-index". Errors: Error(kIo), Error(kInvalidArgument) naming the line.
std::map<std::string, int64_t> read_labels(const std::string& path, int64_t offset);

/// The label of a sample, by its path below the directory or by its file's name.
std::optional<int64_t> label_of(const std::map<std::string, int64_t>& labels, const std::string& sample);

}  // namespace quantize
