// The report of verify: text and JSON.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibration/images/preprocess_choice.h"
#include "calibration/search/comparison.h"
#include "cli/checks.h"
#include "cli/command.h"
#include "cli/console.h"

namespace quantize {

/// Facts of one run of `verify`, from which its report is made.
struct VerifyFacts {
  std::string reference, candidate;
  size_t skipped_images = 0;
  std::optional<PreprocessChoice> preprocessing;  // nothing for tensors
  Comparison comparison;
  std::function<std::string(size_t)> sample_name = {};  // of a sample of the comparison
  std::optional<LayerComparison> layers;                // with --layers
  std::vector<Check> checks;
};

/// The same keys whether checks failed or not.
Report verify_report(const VerifyFacts& facts, const Style& style);

/// "99.60 % of samples have the same best class, ...": the figures of a task in words.
std::string agreement_text(const TaskFigures& figures);

}  // namespace quantize
