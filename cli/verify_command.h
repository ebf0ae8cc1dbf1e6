// quantize verify: how far a candidate is from its reference, and where.
#pragma once

#include "cli/command.h"

namespace quantize {

extern const Command kVerifyCommand;

}  // namespace quantize
