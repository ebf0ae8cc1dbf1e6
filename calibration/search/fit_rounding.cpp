#include "calibration/search/fit_rounding.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <span>

#include "core/engine/steps/matrix_product.h"
#include "core/interrupt.h"
#include "core/parallel.h"

namespace quantize {

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr int64_t kFittedTogether = 16;  // channels, so that what they share is read once
constexpr int kGroupsTogether = 8;       // so that memory does not depend on the number of threads

/// a * b by the kernels of the CPU.
Matrix product(const KernelTable& kernels, const float* a, const MatrixLayout& a_layout, const float* b,
               const MatrixLayout& b_layout) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const MatrixProduct product(kernels, a_layout, b_layout);
  Matrix result(a_layout.rows, b_layout.columns);
  Tensor scratch(DataType::kU8, {static_cast<int64_t>(product.scratch_bytes())});
  product.run({.a = a, .b = b, .c = result.data(), .low = -kInfinity, .high = kInfinity},
              std::as_writable_bytes(std::span(scratch.mutable_data<uint8_t>(), product.scratch_bytes())));
  return result;
}

/// Covariance of the inputs of one group, in blocks of rows spread over the threads. Takes their means from the rows.
Matrix covariance(LayerRows& rows, size_t group, int64_t size, const KernelTable& kernels, int threads) {
  const auto count = static_cast<Eigen::Index>(rows.rows);
  Eigen::Map<Matrix> x(rows.x.data() + group * rows.rows * static_cast<size_t>(size), size, count);
  x.colwise() -= x.rowwise().mean().eval();
  Matrix result(size, size);
  constexpr int64_t kBlock = 128;
  parallel_for(static_cast<size_t>((size + kBlock - 1) / kBlock), threads, [&](size_t block, int) {
    const int64_t begin = static_cast<int64_t>(block) * kBlock, width = std::min(kBlock, size - begin);
    result.block(begin, 0, width, begin + width) =
        product(kernels, x.row(begin).data(), MatrixLayout::row_major(width, count), x.data(),
                MatrixLayout::row_major(begin + width, count).transposed());
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

/// The weights of some output channels, one per column, as codes.
struct Fit {
  Eigen::MatrixXf error;  // weights less their codes' values
  Eigen::MatrixXi codes;
  Eigen::VectorXf sum;  // what is minimized, per channel
};

class ChannelFitter {
 public:
  ChannelFitter(const Matrix& covariance, const QuantParams& params, const KernelTable& kernels)
      : covariance_(covariance),
        kernels_(kernels),
        lowest_(params.quant_min - params.zero_point[0]),
        highest_(params.quant_max - params.zero_point[0]) {
    if (covariance.rows() <= kMostFactored) factor_.emplace(covariance);
  }

  /// The better result of coordinate descent from two starts: the nearest codes, and codes that make up for
  /// the errors before them. One scale per column of the weights.
  Eigen::MatrixXi best(const Eigen::MatrixXf& weights, const Eigen::VectorXf& scales) const {
    Fit result = nearest(weights, scales);
    descend(result, scales);
    if (!factor_ || factor_->t.rows() == 0) return result.codes;
    Fit other = passed_on(weights, scales);
    descend(other, scales);
    for (Eigen::Index o = 0; o < weights.cols(); ++o)
      if (other.sum[o] < result.sum[o]) result.codes.col(o) = other.codes.col(o);
    return result.codes;
  }

 private:
  /// The code below or above the weight that is nearer to what is wanted.
  int32_t neighbour_of(float weight, float wanted, float scale) const {
    const auto below = static_cast<int32_t>(std::floor(weight / scale));
    const int32_t code = wanted / scale > static_cast<float>(below) + 0.5f ? below + 1 : below;
    return std::clamp(code, lowest_, highest_);
  }

  Fit nearest(const Eigen::MatrixXf& weights, const Eigen::VectorXf& scales) const {
    Fit fit{weights, Eigen::MatrixXi(weights.rows(), weights.cols()), {}};
    for (Eigen::Index o = 0; o < weights.cols(); ++o)
      for (Eigen::Index k = 0; k < weights.rows(); ++k) {
        fit.codes(k, o) = quantize_value(weights(k, o), scales[o], 0, lowest_, highest_);
        fit.error(k, o) -= static_cast<float>(fit.codes(k, o)) * scales[o];
      }
    return fit;
  }

  /// Every weight makes up for the errors of those before it, as far as it can.
  Fit passed_on(const Eigen::MatrixXf& weights, const Eigen::VectorXf& scales) const {
    Fit fit{weights, Eigen::MatrixXi(weights.rows(), weights.cols()), {}};
    Matrix before(weights.rows(), weights.cols());
    for (Eigen::Index i = 0; i < weights.rows(); ++i) {
      check_interrupt();
      const Eigen::Index k = factor_->order[static_cast<size_t>(i)];
      const Eigen::RowVectorXf carried = factor_->t.row(i).head(i) * before.topRows(i) / factor_->t(i, i);
      for (Eigen::Index o = 0; o < weights.cols(); ++o) {
        fit.codes(k, o) = neighbour_of(weights(k, o), weights(k, o) + carried[o], scales[o]);
        fit.error(k, o) -= static_cast<float>(fit.codes(k, o)) * scales[o];
      }
      before.row(i) = fit.error.row(k);
    }
    return fit;
  }

  /// One step up or down for one weight after the other, while that lowers the sum.
  void descend(Fit& fit, const Eigen::VectorXf& scales) const {
    const int64_t size = covariance_.rows(), count = fit.error.cols();
    Eigen::MatrixXf slopes = product(kernels_, fit.error.data(), MatrixLayout::row_major(count, size),
                                     covariance_.data(), MatrixLayout::row_major(size, size))
                                 .transpose();
    std::vector<Eigen::Index> moving(static_cast<size_t>(count));
    std::iota(moving.begin(), moving.end(), 0);
    for (int pass = 0; pass < kFitPasses && !moving.empty(); ++pass) {
      std::vector<bool> moved(static_cast<size_t>(count), false);
      for (Eigen::Index k = 0; k < size; ++k) {
        check_interrupt();
        for (Eigen::Index o : moving)
          if (step(k, scales[o], fit.error(k, o), fit.codes(k, o), slopes.col(o)))
            moved[static_cast<size_t>(o)] = true;
      }
      std::erase_if(moving, [&](Eigen::Index o) { return !moved[static_cast<size_t>(o)]; });
    }
    fit.sum = (fit.error.array() * slopes.array()).colwise().sum();
  }

  /// Moves the code of weight k by one if that lowers the sum. Returns whether it does.
  bool step(Eigen::Index k, float scale, float& error, int32_t& code,
            Eigen::Ref<Eigen::VectorXf> slope) const {
    const int32_t up = slope[k] > 0 ? 1 : -1;  // towards a smaller error of the sum
    const float move = static_cast<float>(up) * scale;
    if (code + up < lowest_ || code + up > highest_) return false;
    if (std::abs(error - move) >= std::max(scale, std::abs(error))) return false;
    const float own = move * move * covariance_(k, k);
    if (own - 2 * move * slope[k] >= -1e-4f * own) return false;
    code += up;
    error -= move;
    slope -= move * covariance_.row(k).transpose();
    return true;
  }

  const Matrix& covariance_;
  const KernelTable& kernels_;
  std::optional<Factor> factor_;
  const int32_t lowest_, highest_;
};

}  // namespace

FitCost fit_cost(const WeightLayout& layout, size_t rows) {
  const auto size = static_cast<uint64_t>(layout.inputs * layout.taps);
  const auto groups = static_cast<uint64_t>(layout.groups), outputs = static_cast<uint64_t>(layout.outputs);
  const bool factored = size <= kMostFactored;
  const uint64_t square = size * size, at_once = std::min<uint64_t>(groups, kGroupsTogether);
  const uint64_t matrices = factored ? 4 : 1;  // the covariance; reordered, and its factor twice
  constexpr uint64_t kPerWeight = 3;           // slopes, and as much again for the moves
  FitCost cost;
  cost.bytes = sizeof(float) * (at_once * matrices * square + (groups + at_once) * size * rows);
  cost.macs = groups * (square * rows / 2 + kPerWeight * outputs * square);
  if (factored) cost.macs += groups * (square * size / 3 + kPerWeight * outputs * square);
  return cost;
}

Tensor fit_rounding(const Tensor& weights, const QuantParams& params, const WeightLayout& layout,
                    LayerRows& rows, const KernelTable& kernels, int threads) {
  Tensor result = quantize_tensor(weights, params);
  auto* const bytes = static_cast<uint8_t*>(result.mutable_bytes());  // of s8 and of u8 codes
  const int64_t size = layout.inputs * layout.taps;
  const auto fit_group = [&](int64_t group, int threads_inside) {
    const Matrix inputs = covariance(rows, static_cast<size_t>(group), size, kernels, threads_inside);
    const ChannelFitter fitter(inputs, params, kernels);
    const int64_t blocks = (layout.outputs + kFittedTogether - 1) / kFittedTogether;
    parallel_for(static_cast<size_t>(blocks), threads_inside, [&](size_t block, int) {
      const int64_t first = group * layout.outputs + static_cast<int64_t>(block) * kFittedTogether;
      const int64_t count = std::min(kFittedTogether, (group + 1) * layout.outputs - first);
      const auto place = [&](int64_t k, int64_t o) {
        return layout.offset(first + o, k / layout.taps) + k % layout.taps;
      };
      Eigen::MatrixXf exact(size, count);
      Eigen::VectorXf scales(count);
      for (int64_t o = 0; o < count; ++o) {
        scales[o] = params.scale_of(static_cast<size_t>(first + o));
        for (int64_t k = 0; k < size; ++k) exact(k, o) = weights.data<float>()[place(k, o)];
      }
      const Eigen::MatrixXi codes = fitter.best(exact, scales);
      for (int64_t o = 0; o < count; ++o)
        for (int64_t k = 0; k < size; ++k)
          bytes[place(k, o)] = static_cast<uint8_t>(codes(k, o) + params.zero_point[0]);
    });
  };
  if (layout.groups == 1)
    fit_group(0, threads);
  else
    parallel_for(static_cast<size_t>(layout.groups), std::min(threads, kGroupsTogether),
                 [&](size_t group, int) { fit_group(static_cast<int64_t>(group), 1); });
  return result;
}

}  // namespace quantize
