// OpenMP, wrapped so that no exception leaves a parallel region. Read Team::work for how steps are shared.
#include "core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

namespace quantize {

namespace {

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// The threads of parallel_steps and where they are.
///
/// `position_` holds the step in its upper and the next free chunk in its lower half, so that one fetch_add
/// claims chunks of whichever step is the current one, however long the thread was away. Who finishes the
/// last chunk of a step publishes the next; whoever finds no chunk left waits for that.
class Team {
 public:
  Team(const TeamWork& work, int threads) : work_(work), threads_(static_cast<size_t>(threads)) {}

  void work(int thread) {
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
        at = wait_for_next(step);
      }
    }
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  static constexpr int kStepShift = 32;
  static constexpr uint64_t kChunkMask = (uint64_t{1} << kStepShift) - 1;
  static size_t step_of(uint64_t position) { return position >> kStepShift; }

  void do_chunks(size_t step, size_t begin, size_t end, size_t chunks, int thread) {
    guarded([&] { work_.run(work_.work, step, begin, end, thread); });
    if (done_.fetch_add(end - begin, std::memory_order_acq_rel) + end - begin < chunks) return;
    guarded([&] { work_.finish(work_.work, step); });
    done_.store(0, std::memory_order_relaxed);
    const uint64_t next = failed_.load(std::memory_order_acquire) ? work_.steps : step + 1;
    position_.store(next << kStepShift, std::memory_order_release);
    steps_begun_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) != 0) steps_begun_.notify_all();
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

  /// Spins, since most waits are shorter than a system call; then lets others have the CPU; then sleeps, so
  /// that the system may bring a thread that it has put aside in the middle of a chunk to this CPU.
  uint64_t wait_for_next(size_t step) {
    constexpr int kSpins = 2000, kYields = 100;
    uint64_t at = 0;
    const auto moved = [&] { return step_of(at = position_.load(std::memory_order_acquire)) != step; };
    for (int i = 0; i < kSpins; ++i) {
      if (moved()) return at;
      pause_cpu();
    }
    for (int i = 0; i < kYields; ++i) {
      if (moved()) return at;
      std::this_thread::yield();
    }
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    for (uint32_t seen = steps_begun_.load(std::memory_order_seq_cst); !moved();
         seen = steps_begun_.load(std::memory_order_seq_cst))
      steps_begun_.wait(seen, std::memory_order_seq_cst);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
    return at;
  }

  const TeamWork& work_;
  const size_t threads_;
  std::exception_ptr error_;
  std::atomic_flag error_taken_;
  std::atomic<bool> failed_{false};
  // What all threads write to stands apart, so that they do not take each other's cache line away.
  alignas(64) std::atomic<uint64_t> position_{0};
  alignas(64) std::atomic<size_t> done_{0};
  alignas(64) std::atomic<uint32_t> steps_begun_{0};
  std::atomic<uint32_t> sleepers_{0};
};

}  // namespace

int available_threads() {
  return std::max(1, omp_get_num_procs());
}

void parallel_for(size_t count, int threads, const std::function<void(size_t, int)>& body) {
  const int team = static_cast<int>(std::min<size_t>(static_cast<size_t>(std::max(1, threads)), count));
  if (team <= 1) {
    for (size_t i = 0; i < count; ++i) body(i, 0);
    return;
  }
  std::atomic<size_t> next{0};
  std::exception_ptr first_error;
  std::mutex error_mutex;
#pragma omp parallel num_threads(team)
  {
    const int thread = omp_get_thread_num();
    try {
      for (size_t i = next++; i < count; i = next++) body(i, thread);
    } catch (...) {
      const std::lock_guard lock(error_mutex);
      if (!first_error) first_error = std::current_exception();
      next = count;
    }
  }
  if (first_error) std::rethrow_exception(first_error);
}

void run_team(const TeamWork& work, int threads) {
  if (threads <= 1) {
    for (size_t step = 0; step < work.steps; ++step) {
      work.run(work.work, step, 0, work.chunks(work.work, step), 0);
      work.finish(work.work, step);
    }
    return;
  }
  Team team(work, threads);
#pragma omp parallel num_threads(threads)
  team.work(omp_get_thread_num());
  team.rethrow();
}

}  // namespace quantize
