// Maps errors to exit codes.
#include "cli/exit_codes.h"

namespace quantize {

ExitCode exit_code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return kExitUsage;
    case ErrorKind::kInvalidModel:
      return kExitInvalidModel;
    case ErrorKind::kUnsupported:
      return kExitUnsupported;
    case ErrorKind::kIo:
      return kExitIo;
    case ErrorKind::kCalibration:
      return kExitCalibration;
    case ErrorKind::kInterrupted:
      return kExitInterrupted;
    case ErrorKind::kInternal:
      return kExitInternal;
  }
  return kExitInternal;
}

}  // namespace quantize
