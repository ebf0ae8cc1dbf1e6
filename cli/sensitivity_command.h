// quantize sensitivity: images to a statistics file.
#pragma once

#include "cli/command.h"

namespace quantize {

extern const Command kSensitivityCommand;

}  // namespace quantize
