// quantize merge: adds the statistics of shards, exactly.
#include "cli/merge_command.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "calibration/statistics/merge_statistics.h"
#include "calibration/statistics/statistics_file.h"
#include "cli/console.h"
#include "cli/options.h"
#include "cli/text.h"

namespace quantize {

namespace {

struct MergeOptions {
  std::vector<std::string> files;
  std::string output;
};

Report merge(const MergeOptions& options, Console& console) {
  claim_output("-o", options.output, {options.files.begin(), options.files.end()}, console);
  const StatisticsTable table = merge_statistics(options.files, console.diagnostics);
  console.explain("merged " + join(options.files, ", "));
  save_statistics(table, options.output);
  const Json json = {{"output", options.output},
                     {"files", options.files.size()},
                     {"samples", table.samples},
                     {"values", table.values.size()}};
  return {json, console.style().bold(printable(options.output)) + ": " +
                    format_plural(table.samples, "sample") + " of " +
                    format_plural(options.files.size(), "file") + ", " +
                    format_plural(table.values.size(), "value") + "\n"};
}

CommandBody define(CLI::App& app) {
  const auto options = std::make_shared<MergeOptions>();
  app.add_option("STATS", options->files, "statistics of the same model and preprocessing")
      ->required()
      ->expected(1, -1);
  output_file(app.add_option("-o,--output", options->output, "the sum"))->required();
  return [options](Console& console) { return merge(*options, console); };
}

}  // namespace

const Command kMergeCommand = {
    .name = "merge",
    .summary = "adds statistics files of the same model and preprocessing, exactly",
    .example = "  quantize merge part0.stats part1.stats -o all.stats\n",
    .define = define,
};

}  // namespace quantize
