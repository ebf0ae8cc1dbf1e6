// The signal handler and its flag.
#include "cli/interrupt.h"

#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string>
#include <string_view>
#include <utility>

#include "cli/exit_codes.h"
#include "core/atomic_file.h"
#include "core/interrupt.h"

namespace quantize {

namespace {
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch lock-free atomics only");

// For stdout. Made before a signal can come, since a handler may take no memory, and never destroyed.
const std::string* last_text = nullptr;

void print(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

[[noreturn]] void end_now(int) {
  AtomicFile::remove_unfinished();
  print(STDERR_FILENO, "\nerror: interrupted; unfinished files were removed\n");
  print(STDOUT_FILENO, *last_text);
  _exit(kExitInterrupted);
}

void on_signal(int signal) {
  if (interrupted.exchange(true)) end_now(signal);
  constexpr itimerval kGrace = {.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = 700'000}};
  setitimer(ITIMER_REAL, &kGrace, nullptr);
}

}  // namespace

Error interruption() {
  return Error(ErrorKind::kInterrupted, "interrupted; unfinished files were removed");
}

void catch_interrupts(std::string on_stdout) {
  last_text = new std::string(std::move(on_stdout));
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = end_now;
  sigaction(SIGALRM, &action, nullptr);
  set_interrupt_check(&throw_if_interrupted);
}

void end_by_itself() {
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_IGN);
  constexpr itimerval kNever = {};
  setitimer(ITIMER_REAL, &kNever, nullptr);
}

void throw_if_interrupted() {
  if (interrupted) throw interruption();
}

}  // namespace quantize
