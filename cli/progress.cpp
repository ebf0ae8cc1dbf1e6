// Rates, the time left, and the thread that shows them.
#include "cli/progress.h"

#include <cmath>
#include <cstdio>

#include "cli/interrupt.h"

namespace quantize {

namespace {

constexpr std::chrono::milliseconds kRefresh{100};
constexpr const char* kEraseLine = "\r\x1b[K";

std::string duration(double seconds) {
  const auto whole = static_cast<long>(std::ceil(seconds));
  char text[64];
  if (whole < 60)
    std::snprintf(text, sizeof text, "%ld s", whole);
  else
    std::snprintf(text, sizeof text, "%ld min %ld s", whole / 60, whole % 60);
  return text;
}

}  // namespace

// Strings are appended to: GCC 12 warns (-Wrestrict) of `literal + std::string` inlined at -O3.
std::string progress_line(const std::string& label, size_t done, size_t total, double seconds) {
  const bool has_total = total != 0 && done <= total;
  std::string line = label;
  if (done != 0 || has_total) line.append("  ").append(std::to_string(done));
  if (has_total) line.append("/").append(std::to_string(total));
  if (!has_total || done == 0) {
    if (seconds >= 1) line.append("  ").append(duration(std::floor(seconds)));
    return line;
  }
  if (seconds <= 0) return line;
  const double rate = static_cast<double>(done) / seconds;
  char text[32];
  std::snprintf(text, sizeof text, "  %.1f/s", rate);
  line.append(text);
  if (total > done)
    line.append("  ").append(duration(static_cast<double>(total - done) / rate)).append(" left");
  return line;
}

Progress::Progress(std::string label, ProgressStyle style) : label_(std::move(label)), style_(style) {
  if (style_ == ProgressStyle::kLog) next_ = start_ + kHeartbeat;
  if (style_ != ProgressStyle::kNone) thread_ = std::thread([this] { tick(); });
}

Progress::~Progress() {
  if (style_ == ProgressStyle::kNone) return;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stop_.notify_one();
  thread_.join();
  if (style_ == ProgressStyle::kTerminal) std::fputs(kEraseLine, stderr);
}

void Progress::tick() {
  std::unique_lock lock(mutex_);
  const auto interval = style_ == ProgressStyle::kTerminal
                            ? std::chrono::duration_cast<std::chrono::milliseconds>(kRefresh)
                            : std::chrono::duration_cast<std::chrono::milliseconds>(kHeartbeat);
  while (!stop_.wait_for(lock, interval, [this] { return stopped_; })) show();
}

void Progress::show() {
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  const bool terminal = style_ == ProgressStyle::kTerminal;
  next_ = now + (terminal ? Clock::duration(kRefresh) : Clock::duration(kHeartbeat));
  const double seconds = std::chrono::duration<double>(now - start_).count();
  std::fprintf(stderr, terminal ? "\r\x1b[K%s" : "%s\n",
               progress_line(label_, done_, total_, seconds).c_str());
  std::fflush(stderr);
}

void Progress::update(size_t done, size_t total) {
  throw_if_interrupted();
  if (style_ == ProgressStyle::kNone) return;
  const std::lock_guard lock(mutex_);
  done_ = done;
  total_ = total;
  if (style_ == ProgressStyle::kTerminal) show();
}

}  // namespace quantize
