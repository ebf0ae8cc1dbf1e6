// Once a Program has run, running it again takes no memory from the heap: everything stands in its Workspace.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>

#include "core/engine/engine.h"
#include "core/passes/passes.h"
#include "onnx_io/onnx_io.h"
#include "tests/support/graph_builder.h"
#include "tests/support/quantized_graph.h"

namespace {

std::atomic<size_t> allocations{0};

/// Out of line, as release is, so that the compiler sees no `malloc` at the place of a `new`.
[[gnu::noinline]] void* allocate(size_t bytes, size_t alignment) {
  ++allocations;
  void* memory = alignment == 0
                     ? std::malloc(bytes == 0 ? 1 : bytes)
                     : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

/// Out of line, so that the compiler does not take `free` at the place of a `delete` for a mistake.
[[gnu::noinline]] void release(void* memory) {
  std::free(memory);
}

}  // namespace

// These replace the library's own for the whole test program; new[] and the other forms end up here. Where
// they are inlined in part, GCC warns that free does not go with new.
[[gnu::noinline]] void* operator new(size_t bytes) {
  return allocate(bytes, 0);
}
[[gnu::noinline]] void* operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  release(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  release(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  release(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  release(memory);
}

namespace quantize {

namespace {

void check_no_allocation(const Graph& graph) {
  const std::vector<Tensor> inputs = test::random_inputs(graph);
  std::vector<TensorView> views;
  std::vector<Shape> shapes;
  for (const Tensor& input : inputs) {
    views.push_back(input.view());
    shapes.push_back(input.shape());
  }
  for (const int threads : {1, 2}) {
    INFO("threads " << threads);
    Engine engine(graph, {.threads = threads});
    const auto program = engine.program(shapes);
    Workspace workspace(*program);
    for (int warm_up = 0; warm_up < 3; ++warm_up) program->run(views, workspace);
    const size_t before = allocations;
    for (int run = 0; run < 20; ++run) program->run(views, workspace);
    CHECK(allocations - before == 0);
  }
}

}  // namespace

TEST_CASE("an inference after the first allocates nothing") {
  REQUIRE(allocations > 0);  // the counter counts
  for (const char* name : {"lenet_fashion.onnx", "mobilenet_fashion.onnx"}) {
    INFO(name);
    Graph model = load_model(std::string(QUANTIZE_SOURCE_DIR "/data/") + name);
    for (ValueId id : model.inputs) model.value(id).shape->front() = 1;
    model = open_model(model);
    check_no_allocation(model);
    check_no_allocation(test::quantized_graph(model));
  }
}

}  // namespace quantize
