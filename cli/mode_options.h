// The options that say in which mode each node is made smaller.
#pragma once

#include "cli/command.h"
#include "cli/scheme_options.h"

namespace quantize {

/// --mode, --rest and --weight-block.
void add_mode_options(CLI::App& app, SchemeFlags& flags);

/// Puts the modes and the type of the rest into the scheme. Errors: Error(kInvalidArgument) for a name that is no mode, for two modes of all
/// nodes, and for an option that no mode of them takes.
void set_modes(const SchemeFlags& flags, QuantizationScheme& scheme);

/// True if the options ask for what ranges decide, so that samples are needed. Errors: those of set_modes for modes.
bool takes_ranges(const SchemeFlags& flags);

/// True if some node is to be computed on integers.
bool asks_for_integers(const SchemeFlags& flags);

}  // namespace quantize
