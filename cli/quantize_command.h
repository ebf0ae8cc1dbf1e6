// quantize: the default command, an FP32 model and images to a quantized model.
#pragma once

#include "cli/command.h"
#include "cli/quantize_flags.h"

namespace quantize {

/// Quantizes as the options say, writes the model and reports. Errors: those of all that it does.
Report quantize(const QuantizeFlags& flags, Console& console);

extern const Command kQuantizeCommand;

}  // namespace quantize
