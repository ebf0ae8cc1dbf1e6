// The signal handler and its flag.
#include "cli/interrupt.h"

#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string_view>

#include "cli/exit_codes.h"
#include "core/atomic_file.h"
#include "core/error.h"
#include "core/interrupt.h"

namespace quantize {

namespace {
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch lock-free atomics only");

[[noreturn]] void end_now(int) {
  AtomicFile::remove_unfinished();
  constexpr std::string_view kLine = "\nerror: interrupted; unfinished files were removed\n";
  if (write(STDERR_FILENO, kLine.data(), kLine.size()) < 0) _exit(kExitInterrupted);
  _exit(kExitInterrupted);
}

void on_signal(int signal) {
  if (interrupted.exchange(true)) end_now(signal);
  constexpr itimerval kGrace = {.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = 700'000}};
  setitimer(ITIMER_REAL, &kGrace, nullptr);
}

}  // namespace

void catch_interrupts() {
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
  constexpr itimerval kNever = {};
  setitimer(ITIMER_REAL, &kNever, nullptr);
}

void throw_if_interrupted() {
  if (interrupted) throw Error(ErrorKind::kInterrupted, "interrupted; unfinished files were removed");
}

}  // namespace quantize
