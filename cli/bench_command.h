// quantize bench: how fast.
#pragma once

#include "cli/command.h"

namespace quantize {

extern const Command kBenchCommand;

}  // namespace quantize
