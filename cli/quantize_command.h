// quantize: the default command, an FP32 model and images to a quantized model.
#pragma once

#include <memory>

#include "cli/command.h"
#include "cli/quantize_flags.h"

namespace quantize {

/// Quantizes as the options say, writes the model and reports. Errors: those of all that it does.
/// For a member of a team that does not lead: the report of nothing, after its share of the calibration.
Report quantize(const QuantizeFlags& flags, Console& console);

/// Adds every option of the command, whose values `flags` gets; the result runs it with these.
CommandBody define_quantize(CLI::App& app, const std::shared_ptr<QuantizeFlags>& flags);

extern const Command kQuantizeCommand;

}  // namespace quantize
