// OpenMP, wrapped so that no exception leaves a parallel region.
#include "core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

namespace quantize {

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

}  // namespace quantize
