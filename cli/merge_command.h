// quantize merge: adds statistics files.
#pragma once

#include "cli/command.h"

namespace quantize {

extern const Command kMergeCommand;

}  // namespace quantize
