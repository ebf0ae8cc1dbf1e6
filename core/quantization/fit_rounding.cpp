#include "core/quantization/fit_rounding.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/parallel.h"

namespace quantize {

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Covariance of the inputs of one group, in blocks of rows spread over the threads.
Matrix covariance(const LayerRows& rows, size_t group, int64_t size, int threads) {
  const auto count = static_cast<Eigen::Index>(rows.rows);
  Matrix x =
      Eigen::Map<const Matrix>(rows.x.data() + group * rows.rows * static_cast<size_t>(size), size, count);
  x.colwise() -= x.rowwise().mean().eval();
  Matrix result(size, size);
  constexpr int64_t kBlock = 128;
  parallel_for(static_cast<size_t>((size + kBlock - 1) / kBlock), threads, [&](size_t block, int) {
    const int64_t begin = static_cast<int64_t>(block) * kBlock, width = std::min(kBlock, size - begin);
    result.block(begin, 0, width, begin + width).noalias() =
        x.middleRows(begin, width) * x.topRows(begin + width).transpose();
  });
  result.triangularView<Eigen::StrictlyUpper>() = result.transpose();
  const float mean = result.diagonal().mean();
  result.diagonal().array() += mean > 0 ? mean / 1000 : 1.0f;
  return result;
}

/// The order in which weights are rounded, most varying inputs first, and the factor T, lower triangular in
/// that order, with covariance = T^T T: the sum to minimize is |T error|^2, and row i of it depends on
/// nothing but the i + 1 weights that are rounded first.
struct Factor {
  explicit Factor(const Matrix& covariance) : order(static_cast<size_t>(covariance.rows())) {
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return covariance(a, a) > covariance(b, b); });
    const Eigen::Index size = covariance.rows();
    const auto from_behind = [&](Eigen::Index i) { return order[static_cast<size_t>(size - 1 - i)]; };
    Eigen::MatrixXf reversed(size, size);
    for (Eigen::Index i = 0; i < size; ++i)
      for (Eigen::Index j = 0; j < size; ++j) reversed(i, j) = covariance(from_behind(i), from_behind(j));
    const Eigen::LLT<Eigen::MatrixXf> cholesky(reversed);
    if (cholesky.info() != Eigen::Success) return;
    t = cholesky.matrixL().toDenseMatrix().transpose().reverse();
  }

  std::vector<Eigen::Index> order;
  Matrix t;  // empty if the covariance is not positive definite in f32
};

/// The weights of an output channel as codes of one scale.
struct Fit {
  float scale = 1;
  Eigen::VectorXf error;  // weight less its code's value
  std::vector<int32_t> codes;
  float sum = 0;  // what is minimized
};

class ChannelFitter {
 public:
  ChannelFitter(const Matrix& covariance, const Factor& factor, const QuantParams& params)
      : covariance_(covariance), factor_(factor), lowest_(params.quant_min), highest_(params.quant_max) {}

  /// What coordinate descent makes of the nearest codes, or of those that pass errors on, if that is better.
  Fit best(const Eigen::VectorXf& weights, float scale) const {
    Fit result = descended(nearest(weights, scale));
    if (factor_.t.rows() == 0) return result;
    Fit other = descended(passed_on(weights, scale));
    return other.sum < result.sum ? other : result;
  }

 private:
  /// The code below or above the weight that is nearer to what is wanted.
  int32_t neighbour_of(float weight, float wanted, float scale) const {
    const auto below = static_cast<int32_t>(std::floor(weight / scale));
    const int32_t code = wanted / scale > static_cast<float>(below) + 0.5f ? below + 1 : below;
    return std::clamp(code, lowest_, highest_);
  }

  Fit nearest(const Eigen::VectorXf& weights, float scale) const {
    Fit fit{scale, weights, std::vector<int32_t>(static_cast<size_t>(weights.size()))};
    for (Eigen::Index k = 0; k < weights.size(); ++k)
      set(fit, weights, k, quantize_value(weights[k], scale, 0, lowest_, highest_));
    return fit;
  }

  static void set(Fit& fit, const Eigen::VectorXf& weights, Eigen::Index k, int32_t code) {
    fit.codes[static_cast<size_t>(k)] = code;
    fit.error[k] = weights[k] - static_cast<float>(code) * fit.scale;
  }

  /// Every weight makes up for the errors of those before it, as far as it can.
  Fit passed_on(const Eigen::VectorXf& weights, float scale) const {
    Fit fit{scale, weights, std::vector<int32_t>(static_cast<size_t>(weights.size()))};
    Eigen::VectorXf before(weights.size());
    for (Eigen::Index i = 0; i < weights.size(); ++i) {
      const Eigen::Index k = factor_.order[static_cast<size_t>(i)];
      const float carried = factor_.t.row(i).head(i).dot(before.head(i));
      const float wanted = weights[k] + carried / factor_.t(i, i);
      set(fit, weights, k, neighbour_of(weights[k], wanted, scale));
      before[i] = fit.error[k];
    }
    return fit;
  }

  /// One step up or down for one weight after the other, while that lowers the sum.
  Fit descended(Fit fit) const {
    Eigen::VectorXf slope = covariance_ * fit.error;
    for (int pass = 0; pass < kFitPasses; ++pass) {
      bool changed = false;
      for (Eigen::Index k = 0; k < fit.error.size(); ++k) {
        const int32_t step = slope[k] > 0 ? 1 : -1;  // towards a smaller error of the sum
        const float move = static_cast<float>(step) * fit.scale;
        const int32_t code = fit.codes[static_cast<size_t>(k)] + step;
        if (code < lowest_ || code > highest_) continue;
        if (std::abs(fit.error[k] - move) >= std::max(fit.scale, std::abs(fit.error[k]))) continue;
        const float own = move * move * covariance_(k, k);
        if (own - 2 * move * slope[k] >= -1e-4f * own) continue;
        fit.codes[static_cast<size_t>(k)] = code;
        fit.error[k] -= move;
        slope -= move * covariance_.row(k).transpose();
        changed = true;
      }
      if (!changed) break;
    }
    fit.sum = fit.error.dot(slope);
    return fit;
  }

  const Matrix& covariance_;
  const Factor& factor_;
  const int32_t lowest_, highest_;
};

}  // namespace

Tensor fit_rounding(const Tensor& weights, const QuantParams& params, const WeightLayout& layout,
                    const LayerRows& rows, int threads) {
  Tensor result = quantize_tensor(weights, params);
  const int64_t size = layout.inputs * layout.taps;
  const auto fit_group = [&](int64_t group, int threads_inside) {
    const Matrix inputs = covariance(rows, static_cast<size_t>(group), size, threads_inside);
    const Factor factor(inputs);
    const ChannelFitter fitter(inputs, factor, params);
    parallel_for(static_cast<size_t>(layout.outputs), threads_inside, [&](size_t channel, int) {
      const int64_t o = group * layout.outputs + static_cast<int64_t>(channel);
      const auto place = [&](int64_t k) { return layout.offset(o, k / layout.taps) + k % layout.taps; };
      Eigen::VectorXf exact(size);
      for (int64_t k = 0; k < size; ++k) exact[k] = weights.data<float>()[place(k)];
      const Fit fit = fitter.best(exact, params.scale_of(static_cast<size_t>(o)));
      for (int64_t k = 0; k < size; ++k)
        result.mutable_data<int8_t>()[place(k)] = static_cast<int8_t>(fit.codes[static_cast<size_t>(k)]);
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
