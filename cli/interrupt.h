// Ctrl-C: a signal sets a flag, and the long loops ask for it.
#pragma once

namespace quantize {

/// From now on the first SIGINT or SIGTERM only sets a flag; a second one removes unfinished files
/// and ends the process at once.
void catch_interrupts();

/// Errors: Error(kInterrupted) if the flag is set. Called between steps and for every sample, so that
/// temporary files are removed on the way out.
void throw_if_interrupted();

}  // namespace quantize
