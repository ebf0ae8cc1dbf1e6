// quantize run: runs any model on images or tensors.
#pragma once

#include "cli/command.h"

namespace quantize {

extern const Command kRunCommand;

}  // namespace quantize
