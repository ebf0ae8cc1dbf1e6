// Rates and the time left.
#include "cli/progress.h"

#include <cmath>
#include <cstdio>

#include "cli/interrupt.h"

namespace quantize {

namespace {

constexpr std::chrono::milliseconds kRefresh{100};
constexpr const char* kEraseLine = "\r\x1b[K";

std::string time_left(double seconds) {
  const auto whole = static_cast<long>(std::ceil(seconds));
  if (whole < 60) return std::to_string(whole) + " s left";
  return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s left";
}

}  // namespace

std::string progress_line(const std::string& label, size_t done, size_t total, double seconds) {
  std::string line = label + "  " + std::to_string(done);
  if (total != 0) line += "/" + std::to_string(total);
  if (done == 0 || seconds <= 0) return line;
  const double rate = static_cast<double>(done) / seconds;
  char text[32];
  std::snprintf(text, sizeof text, "  %.1f/s", rate);
  line += text;
  if (total > done) line += "  " + time_left(static_cast<double>(total - done) / rate);
  return line;
}

Progress::Progress(std::string label, bool visible) : label_(std::move(label)), visible_(visible) {}

Progress::~Progress() {
  if (visible_) std::fputs(kEraseLine, stderr);
}

void Progress::update(size_t done, size_t total) {
  throw_if_interrupted();
  const Clock::time_point now = Clock::now();
  if (!visible_ || now < next_) return;
  next_ = now + kRefresh;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  std::fputs((kEraseLine + progress_line(label_, done, total, seconds)).c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace quantize
