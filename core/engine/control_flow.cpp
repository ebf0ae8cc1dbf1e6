// Read ControlFlow::run_loop first.
#include "core/engine/control_flow.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/ops/control_flow.h"
#include "core/ops/support/operands.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

constexpr int64_t kMaxIterations = 10'000'000;
constexpr size_t kMaxStackedBytes = size_t{2} << 30;

/// The only element of a tensor.
template <typename T>
T scalar_of(const Tensor& tensor, const char* what) {
  if (tensor.dtype() != data_type_of<T>() || tensor.size() != 1)
    invalid_model(std::string("the ") + what + " is not one number of the right type");
  return *tensor.data<T>();
}

size_t normalized(int64_t axis, size_t rank) {
  return static_cast<size_t>(normalize_axes({axis}, rank)[0]);
}

/// x[..., i, ...] along an axis, which goes.
Tensor slice_of(const Tensor& x, size_t axis, int64_t i) {
  Shape shape = x.shape();
  const int64_t outer = extent_product(shape, 0, axis), extent = shape[axis];
  shape.erase(shape.begin() + static_cast<ptrdiff_t>(axis));
  Tensor slice(x.dtype(), shape);
  const size_t run = outer == 0 ? 0 : slice.byte_size() / static_cast<size_t>(outer);
  const auto* from = static_cast<const char*>(x.bytes());
  auto* to = static_cast<char*>(slice.mutable_bytes());
  for (int64_t o = 0; o < outer && run != 0; ++o)
    std::memcpy(to + static_cast<size_t>(o) * run, from + static_cast<size_t>(o * extent + i) * run, run);
  return slice;
}

/// Tensors of one shape, which iterations made one after the other.
class Stack {
 public:
  void add(Tensor tensor) {
    if (!parts_.empty() && (tensor.shape() != parts_[0].shape() || tensor.dtype() != parts_[0].dtype()))
      invalid_model("iterations make " + to_string(parts_[0].shape()) + " and " + to_string(tensor.shape()) +
                    ", which cannot be stacked");
    bytes_ += tensor.byte_size();
    if (bytes_ > kMaxStackedBytes)
      throw Error(ErrorKind::kUnsupported,
                  "the stacked results take more than 2 GiB; export the model with fewer iterations");
    parts_.push_back(std::move(tensor));
  }

  /// All of them along a new axis. `declared` is the type of one, where there is none.
  Tensor along(int64_t axis, bool reversed, const TensorType& declared) const {
    Shape shape = parts_.empty() ? declared.shape.value_or(Shape()) : parts_[0].shape();
    for (int64_t& extent : shape) extent = std::max<int64_t>(extent, 0);  // unknown ones
    const size_t place = normalized(axis, shape.size() + 1);
    const int64_t outer = extent_product(shape, 0, place);
    shape.insert(shape.begin() + static_cast<ptrdiff_t>(place), static_cast<int64_t>(parts_.size()));
    Tensor result(parts_.empty() ? declared.dtype : parts_[0].dtype(), shape);
    const size_t run = parts_.empty() || outer == 0 ? 0 : parts_[0].byte_size() / static_cast<size_t>(outer);
    auto* to = static_cast<char*>(result.mutable_bytes());
    for (int64_t o = 0; o < outer && run != 0; ++o)
      for (size_t i = 0; i < parts_.size(); ++i, to += run) {
        const Tensor& part = parts_[reversed ? parts_.size() - 1 - i : i];
        std::memcpy(to, static_cast<const char*>(part.bytes()) + static_cast<size_t>(o) * run, run);
      }
    return result;
  }

 private:
  std::vector<Tensor> parts_;
  size_t bytes_ = 0;
};

TensorType result_type(const Graph& body, size_t i) {
  const Value& value = body.value(body.outputs[i]);
  return {value.dtype, value.shape};
}

/// A number as a body declares its input: a scalar, or one element.
template <typename T>
Tensor counter(const Graph& body, size_t input, T value) {
  const auto& shape = body.value(body.inputs[input]).shape;
  return Tensor::of<T>(shape && shape->size() == 1 ? Shape{1} : Shape(), {value});
}

}  // namespace

ControlFlow::ControlFlow(const Graph& graph, const Node& node, const CompileOptions& options)
    : options_(options), node_(node), own_inputs_(node.inputs.size() - node.captures) {
  options_.keep.clear();
  for (auto& [key, attribute] : node.attributes) {
    if (!std::holds_alternative<Body>(attribute)) continue;
    Graph body = *std::get<Body>(attribute);
    Part& part = parts_[key];
    const size_t taken = body.inputs.size() - node.captures;
    std::vector<ValueId> inputs(body.inputs.begin(), body.inputs.begin() + static_cast<ptrdiff_t>(taken));
    for (size_t i = 0; i < node.captures; ++i) {
      const ValueId id = body.inputs[taken + i];
      if (const Tensor* constant = graph.constant(node.inputs[own_inputs_ + i])) {
        body.value(id).initializer = *constant;
      } else {
        inputs.push_back(id);
        part.captured.push_back(own_inputs_ + i);
      }
    }
    body.inputs = std::move(inputs);
    part.body = std::move(body);
    node_.attributes.erase(key);
  }
}

std::vector<Tensor> ControlFlow::run(const std::vector<Tensor>& inputs) {
  const auto kind = control_flow_of(node_);
  if (kind == ControlFlowKind::kIf) return run_if(inputs);
  return kind == ControlFlowKind::kLoop ? run_loop(inputs) : run_scan(inputs);
}

std::vector<Tensor> ControlFlow::run_body(Part& part, std::vector<Tensor> own,
                                          const std::vector<Tensor>& inputs) {
  check_interrupt();
  std::call_once(part.opened, [&] {
    part.engine = std::make_unique<Engine>(open_model(part.body), options_);
    for (Value& value : part.body.values) value.initializer = Tensor();
  });
  for (const size_t i : part.captured) own.push_back(inputs[i]);
  return part.engine->run(own);
}

std::vector<Tensor> ControlFlow::run_if(const std::vector<Tensor>& inputs) {
  const bool condition = scalar_of<bool>(inputs[0], "condition");
  return run_body(parts_.at(condition ? "then_branch" : "else_branch"), {}, inputs);
}

std::vector<Tensor> ControlFlow::run_loop(const std::vector<Tensor>& inputs) {
  const auto trips = scalar_of<int64_t>(inputs[0], "trip count");
  bool condition = scalar_of<bool>(inputs[1], "condition");
  Part& part = parts_.at("body");
  const Graph& body = part.body;
  const size_t states = own_inputs_ - 2;
  std::vector<Tensor> state;
  for (size_t i = 0; i < states; ++i) state.push_back(inputs[2 + i]);
  std::vector<Stack> stacks(body.outputs.size() - 1 - states);
  for (int64_t iteration = 0; iteration < trips && condition; ++iteration) {
    if (iteration == kMaxIterations)
      throw Error(ErrorKind::kUnsupported,
                  "the loop does not end within 10 million iterations; export it with a smaller trip count");
    std::vector<Tensor> own{counter(body, 0, iteration), counter(body, 1, condition)};
    own.insert(own.end(), state.begin(), state.end());
    std::vector<Tensor> results = run_body(part, std::move(own), inputs);
    condition = scalar_of<bool>(results[0], "condition");
    for (size_t i = 0; i < states; ++i) state[i] = std::move(results[1 + i]);
    for (size_t i = 0; i < stacks.size(); ++i) stacks[i].add(std::move(results[1 + states + i]));
  }
  for (size_t i = 0; i < stacks.size(); ++i)
    state.push_back(stacks[i].along(0, false, result_type(body, 1 + states + i)));
  return state;
}

std::vector<Tensor> ControlFlow::run_scan(const std::vector<Tensor>& inputs) {
  Part& part = parts_.at("body");
  const Graph& body = part.body;
  const auto slices = static_cast<size_t>(node_.int_attribute("num_scan_inputs", 0));
  const size_t states = own_inputs_ - slices, stacked = body.outputs.size() - states;
  const auto list = [&](const char* key, size_t count) {
    std::vector<int64_t> values = node_.ints_attribute(key, std::vector<int64_t>(count, 0));
    if (values.size() != count) invalid_model(std::string(key) + " has not one number per tensor");
    return values;
  };
  const auto axes = list("scan_input_axes", slices), backward = list("scan_input_directions", slices);
  const auto result_axes = list("scan_output_axes", stacked),
             reversed = list("scan_output_directions", stacked);
  std::vector<size_t> axis(slices);
  int64_t length = 0;
  for (size_t i = 0; i < slices; ++i) {
    const Shape& shape = inputs[states + i].shape();
    axis[i] = normalized(axes[i], shape.size());
    if (i != 0 && shape[axis[i]] != length) invalid_model("the inputs of the scan have different lengths");
    length = shape[axis[i]];
  }
  std::vector<Tensor> state(inputs.begin(), inputs.begin() + static_cast<ptrdiff_t>(states));
  std::vector<Stack> stacks(stacked);
  for (int64_t t = 0; t < length; ++t) {
    std::vector<Tensor> own = state;
    for (size_t i = 0; i < slices; ++i)
      own.push_back(slice_of(inputs[states + i], axis[i], backward[i] != 0 ? length - 1 - t : t));
    std::vector<Tensor> results = run_body(part, std::move(own), inputs);
    for (size_t i = 0; i < states; ++i) state[i] = std::move(results[i]);
    for (size_t i = 0; i < stacked; ++i) stacks[i].add(std::move(results[states + i]));
  }
  for (size_t i = 0; i < stacked; ++i)
    state.push_back(stacks[i].along(result_axes[i], reversed[i] != 0, result_type(body, states + i)));
  return state;
}

}  // namespace quantize
