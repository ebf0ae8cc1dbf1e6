#include "core/quantization/fit_rounding.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "core/parallel.h"

namespace quantize {

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Covariance of the inputs of one group, in column blocks spread over the threads.
Matrix covariance(const LayerRows& rows, size_t group, int64_t size, int threads) {
  const auto count = static_cast<Eigen::Index>(rows.rows);
  Matrix x =
      Eigen::Map<const Matrix>(rows.x.data() + group * rows.rows * static_cast<size_t>(size), count, size);
  x.rowwise() -= x.colwise().mean().eval();
  Matrix result(size, size);
  constexpr int64_t kBlock = 128;
  parallel_for(static_cast<size_t>((size + kBlock - 1) / kBlock), threads, [&](size_t block, int) {
    const int64_t begin = static_cast<int64_t>(block) * kBlock, width = std::min(kBlock, size - begin);
    result.middleCols(begin, width).noalias() = x.transpose() * x.middleCols(begin, width);
  });
  const float mean = result.diagonal().mean();
  result.diagonal().array() += mean > 0 ? mean / 1000 : 1.0f;
  return result;
}

/// One output channel.
class Descent {
 public:
  Descent(const Matrix& covariance, float scale) : covariance_(covariance), scale_(scale) {}

  /// error[k] is weight k less its code's value; codes and errors change together.
  void run(Eigen::VectorXf& error, std::vector<int32_t>& codes, int32_t lowest, int32_t highest) const {
    Eigen::VectorXf slope = covariance_ * error;
    for (int pass = 0; pass < kFitPasses; ++pass) {
      bool changed = false;
      for (Eigen::Index k = 0; k < error.size(); ++k) {
        const int32_t step = slope[k] > 0 ? 1 : -1;  // towards a smaller error of the sum
        const float move = static_cast<float>(step) * scale_;
        const int32_t code = codes[static_cast<size_t>(k)] + step;
        if (code < lowest || code > highest || std::abs(error[k] - move) >= scale_) continue;
        const float own = move * move * covariance_(k, k);
        if (own - 2 * move * slope[k] >= -1e-4f * own) continue;
        codes[static_cast<size_t>(k)] = code;
        error[k] -= move;
        slope -= move * covariance_.row(k).transpose();
        changed = true;
      }
      if (!changed) return;
    }
  }

 private:
  const Matrix& covariance_;
  const float scale_;
};

}  // namespace

Tensor fit_rounding(const Tensor& weights, const QuantParams& params, const WeightLayout& layout,
                    const LayerRows& rows, int threads) {
  const Tensor nearest = quantize_tensor(weights, params);
  Tensor result(nearest.dtype(), nearest.shape());
  const int64_t size = layout.inputs * layout.taps;
  const auto fit_group = [&](int64_t group, int threads_inside) {
    const Matrix inputs = covariance(rows, static_cast<size_t>(group), size, threads_inside);
    parallel_for(static_cast<size_t>(layout.outputs), threads_inside, [&](size_t channel, int) {
      const int64_t o = group * layout.outputs + static_cast<int64_t>(channel);
      const float scale = params.scale[params.per_tensor() ? 0 : static_cast<size_t>(o)];
      Eigen::VectorXf error(size);
      std::vector<int32_t> codes;
      const auto place = [&](int64_t k) { return layout.offset(o, k / layout.taps) + k % layout.taps; };
      for (int64_t k = 0; k < size; ++k) {
        codes.push_back(nearest.data<int8_t>()[place(k)]);
        error[k] = weights.data<float>()[place(k)] - static_cast<float>(codes.back()) * scale;
      }
      Descent(inputs, scale).run(error, codes, params.quant_min, params.quant_max);
      for (int64_t k = 0; k < size; ++k)
        result.mutable_data<int8_t>()[place(k)] = static_cast<int8_t>(codes[static_cast<size_t>(k)]);
    });
  };
  if (layout.groups == 1)
    fit_group(0, threads);
  else
    parallel_for(static_cast<size_t>(layout.groups), threads,
                 [&](size_t group, int) { fit_group(static_cast<int64_t>(group), 1); });
  return result;
}

}  // namespace quantize
