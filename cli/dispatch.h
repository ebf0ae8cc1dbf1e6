// From the words of the command line to a command that runs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/command.h"

namespace quantize {

/// Picks the command that the first argument names (else the first of `commands`, the default one), parses
/// its options and runs it. The result is the exit code. Errors: Error(kInvalidArgument) for a command line
/// that makes no sense; whatever the command throws.
int run_command(std::span<const Command> commands, std::vector<std::string> arguments, Console& console);

}  // namespace quantize
