// Models whose scales are known: --keep-scales and --import.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>

#include "calibration/scales/scale_file.h"
#include "cli/console.h"
#include "core/quantization/scheme.h"

namespace quantize {

/// Where scales come from; nothing set: they are found by calibrating.
struct KnownScaleFlags {
  bool keep = false;   // those that the model itself has
  std::string import;  // those of a file

  explicit operator bool() const { return keep || !import.empty(); }
};
/// --keep-scales and --import.
void add_known_scale_options(CLI::App& app, KnownScaleFlags& flags);

/// A float model and the scales of its values.
struct KnownSource {
  Graph graph;
  ScalesByValue scales;  // empty: none are known
};

/// The model as it is to be quantized: itself, or with --keep-scales its float form. Errors: those of float_form and
/// read_scales; Error(kInvalidArgument) where a float model is to keep scales, or where a quantized one has no wish.
KnownSource known_source(const KnownScaleFlags& flags, const std::string& file, Graph model);

/// How many scales the prepared graph took, and how many are of no value of it.
struct TakenScales {
  size_t taken = 0, left = 0;
};

/// Tells the scheme the scales and warns of those that are left. Errors: Error(kInvalidArgument) if all are.
TakenScales take_scales(const Graph& graph, const KnownSource& source, QuantizationScheme& scheme,
                        Diagnostics& diagnostics);

}  // namespace quantize
