// B is packed as if it were weights. Read ComputedProduct::run() first.
#include "core/engine/steps/computed_product.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/engine/steps/pixel_steps.h"
#include "core/integer/exact_sums.h"
#include "core/integer/quantized_operand.h"
#include "core/ops/matmul.h"

namespace quantize {

namespace {

enum : size_t { kA = 0, kB = 3, kYScale = 6 };

/// Rows that are worth packing B once more, for another thread.
constexpr int64_t kFewestRows = 64;

constexpr size_t padded(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/// sum over k of (a - a_zero) * (b - b_zero). The kernels know no zero point of weights. They get b - b_zero
/// if that fits in s8 for a whole matrix. Otherwise they get two taps that both read the row of A: b - 128,
/// and 128 - b_zero, which becomes two taps if s8 cannot hold it.
class ComputedProduct {
 public:
  ComputedProduct(const KernelTable& kernels, const MatMulOperands& shapes, const ScalarParams& a,
                  const ScalarParams& b, const ScalarParams& y)
      : shapes_(shapes), a_zero_(a.zero_point), b_zero_(b.zero_point) {
    const int32_t rest = 128 - b_zero_;
    if (rest == 128)
      constant_taps_ = {64, 64};
    else if (rest != 0)
      constant_taps_ = {static_cast<int8_t>(rest)};
    tap_offsets_.assign(most_taps(), 0);
    multiplier_.assign(n(), (a.scale * b.scale) / y.scale);
    zero_point_.assign(n(), y.zero_point);
    low_.assign(n(), 0);
    high_.assign(n(), 255);
    const std::vector<int8_t> largest(n() * most_taps() * k(), 127);  // smaller ones may need less
    const std::vector<int32_t> bias(n(), 0);
    packed_bytes_ = kernels.conv_u8s8_bytes(weights(most_taps(), largest.data(), bias.data()));
  }

  void split(CompileContext& context) {
    batches_ = element_count(shapes_.batch);
    rows_ = shapes_.a[shapes_.a.size() - 2];
    const int64_t b_matrices = element_count(Dims(shapes_.b).first(shapes_.b.size() - 2));
    if (b_matrices == 1) rows_ *= std::exchange(batches_, 1);
    parts_ = std::clamp<int64_t>(4 / std::max<int64_t>(batches_, 1), 1, 1 + rows_ / kFewestRows);
    const auto rows = static_cast<double>(rows_), columns = static_cast<double>(n());
    const double each =
        product_nanoseconds(context.kernels, columns * static_cast<double>(k()), rows, rows * columns);
    context.chunks = chunks_ =
        context.cut(kCoarseChunks, static_cast<double>(batches_) * each, batches_ * parts_);
    context.scratch_bytes = weight_bytes() + bias_bytes() + packed_bytes_;
  }

  void run(const StepContext& context) const {
    const UnitRange units = units_of(context, batches_ * parts_, chunks_);
    int64_t packed = -1;
    for (int64_t unit = units.begin; unit < units.end; ++unit) {
      const int64_t batch = unit / parts_, part = unit % parts_;
      const int64_t b = matrix_index(shapes_.batch, shapes_.b, batch);
      if (b != packed) pack(context, packed = b);
      multiply(context, batch, rows_ * part / parts_, rows_ * (part + 1) / parts_);
    }
  }

 private:
  size_t k() const { return static_cast<size_t>(shapes_.a.back()); }
  size_t n() const { return static_cast<size_t>(shapes_.b.back()); }
  size_t most_taps() const { return 1 + constant_taps_.size(); }
  size_t weight_bytes() const { return padded(n() * most_taps() * k()); }
  size_t bias_bytes() const { return padded(n() * sizeof(int32_t)); }

  ConvWeightsU8S8 weights(size_t taps, const int8_t* codes, const int32_t* bias) const {
    return {n(), taps, k(), codes, {bias, multiplier_.data(), zero_point_.data(), low_.data(), high_.data()}};
  }

  void pack(const StepContext& context, int64_t matrix) const {
    auto* codes = reinterpret_cast<uint8_t*>(context.scratch.data());
    auto* bias = reinterpret_cast<int32_t*>(codes + weight_bytes());
    const size_t depth = k(), columns = n(), size = depth * columns;
    const auto* b = static_cast<const uint8_t*>(context.inputs[kB].data) + static_cast<size_t>(matrix) * size;
    const auto [least, most] = extremes(b, size);
    const size_t taps = least - b_zero_ >= -128 && most - b_zero_ <= 127 ? 1 : most_taps();
    const auto origin = static_cast<uint8_t>(taps == 1 ? b_zero_ : 128);
    const uint32_t zeros = static_cast<uint32_t>(b_zero_) * static_cast<uint32_t>(depth);
    context.kernels.transpose_u8(b, depth, columns, columns, codes, taps * depth);
    for (size_t c = 0; c < columns; ++c) {
      uint8_t* column = codes + c * taps * depth;
      uint32_t sum = 0;
      for (size_t i = 0; i < depth; ++i) sum += column[i];
      for (size_t i = 0; i < depth; ++i) column[i] = static_cast<uint8_t>(column[i] - origin);
      for (size_t t = 1; t < taps; ++t)
        std::fill_n(column + t * depth, depth, static_cast<uint8_t>(constant_taps_[t - 1]));
      bias[c] = static_cast<int32_t>(0u - static_cast<uint32_t>(a_zero_) * (sum - zeros));
    }
    context.kernels.conv_u8s8_pack(weights(taps, reinterpret_cast<const int8_t*>(codes), bias),
                                   packed(context));
  }

  static std::pair<uint8_t, uint8_t> extremes(const uint8_t* codes, size_t size) {
    uint8_t least = 255, most = 0;
    for (size_t i = 0; i < size; ++i) {
      least = std::min(least, codes[i]);
      most = std::max(most, codes[i]);
    }
    return {least, most};
  }

  void multiply(const StepContext& context, int64_t batch, int64_t first, int64_t last) const {
    const auto row_of = [&](int64_t matrix) { return static_cast<size_t>(matrix * rows_ + first); };
    ConvU8S8 call;
    call.packed = packed(context);
    call.tap_offsets = tap_offsets_.data();
    call.x = static_cast<const uint8_t*>(context.inputs[kA].data) +
             row_of(batches_ == 1 ? 0 : matrix_index(shapes_.batch, shapes_.a, batch)) * k();
    call.y = static_cast<uint8_t*>(context.outputs[0].data) + row_of(batch) * n();
    call.x_pixel_stride = k();
    call.y_pixel_stride = n();
    call.rows = 1;
    call.width = static_cast<size_t>(last - first);
    call.channel_end = n();
    context.kernels.conv_u8s8(call);
  }

  void* packed(const StepContext& context) const {
    return context.scratch.data() + weight_bytes() + bias_bytes();
  }

  MatMulOperands shapes_;
  int32_t a_zero_, b_zero_;
  std::vector<int8_t> constant_taps_;
  std::vector<int32_t> tap_offsets_;
  std::vector<float> multiplier_;
  std::vector<int32_t> zero_point_;
  std::vector<uint8_t> low_, high_;
  size_t packed_bytes_ = 0, chunks_ = 1;
  int64_t batches_ = 1, rows_ = 0, parts_ = 1;  // of one product, and in how many it may be cut
};

}  // namespace

StepFunction compile_computed_product(CompileContext& context) {
  const auto is_u8 = [&](ValueId id) { return context.graph.value(id).dtype == DataType::kU8; };
  const Node& node = context.node;
  if (!is_u8(node.inputs[kA]) || !is_u8(node.inputs[kB]) || !is_u8(node.outputs[0])) return nullptr;
  const auto a = constant_params(context.graph, node, kA + 1),
             b = constant_params(context.graph, node, kB + 1),
             y = constant_params(context.graph, node, kYScale);
  if (!a || !b || !y || !a->per_tensor() || !b->per_tensor() || !y->per_tensor()) return nullptr;
  const MatMulOperands shapes = matmul_operands(context.shape(kA), context.shape(kB));
  if (element_count(shapes.output) == 0 || shapes.a.back() == 0) return nullptr;
  const SumBound bound =
      bound_of_products(shapes.a.back(), DataType::kU8, a->zero_point[0], DataType::kU8, b->zero_point[0]);
  if (!bound.fits()) return nullptr;
  const auto scalar = [](const OperandParams& params) {
    return ScalarParams{params.scale[0], params.zero_point[0]};
  };
  const auto product =
      std::make_shared<ComputedProduct>(context.kernels, shapes, scalar(*a), scalar(*b), scalar(*y));
  product->split(context);
  return [product](const StepContext& run) { product->run(run); };
}

}  // namespace quantize
