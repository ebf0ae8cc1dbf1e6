// The one exception type of the program, and warnings, which are values.
#pragma once

#include <exception>
#include <string>
#include <vector>

namespace quantize {

/// The kind of an error; cli/exit_codes.h maps each to an exit code.
enum class ErrorKind {
  kInvalidArgument,  // an option or its value
  kInvalidModel,     // the model file breaks ONNX's rules
  kUnsupported,      // a legal model that this program cannot handle
  kIo,               // a file or directory
  kCalibration,      // calibration images or statistics
  kInterrupted,      // Ctrl-C
  kInternal,         // a defect of this program
};

/// "invalid_model", "io", ...: the name used in JSON.
const char* name_of(ErrorKind kind);

/// An error with the frames of context it passed through, innermost first:
/// "node 'conv1' (Conv, opset 13)", "model.onnx". An interrupt has none.
///
/// The message is one sentence: what is wrong and what to do. Thrown by core, calibration and onnx_io;
/// caught in cli/main.cpp only (and by parallel_for, which carries it out of its threads).
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) { compose(); }

  /// The same error with one more frame around it.
  Error& add_context(std::string frame) {
    context_.push_back(std::move(frame));
    compose();
    return *this;
  }

  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }
  const std::vector<std::string>& context() const { return context_; }

  /// "outermost: ...: innermost: message".
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  void compose();

  ErrorKind kind_;
  std::string message_;
  std::vector<std::string> context_;
  std::string what_;
};

/// Runs `body`; an Error that leaves it gets the frame that `frame()` makes.
template <typename Frame, typename Body>
decltype(auto) with_context(Frame&& frame, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    error.add_context(frame());
    throw;
  }
}

/// Warnings collected along the way; printed by cli at the end and listed in the JSON.
struct Diagnostics {
  std::vector<std::string> warnings;
  void warn(std::string message) { warnings.push_back(std::move(message)); }
};

}  // namespace quantize
