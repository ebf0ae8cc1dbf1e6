// Threads. The only place of the program that knows OpenMP.
#pragma once

#include <cstddef>
#include <functional>

namespace quantize {

/// Number of CPUs this process may use (its affinity mask), at least 1.
int available_threads();

/// Calls body(i, thread) for every i in [0, count), each exactly once, on up to `threads` threads; items are
/// claimed dynamically, in order. `thread` is in [0, threads). With one thread everything runs on the caller.
///
/// The first exception that a body throws ends the loop (items not begun are dropped) and is thrown again
/// here.
void parallel_for(size_t count, int threads, const std::function<void(size_t item, int thread)>& body);

}  // namespace quantize
