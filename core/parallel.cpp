// OpenMP, wrapped so that no exception leaves a parallel region. Read Team::work for how steps are shared.
#include "core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <exception>
#include <mutex>
#include <thread>

#include "core/interrupt.h"

namespace quantize {

namespace {

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

using Clock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::nanoseconds;

Nanoseconds cpu_time_of_this_thread() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + Nanoseconds(time.tv_nsec);
}

/// Whether the system gives this process the CPUs that it asks for.
class Crowding {
 public:
  bool is_over() const {
    return Clock::now().time_since_epoch().count() >= until_.load(std::memory_order_relaxed);
  }

  /// A team took `elapsed`, of which one of its threads wanted a CPU for `held_up` and had none.
  void note(Nanoseconds elapsed, Nanoseconds held_up) {
    using std::chrono::milliseconds;
    if (held_up < milliseconds(1) || held_up < elapsed / 8) {
      pause_.store(0, std::memory_order_relaxed);
      return;
    }
    const Nanoseconds next = std::clamp<Nanoseconds>(2 * Nanoseconds(pause_.load(std::memory_order_relaxed)),
                                                     milliseconds(40), milliseconds(320));
    pause_.store(next.count(), std::memory_order_relaxed);
    until_.store((Clock::now() + next).time_since_epoch().count(), std::memory_order_relaxed);
  }

 private:
  std::atomic<int64_t> until_{0}, pause_{0};  // in nanoseconds
};

Crowding crowding;

/// The threads of parallel_steps and where they are.
///
/// `position_` holds the step in its upper and the next free chunk in its lower half, so that one fetch_add
/// claims chunks of whichever step is the current one, however long the thread was away. Who finishes the
/// last chunk of a step publishes the next; whoever finds no chunk left waits for that.
class Team {
 public:
  Team(const TeamWork& work, int threads) : work_(work), threads_(static_cast<size_t>(threads)) {}

  void work(int thread, int team_size) {
    const Nanoseconds cpu_before = cpu_time_of_this_thread();
    Nanoseconds asleep{0};
    walk(thread, asleep);
    const Nanoseconds busy = cpu_time_of_this_thread() - cpu_before;
    // The rest is waiting for a CPU; it begins when the team does, for a thread that comes late.
    note_hold_up(Clock::now() - start_ - busy - asleep);
    leave(thread, team_size);
  }

  void note() const { crowding.note(Clock::now() - start_, Nanoseconds(held_up_.load())); }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  static constexpr int kStepShift = 32;
  static constexpr uint64_t kChunkMask = (uint64_t{1} << kStepShift) - 1;
  static size_t step_of(uint64_t position) { return position >> kStepShift; }

  void walk(int thread, Nanoseconds& asleep) {
    for (uint64_t at = position_.load(std::memory_order_acquire); step_of(at) < work_.steps;) {
      const size_t wanted = std::max<size_t>(1, work_.chunks(work_.work, step_of(at)) / (8 * threads_));
      at = position_.fetch_add(wanted, std::memory_order_acq_rel);
      const size_t step = step_of(at), begin = at & kChunkMask;
      if (step >= work_.steps) return;
      const size_t chunks = work_.chunks(work_.work, step);
      if (begin < chunks) {
        do_chunks(step, begin, std::min(begin + wanted, chunks), chunks, thread);
        at = position_.load(std::memory_order_acquire);
      } else {
        at = wait_for_next(step, asleep);
      }
    }
  }

  void do_chunks(size_t step, size_t begin, size_t end, size_t chunks, int thread) {
    guarded([&] {
      check_interrupt();
      work_.run(work_.work, step, begin, end, thread);
    });
    if (done_.fetch_add(end - begin, std::memory_order_acq_rel) + end - begin < chunks) return;
    guarded([&] { work_.finish(work_.work, step); });
    done_.store(0, std::memory_order_relaxed);
    const uint64_t next = failed_.load(std::memory_order_acquire) ? work_.steps : step + 1;
    position_.store(next << kStepShift, std::memory_order_release);
    wake();
  }

  /// After a failure nothing is begun any more, but everything still counts as done, so that nobody waits
  /// forever.
  template <typename Body>
  void guarded(const Body& body) {
    if (failed_.load(std::memory_order_acquire)) return;
    try {
      body();
    } catch (...) {
      if (!error_taken_.test_and_set()) error_ = std::current_exception();
      failed_.store(true, std::memory_order_release);
    }
  }

  uint64_t wait_for_next(size_t step, Nanoseconds& asleep) {
    uint64_t at = 0;
    wait_until([&] { return step_of(at = position_.load(std::memory_order_acquire)) != step; }, asleep);
    return at;
  }

  /// The last to leave wakes the caller, which waits here and not in the runtime's barrier, where it would
  /// keep the CPU that a late thread needs.
  void leave(int thread, int team_size) {
    const bool all = left_.fetch_add(1, std::memory_order_acq_rel) + 1 == team_size;
    if (all) wake();
    if (thread != 0) return;
    Nanoseconds asleep{0};
    wait_until([&] { return left_.load(std::memory_order_acquire) == team_size; }, asleep);
    note_hold_up(asleep);  // all that is left to do is to leave
  }

  void note_hold_up(Nanoseconds time) {
    int64_t most = held_up_.load();
    while (time.count() > most && !held_up_.compare_exchange_weak(most, time.count())) {
    }
  }

  void wake() {
    events_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) != 0) events_.notify_all();
  }

  /// Spins, since most waits are shorter than a system call; then lets others have the CPU; then sleeps, so
  /// that the system may bring a thread that it has put aside in the middle of a chunk to this CPU.
  template <typename Condition>
  void wait_until(const Condition& condition, Nanoseconds& asleep) {
    constexpr int kSpins = 2000, kYields = 20;
    for (int i = 0; i < kSpins; ++i) {
      if (condition()) return;
      pause_cpu();
    }
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < kYields && !condition(); ++i) std::this_thread::yield();
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    for (;;) {
      const uint32_t seen = events_.load(std::memory_order_seq_cst);
      if (condition()) break;
      events_.wait(seen, std::memory_order_seq_cst);
    }
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
    asleep += Clock::now() - start;
  }

  const TeamWork& work_;
  const size_t threads_;
  const Clock::time_point start_ = Clock::now();
  std::atomic<int> left_{0};
  std::atomic<int64_t> held_up_{0};  // nanoseconds, of the thread that waited longest for a CPU
  std::exception_ptr error_;
  std::atomic_flag error_taken_;
  std::atomic<bool> failed_{false};
  // Counters that all threads write to stand apart, so that they do not take each other's cache line away.
  alignas(64) std::atomic<uint64_t> position_{0};
  alignas(64) std::atomic<size_t> done_{0};
  alignas(64) std::atomic<uint32_t> events_{0};
  std::atomic<uint32_t> sleepers_{0};
};

}  // namespace

int available_threads() {
  return std::max(1, omp_get_num_procs());
}

void parallel_for(size_t count, int threads, const std::function<void(size_t, int)>& body) {
  const int team = static_cast<int>(std::min<size_t>(static_cast<size_t>(std::max(1, threads)), count));
  if (team <= 1) {
    for (size_t i = 0; i < count; ++i) {
      check_interrupt();
      body(i, 0);
    }
    return;
  }
  std::atomic<size_t> next{0};
  std::exception_ptr first_error;
  std::mutex error_mutex;
#pragma omp parallel num_threads(team)
  {
    const int thread = omp_get_thread_num();
    try {
      for (size_t i = next++; i < count; i = next++) {
        check_interrupt();
        body(i, thread);
      }
    } catch (...) {
      const std::lock_guard lock(error_mutex);
      if (!first_error) first_error = std::current_exception();
      next = count;
    }
  }
  if (first_error) std::rethrow_exception(first_error);
}

int worthwhile_threads(int threads) {
  return crowding.is_over() ? threads : 1;
}

void run_team(const TeamWork& work, int threads) {
  if (threads <= 1) {
    for (size_t step = 0; step < work.steps; ++step) {
      check_interrupt();
      work.run(work.work, step, 0, work.chunks(work.work, step), 0);
      work.finish(work.work, step);
    }
    return;
  }
  Team team(work, threads);
#pragma omp parallel num_threads(threads)
  team.work(omp_get_thread_num(), omp_get_num_threads());
  team.note();
  team.rethrow();
}

}  // namespace quantize
