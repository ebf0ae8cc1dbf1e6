// LSTM, GRU, RNN and DynamicQuantizeLSTM, as the engine runs them, against their reference on drawn forms.
#include <catch2/catch.hpp>
#include <random>

#include "core/engine/engine.h"
#include "tests/support/graph_builder.h"
#include "tests/support/quantized_graph.h"

using namespace quantize;
using test::GraphBuilder;

namespace {

using Strings = std::vector<std::string>;

/// A node whose form the seed decides.
struct Drawn {
  explicit Drawn(uint32_t seed, bool codes) : generator(seed) {
    op_type = codes ? "DynamicQuantizeLSTM" : Strings{"LSTM", "GRU", "RNN"}[seed % 3];
    is_lstm = op_type != "GRU" && op_type != "RNN";
    gates = is_lstm ? 4 : op_type == "GRU" ? 3 : 1;
    steps = among({1, 2, 7, 45});
    batch = among({1, 2, 5});
    hidden = among({1, 3, 16, 37});
    inputs = among({1, 4, 20});
    const std::string direction =
        Strings{"forward", "reverse", "bidirectional"}[static_cast<size_t>(among({0, 1, 2}))];
    directions = direction == "bidirectional" ? 2 : 1;
    attributes = {{"hidden_size", hidden}, {"direction", direction}};
    if (coin()) attributes["layout"] = int64_t{1};
    if (coin()) attributes["clip"] = 0.5f;
    if (coin()) attributes["linear_before_reset"] = int64_t{1};
    if (is_lstm && coin()) attributes["input_forget"] = int64_t{1};
    if (coin()) draw_functions();
  }

  bool coin() { return among({0, 1}) == 1; }
  int64_t among(const std::vector<int64_t>& choices) { return choices[generator() % choices.size()]; }

  /// The states of cells with such functions may grow, and their rounding errors with them: the sequence is short then.
  void draw_functions() {
    steps = std::min<int64_t>(steps, 7);
    const size_t count = (is_lstm ? 3 : op_type == "GRU" ? 2 : 1) * static_cast<size_t>(directions);
    const Strings all{"Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softsign", "ScaledTanh"};
    Strings names;
    for (size_t i = 0; i < count; ++i) names.push_back(all[generator() % all.size()]);
    attributes["activations"] = names;
    attributes["activation_alpha"] = std::vector<float>{0.3f, 0.7f};
  }

  bool batch_first() const { return attributes.count("layout") != 0; }
  Shape state() const {
    return batch_first() ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  }

  /// Constants of s8 codes [directions, size, rows], their scales and zero points, at the places of the operands.
  ValueId codes(int64_t size, std::vector<ValueId>& scale_and_zero) {
    const Shape shape{directions, size, gates * hidden};
    const Shape of_scale = coin() ? Shape{directions} : Shape{directions, gates * hidden};
    Tensor tensor(DataType::kS8, shape);
    for (int64_t i = 0; i < tensor.size(); ++i)
      tensor.mutable_data<int8_t>()[i] = static_cast<int8_t>(static_cast<int64_t>(generator() % 201) - 100);
    scale_and_zero.push_back(b.random("scale", of_scale, 0.002f, 0.006f));
    scale_and_zero.push_back(b.constant("zero", Tensor(DataType::kS8, of_scale)));
    return b.constant("codes", tensor);
  }

  Graph graph() {
    const int64_t rows = gates * hidden;
    const ValueId x = b.input("x", batch_first() ? Shape{batch, steps, inputs} : Shape{steps, batch, inputs});
    std::vector<ValueId> operands{x}, parameters;
    if (op_type == "DynamicQuantizeLSTM") {
      operands.push_back(codes(inputs, parameters));
      operands.push_back(codes(hidden, parameters));
    } else {
      operands.push_back(b.random("w", {directions, rows, inputs}, -0.5f, 0.5f));
      operands.push_back(b.random("r", {directions, rows, hidden}, -0.5f, 0.5f));
    }
    const auto optional = [&](auto make) { operands.push_back(coin() ? make() : kNoValue); };
    optional([&] { return b.random("b", {directions, 2 * rows}); });
    optional([&] {
      std::vector<int32_t> lengths;
      for (int64_t i = 0; i < batch; ++i) lengths.push_back(static_cast<int32_t>(generator() % (steps + 1)));
      return b.constant("lengths", Tensor::of<int32_t>({batch}, lengths));
    });
    optional([&] { return b.random("h", state()); });
    if (is_lstm) optional([&] { return b.random("c", state()); });
    if (is_lstm) optional([&] { return b.random("p", {directions, 3 * hidden}); });
    operands.insert(operands.end(), parameters.begin(), parameters.end());
    const std::vector<ValueId> outputs = b.nodes(op_type, operands, is_lstm ? 3 : 2, attributes);
    if (!parameters.empty()) {
      b.graph().nodes.back().domain = "com.microsoft";
      b.graph().info.opsets["com.microsoft"] = 1;
    }
    return b.build(outputs);
  }

  std::mt19937 generator;
  GraphBuilder b{14};
  std::string op_type;
  bool is_lstm;
  int64_t gates, steps, batch, hidden, inputs, directions;
  std::map<std::string, Attribute> attributes;
};

/// The largest difference of any output at any level, relative to numbers above 1, on one and on three threads, which must
/// give the same bytes.
double worst_difference(const Graph& graph) {
  const std::vector<Tensor> inputs = test::random_inputs(graph);
  const std::vector<Tensor> expected = test::reference_outputs(graph, inputs);
  double worst = 0;
  for (const Isa isa : supported_isas()) {
    Engine one(graph, {.kernels = &kernels_for(isa)}),
        three(graph, {.kernels = &kernels_for(isa), .threads = 3});
    const std::vector<Tensor> actual = one.run(inputs), shared = three.run(inputs);
    for (size_t i = 0; i < expected.size(); ++i) {
      CHECK(equal(actual[i], shared[i]));
      for (int64_t k = 0; k < expected[i].size(); ++k) {
        const float right = expected[i].data<float>()[k];
        const float difference =
            std::abs(actual[i].data<float>()[k] - right) / std::max(1.0f, std::abs(right));
        worst = difference <= worst ? worst : difference;  // a NaN stays
      }
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("LSTM, GRU, RNN: drawn forms, at every level, on several threads", "[steps]") {
  for (uint32_t seed = 0; seed < 120; ++seed) {
    INFO("seed " << seed);
    CHECK(worst_difference(Drawn(seed, false).graph()) <= 2e-5);
  }
}

// A sum that differs in its last bits may round to the next code.
TEST_CASE("DynamicQuantizeLSTM: drawn forms, at every level, on several threads", "[steps]") {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    INFO("seed " << seed);
    CHECK(worst_difference(Drawn(seed, true).graph()) <= 0.02);
  }
}
