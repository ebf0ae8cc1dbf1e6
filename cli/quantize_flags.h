// The options of the default command, and what is wrong with them before any work.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/bound_options.h"
#include "cli/console.h"
#include "cli/known_source.h"
#include "cli/labels.h"
#include "cli/options.h"
#include "cli/recipe_options.h"
#include "cli/samples.h"
#include "cli/scheme_options.h"
#include "cli/shared_calibration.h"
#include "core/quantization/pack_weights.h"

namespace quantize {

/// The options as text and numbers. Empty and nothing: the default holds.
struct QuantizeFlags {
  std::string model, output, statistics, plan;
  std::string format = "qdq", target, input_type = "f32";  // target "": the format's own
  std::vector<std::string> tasks;
  SchemeFlags scheme;
  SampleFlags samples;
  EngineOptions engine;
  InputShapes input_shapes;
  std::optional<size_t> validate;
  std::string max_size;  // as it is written; "": none
  Bound bound;
  LabelFlags labels;
  KnownScaleFlags known;
  RecipeFlags recipe;
  bool explain = false, keep_unknown = false;
  Sharing sharing;  // not an option of this program: see cli/mpi
};

/// The file that is written.
std::string output_of(const QuantizeFlags& flags);

/// The bytes of --max-size, if it is given. Errors: those of parse_size.
std::optional<uint64_t> max_size_of(const QuantizeFlags& flags);

/// The target: files of integer operators are for our own engine, unless somebody says otherwise.
std::string target_of(const QuantizeFlags& flags);

/// How the file holds weights of few bits, if the options ask for any: --reduce-range does not, whose bits are few for
/// the sake of sums. Nothing: they ask for none.
std::optional<CodeForm> code_form_of(const QuantizeFlags& flags, const QuantizationScheme& scheme);

/// Errors: Error(kInvalidArgument) for options that cannot go together, all of them said before the long work starts.
void check_flags(const QuantizeFlags& flags);

/// Every file that will be written can be, and each is another one than all others. Errors: those of claim_output;
/// Error(kInvalidArgument) if two are the same.
void claim_outputs(const QuantizeFlags& flags, Console& console);

}  // namespace quantize
