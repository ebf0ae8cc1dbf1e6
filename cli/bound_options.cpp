#include "cli/bound_options.h"

#include <CLI/CLI.hpp>

#include "cli/option_checks.h"
#include "cli/text.h"
#include "core/error.h"

namespace quantize {

void add_bound_options(CLI::App& app, Bound& bound, const std::string& what) {
  constexpr const char* kGroup = "Bound on the loss";
  app.add_option("--min-agreement", bound.min_agreement,
                 what + " this percentage of best classes, boxes, ... is the same")
      ->type_name("PERCENT")
      ->check(real_number(0, 100))
      ->group(kGroup);
  app.add_option("--min-sqnr", bound.min_sqnr, what + " the SQNR of every output is at least this")
      ->type_name("DB")
      ->check(real_number(-Deviation::kMaxDb, Deviation::kMaxDb))
      ->group(kGroup);
  app.add_option("--max-drop", bound.max_drop,
                 what + " top-1, or what the labels measure, falls by no more points than this")
      ->type_name("POINTS")
      ->check(real_number(0, 100))
      ->group(kGroup);
}

void add_label_options(CLI::App& app, LabelFlags& flags) {
  constexpr const char* kGroup = "Bound on the loss";
  app.add_option("--labels", flags.file,
                 "lines of an image's name and its class, for top-1; verify also takes boxes "
                 "as a COCO file (AP) and a folder of class masks as PNG (mean IoU)")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_option("--label-offset", flags.offset, "added to each class of --labels")
      ->type_name("N")
      ->check(whole_number(-1'000'000'000, 1'000'000'000))
      ->group(kGroup);
}

void check_bound(const Bound& bound, const LabelFlags& labels, Diagnostics& diagnostics) {
  if (bound.max_drop && labels.file.empty())
    throw Error(ErrorKind::kInvalidArgument, "--max-drop needs --labels to know what is right");
  if (bound.min_agreement && *bound.min_agreement > 0 && *bound.min_agreement <= 1)
    diagnostics.warn("--min-agreement " + format_fixed(*bound.min_agreement, 2) +
                     " is a percentage and asks for next to nothing; write " +
                     format_fixed(100 * *bound.min_agreement, 0) + " if a share was meant");
}

}  // namespace quantize
