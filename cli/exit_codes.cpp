// Maps exceptions to errors, and errors to exit codes.
#include "cli/exit_codes.h"

#include <new>

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

Error current_error() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(ErrorKind::kInternal, "out of memory; close other programs, or use fewer --threads");
  } catch (const std::exception& error) {
    return Error(ErrorKind::kInternal, std::string("internal error (") + error.what() +
                                           "); please report it with the command line and the model");
  }
}

}  // namespace quantize
