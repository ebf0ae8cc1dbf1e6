// Threads. The only place of the program that knows OpenMP.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <vector>

namespace quantize {

/// Number of CPUs this process may use (its affinity mask), at least 1.
int available_threads();

/// Calls body(i, thread) for every i in [0, count), each exactly once, on up to `threads` threads; items are
/// claimed dynamically, in order. `thread` is in [0, threads). With one thread everything runs on the caller.
///
/// The first exception that a body throws ends the loop (items not begun are dropped) and is thrown again
/// here.
void parallel_for(size_t count, int threads, const std::function<void(size_t item, int thread)>& body);

/// Walks a fixed list of steps with a team of threads, again and again: one parallel region per walk, no lock
/// and no allocation in it.
///
/// Each step is a number of chunks that may run at once; a step begins when every chunk of the one before it
/// has ended. Chunks are claimed one by one, so that a thread which another process keeps from running holds
/// up at most the chunk it has, and waiting threads spin briefly, then give way.
class StepTeam {
 public:
  /// chunks[s]: how many step s has, at least 1.
  explicit StepTeam(std::vector<size_t> chunks);

  /// Calls body(context, s, begin, end) for ranges of chunks that make up every step. With one thread each
  /// step is one range and the caller does all. Not to be called twice at once. The first exception of a body
  /// ends the walk and is thrown again here.
  using Body = void (*)(void* context, size_t step, size_t begin, size_t end);
  void run(int threads, Body body, void* context);

 private:
  void walk(Body body, void* context);
  void take_part(size_t step, Body body, void* context);

  struct Progress {
    std::atomic<uint32_t> claimed{0}, ended{0};
  };
  std::vector<size_t> chunks_;
  std::vector<Progress> progress_;
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
};

}  // namespace quantize
