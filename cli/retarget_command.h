// quantize retarget: another dialect without images.
#pragma once

#include "cli/command.h"

namespace quantize {

extern const Command kRetargetCommand;

}  // namespace quantize
