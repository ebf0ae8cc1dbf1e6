// quantize lint: what a runtime will compute on integers.
#pragma once

#include "cli/command.h"

namespace quantize {

extern const Command kLintCommand;

}  // namespace quantize
