// --min-agreement, --min-sqnr, --max-drop, and the labels that the last one needs.
#pragma once

#include <string>

#include "calibration/search/sensitivity.h"

namespace CLI {
class App;
}

namespace quantize {

struct Diagnostics;

/// Values of --labels and --label-offset.
struct LabelFlags {
  std::string file;
  int64_t offset = 0;
};

/// Adds --min-agreement, --min-sqnr and --max-drop; their help begins with `what`: "exit 1 unless".
void add_bound_options(CLI::App& app, Bound& bound, const std::string& what);
void add_label_options(CLI::App& app, LabelFlags& flags);

/// Warns of a percentage that looks like a share. Errors: Error(kInvalidArgument) for --max-drop without
/// --labels.
void check_bound(const Bound& bound, const LabelFlags& labels, Diagnostics& diagnostics);

}  // namespace quantize
