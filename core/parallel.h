// Threads. The only place of the program that knows OpenMP.
#pragma once

#include <cstddef>
#include <functional>

namespace quantize {

/// Number of CPUs this process may use (its affinity mask), at least 1.
int available_threads();

/// Calls body(i, thread) for every i in [0, count), each exactly once, on up to `threads` threads; items are
/// claimed dynamically, in order. `thread` is in [0, threads). With one thread everything runs on the caller, as it
/// does in a loop within a loop and while another thread is in one.
///
/// The first exception that a body throws ends the loop (items not begun are dropped) and is thrown again
/// here. So is what check_interrupt() throws, which is asked before each item.
void parallel_for(size_t count, int threads, const std::function<void(size_t item, int thread)>& body);

/// How many of `threads` parallel_steps should use now: all of them, or one for a while after other processes
/// kept some of them from running, since then waiting costs more than help is worth. Tried again after 40 to
/// 320 milliseconds.
int worthwhile_threads(int threads);

/// parallel_steps without its template: the functions get `work` back.
struct TeamWork {
  size_t steps = 0;
  const void* work = nullptr;
  size_t (*chunks)(const void* work, size_t step) = nullptr;
  void (*run)(const void* work, size_t step, size_t chunk_begin, size_t chunk_end, int thread) = nullptr;
  void (*finish)(const void* work, size_t step) = nullptr;
};
void run_team(const TeamWork& work, int threads);

/// Does steps one after another, the chunks of each on up to `threads` threads: one team for all the steps,
/// much cheaper than a parallel_for per step. `Work` has
///
///   size_t chunks(size_t step) const                                how many chunks a step has, at least 1
///   void run(size_t step, size_t begin, size_t end, int thread) const    does the chunks [begin, end)
///   void finish(size_t step) const                                       runs alone, behind the last chunk
///
/// Every chunk is done exactly once, after all of the step before has finished; which thread does it is
/// decided dynamically, `thread` is in [0, threads). With one thread everything runs on the caller and every
/// step is one call of `run`. A thread that the system has put aside holds up no other, unless it is in the
/// middle of a chunk.
///
/// The first exception that a function, or check_interrupt() before a step, throws ends the work and is
/// thrown again here.
template <typename Work>
void parallel_steps(size_t steps, int threads, const Work& work) {
  run_team({.steps = steps,
            .work = &work,
            .chunks = [](const void* w, size_t step) { return static_cast<const Work*>(w)->chunks(step); },
            .run = [](const void* w, size_t step, size_t begin, size_t end,
                      int thread) { static_cast<const Work*>(w)->run(step, begin, end, thread); },
            .finish = [](const void* w, size_t step) { static_cast<const Work*>(w)->finish(step); }},
           threads);
}

}  // namespace quantize
