// Writes the graphs of tests/suites for ONNX Runtime.
//
//   suite_writer FOLDER
//
// FOLDER/NAME.fp32.onnx, NAME.TARGET.qdq.onnx and NAME.TARGET.int8.onnx, NAME.generic.reference.onnx; beside each,
// X.in_INPUT.npy and X.out_i.npy: what our engine computes of the inputs. Prints X, one a line.
#include <filesystem>
#include <iostream>

#include "calibration/images/npy.h"
#include "core/integer/lowering.h"
#include "core/integer/standard/spell_out.h"
#include "core/passes/passes.h"
#include "onnx_io/onnx_io.h"
#include "tests/suites/graphs.h"
#include "tests/support/quantized_graph.h"

namespace quantize::test {

namespace {

void write(const Graph& graph, const std::string& path) {
  save_model(graph, path + ".onnx");
  const std::vector<Tensor> inputs = random_inputs(graph, kSuiteInputs), outputs = run_graph(graph, inputs);
  for (size_t i = 0; i < inputs.size(); ++i)
    save_npy(path + ".in_" + graph.value(graph.inputs[i]).name + ".npy", inputs[i].view());
  for (size_t i = 0; i < outputs.size(); ++i)
    save_npy(path + ".out_" + std::to_string(i) + ".npy", outputs[i].view());
  std::cout << std::filesystem::path(path).filename().string() << '\n';
}

}  // namespace

void write_suite(const std::string& folder) {
  for (const SuiteGraph& entry : suite_graphs()) {
    const std::string path = folder + "/" + entry.name;
    Graph graph = entry.build();
    infer_shapes(graph);
    write(graph, path + ".fp32");
    const Graph source = open_model(graph);
    for (const TargetProfile* target : all_targets()) {
      const Graph qdq = quantized_graph(source, target->name);
      write(qdq, path + "." + target->name + ".qdq");
      const Graph int8 = lower_to_qoperator(qdq, {}, Runtime::kAny);
      write(int8, path + "." + target->name + ".int8");
      if (target == &find_target("generic")) write(spell_out_integers(int8), path + ".generic.reference");
    }
  }
}

}  // namespace quantize::test

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: suite_writer FOLDER\n";
    return 2;
  }
  quantize::test::write_suite(argv[1]);
}
