// quantize targets: what each target says.
#pragma once

#include "cli/command.h"

namespace quantize {

extern const Command kTargetsCommand;

}  // namespace quantize
