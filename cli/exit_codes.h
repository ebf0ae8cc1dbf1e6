// Exit codes: a contract with scripts.
#pragma once

#include "core/error.h"

namespace quantize {

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

ExitCode exit_code_of(ErrorKind kind);

}  // namespace quantize
