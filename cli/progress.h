// The line that is rewritten while samples go by.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace quantize {

/// "calibrating  120/256  46.8/s  3 s left"; the total may be 0 for unknown.
std::string progress_line(const std::string& label, size_t done, size_t total, double seconds);

/// Shows progress_line on stderr if that is a terminal, ten times a second at most, and erases it in the end.
/// Not thread-safe.
class Progress {
 public:
  Progress(std::string label, bool visible);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Errors: those of throw_if_interrupted.
  void update(size_t done, size_t total);

 private:
  using Clock = std::chrono::steady_clock;
  std::string label_;
  bool visible_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point next_ = start_;
};

}  // namespace quantize
