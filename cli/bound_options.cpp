#include "cli/bound_options.h"

#include <CLI/CLI.hpp>

namespace quantize {

void add_bound_options(CLI::App& app, Bound& bound, const std::string& what) {
  constexpr const char* kGroup = "Bound on the loss";
  app.add_option("--min-agreement", bound.min_agreement,
                 what + " this percentage of best classes is the same")
      ->type_name("PERCENT")
      ->group(kGroup);
  app.add_option("--min-sqnr", bound.min_sqnr, what + " the SQNR of every output is at least this")
      ->type_name("DB")
      ->group(kGroup);
  app.add_option("--max-drop", bound.max_drop, what + " top-1 falls by no more points than this")
      ->type_name("POINTS")
      ->group(kGroup);
}

void add_label_options(CLI::App& app, LabelFlags& flags) {
  constexpr const char* kGroup = "Bound on the loss";
  app.add_option("--labels", flags.file, "lines of an image's name and its class, for top-1")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_option("--label-offset", flags.offset, "added to each class of --labels")
      ->type_name("N")
      ->group(kGroup);
}

}  // namespace quantize
