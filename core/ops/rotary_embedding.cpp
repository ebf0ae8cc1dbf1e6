// RotaryEmbedding: pairs of elements of each head, turned by the angle of their position.
#include <cstring>

#include "core/ops/support/element_types.h"
#include "core/ops/support/index.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

/// x as [batch, heads, steps, size], by strides.
struct Layout {
  int64_t batch, heads, steps, size, batch_stride, head_stride, step_stride, turned;

  int64_t at(int64_t b, int64_t h, int64_t s) const {
    return b * batch_stride + h * head_stride + s * step_stride;
  }
};

Layout layout_of(const Node& node, Dims x) {
  require(x.size() == 3 || x.size() == 4,
          "the input has shape " + to_string(x) + " where 3 or 4 axes belong");
  Layout layout{};
  if (x.size() == 4) {
    layout = {x[0], x[1], x[2], x[3], x[1] * x[2] * x[3], x[2] * x[3], x[3], 0};
  } else {
    const int64_t heads = node.int_attribute("num_heads", 0);
    require(heads >= 1 && x[2] % heads == 0,
            std::to_string(heads) + " heads do not divide " + std::to_string(x[2]) + " elements");
    layout = {x[0], heads, x[1], x[2] / heads, x[1] * x[2], x[2] / heads, x[2], 0};
  }
  const int64_t turned = node.int_attribute("rotary_embedding_dim", 0);
  layout.turned = turned == 0 ? layout.size : turned;
  require(
      layout.turned >= 0 && layout.turned <= layout.size && layout.turned % 2 == 0,
      "rotary_embedding_dim is " + std::to_string(turned) + " for heads of " + std::to_string(layout.size));
  return layout;
}

void infer(InferContext& context) {
  for (size_t i = 0; i < 3; ++i) require_type(context, i, kF32Only);
  require_type(context, 3, kIndexTypes);
  const auto x = context.shape(0), cosines = context.shape(1), sines = context.shape(2),
             ids = context.shape(3);
  if (x && is_static(*x)) {
    const Layout layout = layout_of(context.node, *x);
    const size_t axes = context.has_input(3) ? 2 : 3;
    for (const auto& cache : {cosines, sines}) {
      if (!cache || !is_static(*cache)) continue;
      require(cache->size() == axes && cache->back() == layout.turned / 2 &&
                  (axes == 2 || ((*cache)[0] == layout.batch && (*cache)[1] == layout.steps)),
              "a cache of shape " + to_string(*cache) + " does not fit the input");
    }
    require(!cosines || !sines || *cosines == *sines, "the caches of cosines and sines differ in shape");
    require(!ids || !is_static(*ids) || *ids == Shape{layout.batch, layout.steps},
            "the positions do not fit the input");
  }
  infer_same_as_input(context);
}

void evaluate(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const Layout layout = layout_of(context.node, x.shape);
  const bool interleaved = context.node.int_attribute("interleaved", 0) != 0;
  const int64_t half = layout.turned / 2;
  std::vector<int64_t> rows;
  if (context.input(3)) rows = to_integers(context.inputs[3]);
  std::memcpy(context.outputs[0].data, x.data, byte_count(x.dtype, x.shape));
  for (int64_t b = 0; b < layout.batch; ++b)
    for (int64_t s = 0; s < layout.steps; ++s) {
      const int64_t step = b * layout.steps + s;
      const int64_t row =
          rows.empty() ? step : checked_index(rows[static_cast<size_t>(step)], context.inputs[1].shape[0]);
      const float* cosines = context.inputs[1].as<float>() + row * half;
      const float* sines = context.inputs[2].as<float>() + row * half;
      for (int64_t h = 0; h < layout.heads; ++h) {
        const float* from = x.as<float>() + layout.at(b, h, s);
        float* to = context.outputs[0].as<float>() + layout.at(b, h, s);
        for (int64_t i = 0; i < half; ++i) {
          const int64_t p = interleaved ? 2 * i : i, q = interleaved ? 2 * i + 1 : i + half;
          const float u = from[p], v = from[q];
          to[p] = cosines[i] * u - sines[i] * v;
          to[q] = sines[i] * u + cosines[i] * v;
        }
      }
    }
}

}  // namespace

void add_rotary_embedding(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "RotaryEmbedding",
                 .domain = "",
                 .min_opset = 23,
                 .max_opset = kNewestOpset,
                 .min_inputs = 3,
                 .max_inputs = 4,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
