// The report of the default command: its summary, its JSON, and the plan as JSON.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "calibration/images/preprocess_choice.h"
#include "calibration/search/choose_plan.h"
#include "cli/checks.h"
#include "cli/command.h"
#include "cli/known_source.h"
#include "core/passes/cut_unknown.h"
#include "core/quantization/node_selection.h"
#include "core/quantization/pack_weights.h"

namespace quantize {

/// Facts of one run of the default command, from which its report is made.
struct QuantizeFacts {
  std::string model, output, format;              // the output is not written if the bound is not kept
  std::optional<PreprocessChoice> preprocessing;  // nothing: tensors
  uint64_t samples, skipped_images;
  std::optional<uint64_t> bytes_before;  // of a file
  std::optional<uint64_t> bytes_after;   // nothing: not written
  std::optional<uint64_t> max_size;      // that was asked for
  std::optional<CodeForm> form;          // of weights of few bits; nothing: none were asked for
  std::string places;                    // of samples, for a command to run next (places_text)
  std::string statistics;                // the file; empty: none
  bool statistics_read;                  // or written
  const ChosenPlan& chosen;
  const QuantizationScheme& scheme;
  const std::vector<Selector>& selectors;  // of nodes, and what each named
  std::vector<Check> checks;               // of the bound
  std::optional<double> time_ratio;        // of the written model to the float model, if measured
  const CutModel* cut;                // what stands behind operators that are not known; nullptr: nothing
  std::optional<TakenScales> scales;  // that were known; nothing: all were found
  bool explain = false;
};

/// True if the bits of weights are a part of the report: for a size, or few bits of layers on integers.
bool tells_bits(const QuantizeFacts& facts);

/// The figures that a bound is held against; nothing for a network that was not judged.
BoundFigures figures_of(const std::optional<Quality>& quality);

/// The summary, the JSON, and the exit code; a bound that is not kept has a sentence in Report::failures.
/// Warns of what the runtime computes in float although it is planned as integer.
Report quantize_report(const QuantizeFacts& facts, Console& console);

/// The gain of a step of the search, in standard errors; nothing for what the search starts from, or if it is
/// not known.
std::optional<double> gain_of(const PlanStep& step);

/// The advice for x86-64 processors without VNNI, where sums of this model would be cut (TargetProfile::without_vnni).
/// Empty: none would be.
std::string advice_without_vnni(const QuantizeFacts& facts, const PlanSummary& summary);

/// Share of the multiply-accumulates that are on activations of 8 bits, in percent.
double percent_of_macs(const PlanSummary& summary);

/// How a network did on held-back samples, in the JSON of a report; null if it was not judged.
Json quality_json(const std::optional<Quality>& quality);

/// Every value's type, scale, zero point, range and reason; every node's placement and reason, those behind
/// operators that are not known included.
Json plan_json(const PlannedModel& planned, const QuantizationScheme& scheme, const CutModel* cut);

/// {"option", "text", "nodes"}, and "values" where there are any.
Json selector_json(const Selector& selector);

/// "--exclude 'Conv_3' names 2 nodes: Conv_3, Conv_31".
std::string selector_text(const Selector& selector);

/// The recipe that a search has chosen, or that was asked for by name; "adjustments", the names of the steps that
/// change the finished plan, only where there are any.
Json recipe_json(const Recipe& recipe);

/// The user's options as they go into the model's metadata; `more` are options beside the scheme.
Json options_json(const QuantizationScheme& scheme, const std::map<std::string, std::string>& more);

}  // namespace quantize
