// Ctrl-C: a signal sets a flag, and the long loops ask for it.
#pragma once

#include <functional>
#include <string>

#include "core/error.h"

namespace quantize {

/// The error of a program that was interrupted.
Error interruption();

/// The error of a program that cannot read a mapped file of weights (onnx_io/external_data.h) any more.
Error lost_file();

/// From now on the first SIGINT or SIGTERM sets a flag, which the work below this folder asks for
/// (core/interrupt.h). A second one, or 0.7 seconds in which nothing has asked, as in a library's long call,
/// removes unfinished files, prints interruption() to stderr and its `on_stdout` to stdout, and ends the process at
/// once. So does SIGBUS with lost_file().
void catch_interrupts(const std::function<std::string(const Error&)>& on_stdout);

/// The work is over and what is left is to report: it is not cut short any more.
void end_by_itself();

/// Errors: Error(kInterrupted) if the flag is set, so that temporary files are removed on the way out.
void throw_if_interrupted();

}  // namespace quantize
