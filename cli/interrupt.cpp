// The signal handler and its flag.
#include "cli/interrupt.h"

#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string>
#include <string_view>

#include "cli/exit_codes.h"
#include "core/atomic_file.h"
#include "core/interrupt.h"

namespace quantize {

namespace {
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch lock-free atomics only");

struct Farewell {
  std::string on_stderr, on_stdout;
};

struct Farewells {
  Farewell interrupted, lost_file;
};

// Made before a signal can come, since a handler may take no memory, and never destroyed.
const Farewells* farewells = nullptr;

void print(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

[[noreturn]] void end_now(int signal) {
  AtomicFile::remove_unfinished();
  const Farewell& farewell = signal == SIGBUS ? farewells->lost_file : farewells->interrupted;
  print(STDERR_FILENO, farewell.on_stderr);
  print(STDOUT_FILENO, farewell.on_stdout);
  _exit(signal == SIGBUS ? kExitIo : kExitInterrupted);
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

Error lost_file() {
  return Error(
      ErrorKind::kIo,
      "a file of weights beside the model was cut off while it was in use; restore it and start again");
}

void catch_interrupts(const std::function<std::string(const Error&)>& on_stdout) {
  const auto farewell = [&](const Error& error) {
    return Farewell{std::string("\nerror: ") + error.what() + "\n", on_stdout(error)};
  };
  farewells = new Farewells{farewell(interruption()), farewell(lost_file())};
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = end_now;
  sigaction(SIGALRM, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
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
