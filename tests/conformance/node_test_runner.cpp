// Runs a directory of ONNX node test cases in our engine, on every instruction set this CPU has.
//
//   node_test_runner DIR
//
// DIR/cases.txt has a line "NAME RTOL ATOL" per case; DIR/NAME holds model.onnx, input_<i>.pb and
// output_<i>.pb. Prints "NAME<TAB>passed", "NAME<TAB>failed<TAB>why" or "NAME<TAB>unsupported<TAB>why" per
// case.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "core/engine/engine.h"
#include "core/error.h"
#include "core/ops/support/convert_tensor.h"
#include "onnx_io/onnx_io.h"

namespace quantize {

namespace {

namespace fs = std::filesystem;

struct Case {
  std::string name;
  double rtol = 0, atol = 0;
};

std::vector<Case> read_cases(const fs::path& file) {
  std::ifstream lines(file);
  std::vector<Case> cases;
  for (Case next; lines >> next.name >> next.rtol >> next.atol;) cases.push_back(next);
  return cases;
}

std::vector<Tensor> read_tensors(const fs::path& folder, const std::string& stem) {
  std::vector<Tensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path file = folder / (stem + std::to_string(i) + ".pb");
    if (!fs::exists(file)) return tensors;
    tensors.push_back(load_tensor_proto(file.string()));
  }
}

bool is_half(DataType dtype) {
  return dtype == DataType::kF16 || dtype == DataType::kBF16;
}

/// Why `actual` is not `expected`; nothing if it is. A model of f16 runs in f32: its results are rounded.
std::optional<std::string> difference(Tensor actual, const Tensor& expected, const Case& test) {
  if (is_half(expected.dtype()) && actual.dtype() == DataType::kF32)
    actual = converted(actual, expected.dtype());
  if (actual.dtype() != expected.dtype())
    return "type " + std::string(name_of(actual.dtype())) + ", not " + std::string(name_of(expected.dtype()));
  if (actual.shape() != expected.shape())
    return "shape " + to_string(actual.shape()) + ", not " + to_string(expected.shape());
  const auto a = converted(actual, DataType::kF64).to_vector<double>(),
             e = converted(expected, DataType::kF64).to_vector<double>();
  for (size_t i = 0; i < a.size(); ++i) {
    const bool same = a[i] == e[i] || (std::isnan(a[i]) && std::isnan(e[i]));
    if (same || std::abs(a[i] - e[i]) <= test.atol + test.rtol * std::abs(e[i])) continue;
    std::ostringstream text;
    text << "element " << i << " is " << a[i] << ", not " << e[i];
    return text.str();
  }
  return std::nullopt;
}

/// The graph with the inputs from `first` on turned into constants: shapes, axes and scales must be known before
/// an Engine runs.
Graph with_constants(Graph graph, std::vector<Tensor>& inputs, size_t first) {
  for (size_t i = first; i < inputs.size(); ++i) graph.value(graph.inputs[i]).initializer = inputs[i];
  graph.inputs.resize(first);
  inputs.resize(first);
  return graph;
}

std::vector<Tensor> run_once(const Graph& graph, const std::vector<Tensor>& inputs, Isa isa) {
  Engine engine(graph, {.kernels = &kernels_for(isa)});
  return engine.run(inputs);
}

/// With as many inputs computed as the operator takes so: all, the first, none.
std::vector<Tensor> run(const Graph& graph, const std::vector<Tensor>& inputs, Isa isa) {
  for (const size_t computed : {inputs.size(), size_t{1}}) {
    if (computed > inputs.size()) continue;
    try {
      std::vector<Tensor> rest = inputs;
      const Graph partly_constant = with_constants(graph, rest, computed);
      return run_once(partly_constant, rest, isa);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kUnsupported) throw;
    }
  }
  std::vector<Tensor> none = inputs;
  const Graph constant = with_constants(graph, none, 0);
  return run_once(constant, none, isa);
}

std::optional<std::string> run_case(const fs::path& folder, const Case& test) {
  const Graph graph = load_model((folder / "model.onnx").string());
  std::vector<Tensor> inputs = read_tensors(folder, "input_");
  const std::vector<Tensor> expected = read_tensors(folder, "output_");
  for (size_t i = 0; i < inputs.size() && i < graph.inputs.size(); ++i)
    if (is_half(inputs[i].dtype()) && graph.value(graph.inputs[i]).dtype == DataType::kF32)
      inputs[i] = converted(inputs[i], DataType::kF32);
  for (const Isa isa : supported_isas()) {
    const std::vector<Tensor> outputs = run(graph, inputs, isa);
    if (outputs.size() != expected.size()) return std::to_string(outputs.size()) + " outputs";
    for (size_t i = 0; i < outputs.size(); ++i)
      if (const auto why = difference(outputs[i], expected[i], test))
        return std::string(name_of(isa)) + ": output " + std::to_string(i) + ": " + *why;
  }
  return std::nullopt;
}

std::string status_of(const fs::path& folder, const Case& test) {
  try {
    const auto why = run_case(folder / test.name, test);
    return why ? "failed\t" + *why : "passed";
  } catch (const Error& error) {
    const bool unsupported = error.kind() == ErrorKind::kUnsupported;
    return std::string(unsupported ? "unsupported\t" : "failed\t") + error.what();
  } catch (const std::exception& error) {
    return std::string("failed\t") + error.what();
  }
}

}  // namespace

}  // namespace quantize

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: node_test_runner DIR\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  for (const quantize::Case& test : quantize::read_cases(folder / "cases.txt"))
    std::cout << test.name << '\t' << quantize::status_of(folder, test) << '\n';
}
