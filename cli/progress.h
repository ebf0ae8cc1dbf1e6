// A line that says how far the work is.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>

namespace quantize {

/// "calibrating  120/256  46.8/s  3 s left". Without a total (0, or one that was passed): "trying  7  12 s",
/// the time that has gone by; before anything is done: "calibrating  2 s".
std::string progress_line(const std::string& label, size_t done, size_t total, double seconds);

/// Where progress is shown.
enum class ProgressStyle {
  kNone,
  kTerminal,  // one line, rewritten ten times a second, also while nothing is reported, and erased in the end
  kLog,       // a new line every kHeartbeat, so that somebody who reads a log knows that the program lives
};

/// Shows progress_line on stderr from its construction to its destruction. `update` from one thread at a
/// time.
class Progress {
 public:
  Progress(std::string label, ProgressStyle style);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Errors: those of throw_if_interrupted.
  void update(size_t done, size_t total);

  static constexpr std::chrono::seconds kHeartbeat{15};

 private:
  using Clock = std::chrono::steady_clock;
  void show();  // requires: mutex_ is held
  void tick();  // of thread_, until stopped_

  const std::string label_;
  const ProgressStyle style_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point next_ = start_;  // no earlier than this is anything shown
  size_t done_ = 0, total_ = 0;
  bool stopped_ = false;
  std::mutex mutex_;
  std::condition_variable stop_;
  std::thread thread_;
};

}  // namespace quantize
