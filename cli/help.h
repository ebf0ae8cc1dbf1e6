// The text of --help.
#pragma once

#include <span>
#include <string>

#include "cli/command.h"

namespace quantize {

/// Options of this group have a line on the first screen of --help; --help-all shows the others too.
constexpr const char* kMainOptions = "Options";

/// The text of `quantize COMMAND --help`: a summary, an example, the usage, a line for each option of
/// kMainOptions and each option of the example, the names of the other options, and, for the default command,
/// the other commands. With `everything` each option has a line, by groups, and the command's topic follows.
std::string help_text(const CLI::App& app, const Command& command, std::span<const Command> commands,
                      bool everything);

}  // namespace quantize
