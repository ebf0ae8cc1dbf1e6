// quantize inspect: what is in a model file.
#pragma once

#include "cli/command.h"

namespace quantize {

extern const Command kInspectCommand;

}  // namespace quantize
