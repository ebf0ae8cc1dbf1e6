// The signal handler and its flag.
#include "cli/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

#include "cli/exit_codes.h"
#include "core/atomic_file.h"
#include "core/error.h"

namespace quantize {

namespace {
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch lock-free atomics only");

void on_signal(int) {
  if (!interrupted.exchange(true)) return;
  AtomicFile::remove_unfinished();
  _exit(kExitInterrupted);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void throw_if_interrupted() {
  if (interrupted) throw Error(ErrorKind::kInterrupted, "interrupted; nothing was written");
}

}  // namespace quantize
