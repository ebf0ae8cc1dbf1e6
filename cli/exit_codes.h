// Exit codes: a contract with scripts.
#pragma once

#include "core/error.h"

namespace quantize {

/// The exit codes of the program; their numbers never change.
enum ExitCode {
  kExitOk = 0,
  kExitCheckFailed = 1,
  kExitUsage = 2,
  kExitInvalidModel = 3,
  kExitUnsupported = 4,
  kExitIo = 5,
  kExitCalibration = 6,
  kExitInternal = 70,
  kExitInterrupted = 130,
};

/// The exit code of an error of this kind.
ExitCode exit_code_of(ErrorKind kind);

/// The std::exception that is being handled, as an Error that a user can read. Requires: within its catch clause.
Error current_error();

}  // namespace quantize
