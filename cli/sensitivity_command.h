// quantize sensitivity: which layers lose how much by being quantized.
#pragma once

#include "cli/command.h"

namespace quantize {

extern const Command kSensitivityCommand;

}  // namespace quantize
