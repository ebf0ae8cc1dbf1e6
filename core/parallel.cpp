// Loops run on threads that sleep in between (Helpers); the steps of an inference on those of OpenMP, wrapped so that
// no exception leaves a parallel region. Read Team::work for how steps are shared.
#include "core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

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

/// Where threads wait for what others do.
class Gate {
 public:
  void wake() {
    events_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) != 0) events_.notify_all();
  }

  /// Returns once the condition holds: whoever makes it hold calls wake(). Spins, since most waits are shorter than
  /// a system call; then lets others have the CPU; then sleeps, so that the system may bring a thread that it has put
  /// aside in the middle of a chunk to this CPU. Returns how long it did not want the CPU.
  template <typename Condition>
  Nanoseconds wait_until(const Condition& condition) {
    constexpr int kSpins = 2000, kYields = 20;
    for (int i = 0; i < kSpins; ++i) {
      if (condition()) return Nanoseconds(0);
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
    return Clock::now() - start;
  }

 private:
  alignas(64) std::atomic<uint32_t> events_{0};  // apart from the counters of its owner
  std::atomic<uint32_t> sleepers_{0};
};

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
    gate_.wake();
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
    asleep +=
        gate_.wait_until([&] { return step_of(at = position_.load(std::memory_order_acquire)) != step; });
    return at;
  }

  /// The last to leave wakes the caller, which waits here and not in the runtime's barrier, where it would
  /// keep the CPU that a late thread needs.
  void leave(int thread, int team_size) {
    const bool all = left_.fetch_add(1, std::memory_order_acq_rel) + 1 == team_size;
    if (all) gate_.wake();
    if (thread != 0) return;
    // All that is left to do is to leave.
    note_hold_up(gate_.wait_until([&] { return left_.load(std::memory_order_acquire) == team_size; }));
  }

  void note_hold_up(Nanoseconds time) {
    int64_t most = held_up_.load();
    while (time.count() > most && !held_up_.compare_exchange_weak(most, time.count())) {
    }
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
  Gate gate_;
};

/// Threads that help with loops and sleep in between: those of OpenMP spin for milliseconds after each, while the
/// caller does what only one thread can, and take the CPU from it or from other processes.
class Helpers {
 public:
  ~Helpers() {
    for (const auto& helper : helpers_) helper->stop();
  }

  /// Calls work(0) and, from other threads, work(1) to work(team - 1); returns when all have returned. In a loop
  /// within a loop, or while another thread is in one, calls work(0) alone. Requires: `work` does not throw, and
  /// work(0) does all that is left to do.
  void run(int team, const std::function<void(int)>& work) {
    if (team <= 1 || in_loop_) return work(0);
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return work(0);
    while (static_cast<int>(helpers_.size()) < team - 1)
      helpers_.push_back(std::make_unique<Helper>(*this, static_cast<int>(helpers_.size()) + 1));
    left_.store(0, std::memory_order_relaxed);
    for (int i = 0; i < team - 1; ++i) helpers_[static_cast<size_t>(i)]->begin(work);
    in_loop_ = true;
    work(0);
    in_loop_ = false;
    done_.wait_until([&] { return left_.load(std::memory_order_acquire) == team - 1; });
  }

 private:
  class Helper {
   public:
    Helper(Helpers& all, int number) : thread_([this, &all, number] { help(all, number); }) {}

    void begin(const std::function<void(int)>& work) {
      work_.store(&work, std::memory_order_release);
      gate_.wake();
    }
    void stop() {
      stopped_.store(true, std::memory_order_release);
      gate_.wake();
      thread_.join();
    }

   private:
    void help(Helpers& all, int number) {
      in_loop_ = true;
      for (;;) {
        const std::function<void(int)>* work = nullptr;
        gate_.wait_until([&] {
          work = work_.load(std::memory_order_acquire);
          return work != nullptr || stopped_.load(std::memory_order_acquire);
        });
        if (work == nullptr) return;
        work_.store(nullptr, std::memory_order_relaxed);
        (*work)(number);
        all.left_.fetch_add(1, std::memory_order_acq_rel);
        all.done_.wake();
      }
    }

    std::atomic<const std::function<void(int)>*> work_{nullptr};
    std::atomic<bool> stopped_{false};
    Gate gate_;
    std::thread thread_;  // the last to be made: it uses the others
  };

  static thread_local bool in_loop_;
  std::mutex mutex_;  // of whoever loops
  std::vector<std::unique_ptr<Helper>> helpers_;
  std::atomic<int> left_{0};  // helpers that have done their part
  Gate done_;
};

thread_local bool Helpers::in_loop_ = false;

Helpers& helpers() {
  static Helpers all;
  return all;
}

}  // namespace

int available_threads() {
  return std::max(1, omp_get_num_procs());
}

void parallel_for(size_t count, int threads, const std::function<void(size_t, int)>& body) {
  const int team = static_cast<int>(std::min<size_t>(static_cast<size_t>(std::max(1, threads)), count));
  std::atomic<size_t> next{0};
  std::exception_ptr first_error;
  std::mutex error_mutex;
  helpers().run(team, [&](int thread) {
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
  });
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
