// QLinearAdd and QLinearMul on pixels.
#include "core/engine/steps/pixel_steps.h"
#include "core/integer/integer_formulas.h"

namespace quantize {

namespace {

constexpr size_t kA = 0, kB = 3, kYScale = 6;  // inputs of QLinearAdd and QLinearMul

/// The shape of the second operand of a pair, compared with the first.
enum class Pairing { kNone, kSameShape, kPerChannel, kPerChannelFirst };

/// True for the shape [N or 1, C, 1, 1] beside the image [N, C, H, W].
bool is_channel_vector(const Shape& vector, const Shape& image) {
  return (vector[0] == image[0] || vector[0] == 1) && vector[1] == image[1] && vector[2] == 1 &&
         vector[3] == 1;
}

Pairing pairing_of(const Graph& graph, const Node& node) {
  if (!is_plain_u8(graph, node) || !is_u8_image(graph, node.inputs[kA]) ||
      !is_u8_image(graph, node.inputs[kB]) || !is_u8_image(graph, node.outputs[0]))
    return Pairing::kNone;
  const Shape &a = *graph.value(node.inputs[kA]).shape, &b = *graph.value(node.inputs[kB]).shape;
  if (a == b) return Pairing::kSameShape;
  if (is_channel_vector(b, a)) return Pairing::kPerChannel;
  return is_channel_vector(a, b) ? Pairing::kPerChannelFirst : Pairing::kNone;
}

/// The operands of a pair as they lie in memory: `wide` has the shape of the output.
struct PixelPair {
  explicit PixelPair(CompileContext& context)
      : pairing(pairing_of(context.graph, context.node)),
        a(context.storage_of(context.node.inputs[kA])),
        b(context.storage_of(context.node.inputs[kB])),
        y(context.storage_of(context.node.outputs[0])) {
    dense = pairing == Pairing::kSameShape && is_dense(a) && is_dense(b) && is_dense(y);
    chunks = context.cut(kFineChunks, static_cast<double>(y.rows() * y.width * y.channels) / 8, y.rows());
    context.chunks = chunks;
  }

  /// Calls body(a, b, y, bytes) for all runs of the rows in question, then fills y's border.
  template <typename Body>
  void for_each(const StepContext& run, Body body) const {
    const auto* a_data = static_cast<const uint8_t*>(run.inputs[kA].data);
    const auto* b_data = static_cast<const uint8_t*>(run.inputs[kB].data);
    auto* y_data = static_cast<uint8_t*>(run.outputs[0].data);
    const UnitRange rows = units_of(run, y.rows(), chunks);
    for_each_run(rows, y, dense, [&](const PixelRun& at) {
      body(a_data + offset(a, at, pairing == Pairing::kPerChannelFirst),
           b_data + offset(b, at, pairing == Pairing::kPerChannel), y_data + at.at(y), at.bytes);
    });
    fill_border(y, y_data, rows.begin, rows.end);
  }

  size_t offset(const Storage& storage, const PixelRun& at, bool is_vector) const {
    if (!is_vector) return at.at(storage);
    return storage.images == 1 ? 0 : static_cast<size_t>(at.row / y.height) * storage.image_stride;
  }

  Pairing pairing;
  Storage a, b, y;
  bool dense;
  size_t chunks;
};

AddU8 add_call(const Graph& graph, const Node& node) {
  return add_form(scalar_params(graph, node, kA + 1), scalar_params(graph, node, kB + 1),
                  scalar_params(graph, node, kYScale));
}

/// Tensors of any rank and one shape.
StepFunction compile_row_major_add(CompileContext& context) {
  const Graph& graph = context.graph;
  const Node& node = context.node;
  if (!is_plain_u8(graph, node) || context.shape(kA) != context.shape(kB)) return nullptr;
  return [call = add_call(graph, node)](const StepContext& run) {
    AddU8 block = call;
    block.a = run.inputs[kA].as<uint8_t>();
    block.b = run.inputs[kB].as<uint8_t>();
    block.y = run.outputs[0].as<uint8_t>();
    block.n = static_cast<size_t>(run.outputs[0].size());
    run.kernels.add_u8(block);
  };
}

/// Computed u8 images of one shape, or one of them a vector [N or 1, C, 1, 1]; constant scales.
bool takes_pixel_pair(const Graph& graph, const Node& node) {
  return pairing_of(graph, node) != Pairing::kNone;
}

StepFunction compile_qlinear_add(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return compile_row_major_add(context);
  return [pair = PixelPair(context), call = add_call(context.graph, context.node)](const StepContext& run) {
    pair.for_each(run, [&](const uint8_t* a, const uint8_t* b, uint8_t* y, size_t bytes) {
      AddU8 block = call;
      block.a = a;
      block.b = b;
      block.y = y;
      block.n = bytes;
      run.kernels.add_u8(block);
    });
  };
}

StepFunction compile_qlinear_mul(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return nullptr;
  const auto params = [&](size_t scale) { return scalar_params(context.graph, context.node, scale); };
  const MulU8 call = mul_form(params(kA + 1), params(kB + 1), params(kYScale));
  return [pair = PixelPair(context), call](const StepContext& run) {
    pair.for_each(run, [&](const uint8_t* a_run, const uint8_t* b_run, uint8_t* y_run, size_t bytes) {
      MulU8 block = call;
      block.a = a_run;
      block.b = b_run;
      block.y = y_run;
      block.n = bytes;
      run.kernels.mul_u8(block);
    });
  };
}

}  // namespace

void add_pixel_elementwise_steps(std::vector<EngineForm>& forms) {
  const PixelSupport pair_pixels = {.takes = takes_pixel_pair, .follows = true, .overwrites = {kA, kB}};
  forms.push_back({.op_type = "QLinearAdd",
                   .domain = "com.microsoft",
                   .compile = compile_qlinear_add,
                   .pixels = pair_pixels});
  forms.push_back({.op_type = "QLinearMul",
                   .domain = "com.microsoft",
                   .compile = compile_qlinear_mul,
                   .pixels = pair_pixels});
}

}  // namespace quantize
