// OpenMP, wrapped so that no exception leaves a parallel region.
#include "core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

namespace quantize {

namespace {

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

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

StepTeam::StepTeam(std::vector<size_t> chunks) : chunks_(std::move(chunks)), progress_(chunks_.size()) {}

void StepTeam::run(int threads, Body body, void* context) {
  if (threads <= 1) {
    for (size_t s = 0; s < chunks_.size(); ++s) body(context, s, 0, chunks_[s]);
    return;
  }
  for (Progress& step : progress_) {
    step.claimed.store(0, std::memory_order_relaxed);
    step.ended.store(0, std::memory_order_relaxed);
  }
  failed_.store(false, std::memory_order_relaxed);
  error_ = nullptr;
#pragma omp parallel num_threads(threads)
  walk(body, context);
  if (error_) std::rethrow_exception(error_);
}

void StepTeam::walk(Body body, void* context) {
  constexpr int kSpins = 2000;  // about 30 microseconds of pauses: longer than most steps keep one waiting
  for (size_t s = 0; s < chunks_.size(); ++s) {
    take_part(s, body, context);
    for (int spins = 0; progress_[s].ended.load(std::memory_order_acquire) < chunks_[s]; ++spins) {
      if (failed_.load(std::memory_order_relaxed)) return;
      if (spins < kSpins)
        pause_briefly();
      else
        std::this_thread::yield();
    }
  }
}

/// Claims chunks until none is left. Only the thread that claimed a chunk may fail it, and the first that
/// fails alone writes the error.
void StepTeam::take_part(size_t step, Body body, void* context) {
  Progress& progress = progress_[step];
  for (;;) {
    if (progress.claimed.load(std::memory_order_relaxed) >= chunks_[step]) return;
    const size_t chunk = progress.claimed.fetch_add(1, std::memory_order_acq_rel);
    if (chunk >= chunks_[step]) return;
    try {
      body(context, step, chunk, chunk + 1);
    } catch (...) {
      if (!failed_.exchange(true)) error_ = std::current_exception();
      return;
    }
    progress.ended.fetch_add(1, std::memory_order_acq_rel);
  }
}

}  // namespace quantize
