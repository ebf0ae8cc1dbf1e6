// quantize export: the scales of a model as a file.
#pragma once

#include "cli/command.h"

namespace quantize {

extern const Command kExportCommand;

}  // namespace quantize
