// The fast form of Attention: both of its products are matrices'.
#include "core/ops/attention.h"

#include <algorithm>
#include <memory>

#include "core/engine/steps/matrix_product.h"

namespace quantize {

namespace {

enum : size_t { kQuery = 0, kKey = 1, kTensorValue = 2, kPastKey = 4 };

constexpr float kInf = std::numeric_limits<float>::infinity();

class AttentionStep {
 public:
  explicit AttentionStep(CompileContext& context)
      : e_(attention_extents(context.node, context.shape(kQuery), context.shape(kKey),
                             context.shape(kTensorValue),
                             context.node.input(kPastKey) == kNoValue ? Shape() : context.shape(kPastKey))),
        scores_(context.kernels, MatrixLayout::row_major(e_.q.length, e_.q.size),
                MatrixLayout::row_major(e_.total, e_.k.size).transposed()),
        result_(context.kernels, MatrixLayout::row_major(e_.q.length, e_.total),
                MatrixLayout::row_major(e_.total, e_.v.size)) {
    const double macs = static_cast<double>(e_.q.batch * e_.q.heads * e_.q.length) *
                        static_cast<double>(e_.total) * static_cast<double>(e_.q.size + e_.v.size);
    context.chunks = chunks_ = context.cut(kCoarseChunks, macs / 20, e_.units());
    context.scratch_bytes = std::max(scores_.scratch_bytes(), result_.scratch_bytes());
  }

  void run(const StepContext& call) const {
    const Attention attention(call);
    const UnitRange units = units_of(call, e_.units(), chunks_);
    for (int64_t unit = units.begin; unit < units.end; ++unit) {
      std::vector<float> keys = attention.keys(unit);
      const std::vector<float> values = attention.values(unit);
      for (float& key : keys) key *= attention.root();
      for (int64_t head = 0; head < e_.group(); ++head) attend(call, attention, {unit, head}, keys, values);
    }
  }

 private:
  struct Place {
    int64_t unit, head;
  };

  void attend(const StepContext& call, const Attention& attention, const Place& place,
              const std::vector<float>& keys, const std::vector<float>& values) const {
    const auto floats = [](int64_t rows, int64_t columns) {
      return std::vector<float>(static_cast<size_t>(rows * columns));
    };
    std::vector<float> queries = floats(e_.q.length, e_.q.size), scores = floats(e_.q.length, e_.total),
                       results = floats(e_.q.length, e_.v.size);
    for (int64_t step = 0; step < e_.q.length; ++step) {
      const float* from = attention.query(place.unit, place.head, step);
      std::transform(from, from + e_.q.size, queries.data() + step * e_.q.size,
                     [&](float x) { return x * attention.root(); });
    }
    scores_.run({.a = queries.data(), .b = keys.data(), .c = scores.data(), .low = -kInf, .high = kInf},
                call.scratch);
    for (int64_t step = 0; step < e_.q.length; ++step)
      attention.weigh(place.unit, place.head, step, scores.data() + step * e_.total);
    result_.run({.a = scores.data(), .b = values.data(), .c = results.data(), .low = -kInf, .high = kInf},
                call.scratch);
    for (int64_t step = 0; step < e_.q.length; ++step)
      std::copy_n(results.data() + step * e_.v.size, e_.v.size,
                  attention.result(place.unit, place.head, step));
  }

  AttentionExtents e_;
  MatrixProduct scores_, result_;
  size_t chunks_ = 1;
};

StepFunction compile_attention(CompileContext& context) {
  const auto step = std::make_shared<AttentionStep>(context);
  return [step](const StepContext& call) { step->run(call); };
}

}  // namespace

void add_attention_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "Attention", .domain = "", .compile = compile_attention});
}

}  // namespace quantize
