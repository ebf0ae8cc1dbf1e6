// The suite: small graphs, each run by every runtime there is.
#pragma once

#include <span>

#include "core/graph.h"

namespace quantize::test {

/// One graph: all shapes static, inputs of f32, opset 21. Layers of weights stand around what it is about, so that a
/// target can quantize it.
struct SuiteGraph {
  const char* name;  // as a file is called
  Graph (*build)();
};

/// All graphs. To add one: a function in graphs.cpp and its line in the list at the end.
std::span<const SuiteGraph> suite_graphs();

/// Random inputs of a graph, and others for its ranges.
constexpr uint32_t kSuiteInputs = 7;

}  // namespace quantize::test
