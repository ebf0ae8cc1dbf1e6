// The text of --help.
#pragma once

#include <span>
#include <string>

#include "cli/command.h"

namespace quantize {

/// Options of this group are worth a line on the first screen of --help; --help-all shows the others too.
constexpr const char* kMainOptions = "Options";

/// What `quantize COMMAND --help` prints: what it does, a real example, the options of kMainOptions a line
/// each and the names of the others (everything: those a line each too), and, for the default command, what
/// else there is.
std::string help_text(const CLI::App& app, const Command& command, std::span<const Command> commands,
                      bool everything);

}  // namespace quantize
