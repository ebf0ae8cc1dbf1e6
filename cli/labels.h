// Files of labels: the right class of every image.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "calibration/images/sample_source.h"
#include "core/error.h"

namespace quantize {

/// Reads lines "image-name class-index". Errors: Error(kIo); Error(kInvalidArgument) naming the line, or for
/// a file without any.
std::map<std::string, int64_t> read_labels(const std::string& path, int64_t offset);

/// The names that a label may have for a sample: its path below the directory, or its file's name.
std::array<std::string, 2> label_names_of(const std::string& sample);

/// The label of a sample, by its path below the directory or by its file's name.
std::optional<int64_t> label_of(const std::map<std::string, int64_t>& labels, const std::string& sample);

/// Errors: Error(kInvalidArgument) if none of the samples has a label of the file `path`.
void check_some_labelled(const std::string& path, const std::map<std::string, int64_t>& labels,
                         const SampleSource& source);

/// Warns of the names in the file of labels `path` that belong to none of the samples found, also of those
/// that are not used: how many there are, and the first of them.
void warn_of_unmatched_labels(const std::string& path, const std::map<std::string, int64_t>& labels,
                              const std::vector<Sample>& found, Diagnostics& diagnostics);

}  // namespace quantize
