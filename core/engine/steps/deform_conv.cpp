// The fast form of DeformConv: the moved taps of a block of the output, and one product.
#include "core/ops/deform_conv.h"

#include <memory>

#include "core/engine/steps/step.h"

namespace quantize {

namespace {

enum Input : size_t { kX, kWeights, kOffset, kBias, kMask };

constexpr int64_t kBlock = 256;  // positions of the output that are multiplied together

class DeformConv {
 public:
  explicit DeformConv(CompileContext& context, const Tensor& weights)
      : taps_(context.node, context.shape(kX), weights.shape()),
        group_(context.node.int_attribute("group", 1)),
        outputs_(weights.shape()[0] / group_),
        depth_(weights.shape()[1] * taps_.taps()),
        blocks_((taps_.places() + kBlock - 1) / kBlock) {
    const auto m = static_cast<size_t>(outputs_), k = static_cast<size_t>(depth_);
    panel_ = packed_gemm_a_bytes(context.kernels, m, k) / sizeof(float);
    packed_ = Tensor(DataType::kF32, {group_, static_cast<int64_t>(panel_)});
    for (int64_t g = 0; g < group_; ++g)
      pack_gemm_a_f32(context.kernels, {weights.data<float>() + g * outputs_ * depth_, m, k, k},
                      packed_.mutable_data<float>() + static_cast<size_t>(g) * panel_);
    for (size_t row = 0; row < k; ++row) b_rows_.push_back(row * static_cast<size_t>(kBlock));
    units_ = context.shape(kX)[0] * blocks_;
    const double macs =
        static_cast<double>(element_count(context.output_shape())) * static_cast<double>(depth_);
    context.chunks = chunks_ = context.cut(kCoarseChunks, macs / 10, units_);
    context.scratch_bytes = static_cast<size_t>(element_count(Shape{group_, depth_, kBlock})) * sizeof(float);
    context.weights_packed = true;
  }

  void run(const StepContext& call) const {
    const UnitRange units = units_of(call, units_, chunks_);
    for (int64_t unit = units.begin; unit < units.end; ++unit)
      run_block(call, unit / blocks_, unit % blocks_ * kBlock);
  }

 private:
  void run_block(const StepContext& call, int64_t n, int64_t begin) const {
    const int64_t end = std::min(begin + kBlock, taps_.places()), channels = call.inputs[kX].shape[1];
    auto* const columns = reinterpret_cast<float*>(call.scratch.data());  // [channels][taps][kBlock]
    std::vector<MovedTap> found;
    for (int64_t c = 0; c < channels; ++c) {
      if (c % taps_.channels() == 0) found = taps_.find(call, n, c / taps_.channels(), begin, end);
      const auto width = static_cast<size_t>(end - begin);
      for (int64_t t = 0; t < taps_.taps(); ++t)
        taps_.read(call, n, c, std::span(found).subspan(static_cast<size_t>(t) * width, width),
                   columns + (c * taps_.taps() + t) * kBlock);
    }
    const TensorView bias = call.input(kBias);
    for (int64_t g = 0; g < group_; ++g) {
      GemmF32 gemm;
      gemm.m = static_cast<size_t>(outputs_);
      gemm.n = gemm.segment = static_cast<size_t>(end - begin);
      gemm.k = static_cast<size_t>(depth_);
      gemm.a = packed_.data<float>() + static_cast<size_t>(g) * panel_;
      gemm.b = columns + g * depth_ * kBlock;
      gemm.b_rows = b_rows_.data();
      gemm.c = call.outputs[0].as<float>() + (n * group_ + g) * outputs_ * taps_.places() + begin;
      gemm.ldc = static_cast<size_t>(taps_.places());
      gemm.row_bias = bias ? bias.as<float>() + g * outputs_ : nullptr;
      gemm.low = -std::numeric_limits<float>::infinity();
      gemm.high = std::numeric_limits<float>::infinity();
      call.kernels.gemm_f32(gemm);
    }
  }

  MovedTaps taps_;
  int64_t group_, outputs_, depth_, blocks_;  // of each group: outputs, and products in a sum
  size_t panel_ = 0;                          // floats of a packed group
  Tensor packed_;
  std::vector<size_t> b_rows_;
  int64_t units_ = 0;
  size_t chunks_ = 1;
};

StepFunction compile_deform(CompileContext& context) {
  const Tensor* weights = context.constant(kWeights);
  if (weights == nullptr) return nullptr;
  const auto step = std::make_shared<DeformConv>(context, *weights);
  return [step](const StepContext& call) { step->run(call); };
}

}  // namespace

void add_deform_conv_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "DeformConv", .domain = "", .compile = compile_deform});
}

}  // namespace quantize
