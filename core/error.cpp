// Composes the text of an Error.
#include "core/error.h"

namespace quantize {

const char* name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return "invalid_argument";
    case ErrorKind::kInvalidModel:
      return "invalid_model";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kIo:
      return "io";
    case ErrorKind::kCalibration:
      return "calibration";
    case ErrorKind::kInterrupted:
      return "interrupted";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "internal";
}

void Error::compose() {
  what_.clear();
  if (kind_ == ErrorKind::kInterrupted) context_.clear();  // it is no fault of what was being done
  for (auto frame = context_.rbegin(); frame != context_.rend(); ++frame) what_ += *frame + ": ";
  what_ += message_;
}

}  // namespace quantize
