// Ctrl-C: a signal sets a flag, and the long loops ask for it.
#pragma once

#include <string>

#include "core/error.h"

namespace quantize {

/// The error of a program that was interrupted.
Error interruption();

/// From now on the first SIGINT or SIGTERM sets a flag, which the work below this folder asks for
/// (core/interrupt.h). A second one, or 0.7 seconds in which nothing has asked, as in a library's long call,
/// removes unfinished files, prints `on_stdout` to stdout and ends the process at once.
void catch_interrupts(std::string on_stdout);

/// The work is over and what is left is to report: it is not cut short any more.
void end_by_itself();

/// Errors: Error(kInterrupted) if the flag is set, so that temporary files are removed on the way out.
void throw_if_interrupted();

}  // namespace quantize
