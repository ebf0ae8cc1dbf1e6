// Tap means in little more than one pass over the input: a tap reads every stride-th row and column but for a
// few at the edges, so the sums over all of them are taken once and the edges set right for each tap.
#include "calibration/statistics/tap_statistics.h"

#include <algorithm>

#include "core/ops/support/window.h"

namespace quantize {

namespace {

/// Which positions of one axis a tap reads: all of one phase (position % stride) except those listed, or,
/// where fewer, only those listed.
struct Coverage {
  size_t phase = 0;
  bool all_except = true;
  std::vector<size_t> listed;
};

std::vector<Coverage> coverage_of(const WindowAxis& axis) {
  std::vector<Coverage> taps;
  for (int64_t t = 0; t < axis.kernel; ++t) {
    const int64_t first = t * axis.dilation - axis.pad_begin;
    const int64_t phase = ((first % axis.stride) + axis.stride) % axis.stride;
    std::vector<size_t> read, unread;
    for (int64_t position = phase; position < axis.in; position += axis.stride) {
      const bool is_read = position >= first && position <= first + (axis.out - 1) * axis.stride;
      (is_read ? read : unread).push_back(static_cast<size_t>(position));
    }
    const bool all_except = unread.size() < read.size();
    taps.push_back({static_cast<size_t>(phase), all_except, all_except ? unread : read});
  }
  return taps;
}

class TapSums {
 public:
  TapSums(const Window& window, const KernelTable& kernels)
      : kernels_(kernels),
        height_(static_cast<size_t>(window.height().in)),
        width_(static_cast<size_t>(window.width().in)),
        stride_h_(static_cast<size_t>(window.height().stride)),
        stride_w_(static_cast<size_t>(window.width().stride)),
        rows_(coverage_of(window.height())),
        columns_(coverage_of(window.width())),
        row_phases_(std::min(stride_h_, height_) * width_),
        line_(width_),
        column_phases_(std::min(stride_w_, width_)) {}

  /// Adds the sum of every tap over one plane to sums[0, taps).
  void add_plane(const float* x, double* sums) {
    std::fill(row_phases_.begin(), row_phases_.end(), 0.0);
    for (size_t phase = 0; phase < std::min(stride_h_, height_); ++phase)
      kernels_.column_sums_f32(x + phase * width_, (height_ - phase + stride_h_ - 1) / stride_h_,
                               stride_h_ * width_, width_, &row_phases_[phase * width_]);
    for (const Coverage& tap : rows_) {
      gather_rows(x, tap);
      add_line(sums);
      sums += columns_.size();
    }
  }

 private:
  /// line_ = the sum of the rows that this tap reads.
  void gather_rows(const float* x, const Coverage& tap) {
    if (tap.all_except)
      std::copy_n(&row_phases_[tap.phase * width_], width_, line_.begin());
    else
      std::fill(line_.begin(), line_.end(), 0.0);
    const double sign = tap.all_except ? -1 : 1;
    for (size_t y : tap.listed)
      for (size_t i = 0; i < width_; ++i) line_[i] += sign * double{x[y * width_ + i]};
  }

  /// sums[kx] += the sum of the elements of line_ that the tap reads.
  void add_line(double* sums) {
    std::fill(column_phases_.begin(), column_phases_.end(), 0.0);
    for (size_t p = 0; p < column_phases_.size(); ++p)
      for (size_t i = p; i < width_; i += stride_w_) column_phases_[p] += line_[i];
    for (size_t kx = 0; kx < columns_.size(); ++kx) {
      const Coverage& tap = columns_[kx];
      double sum = tap.all_except ? column_phases_[tap.phase] : 0;
      for (size_t i : tap.listed) sum += tap.all_except ? -line_[i] : line_[i];
      sums[kx] += sum;
    }
  }

  const KernelTable& kernels_;
  size_t height_, width_, stride_h_, stride_w_;
  std::vector<Coverage> rows_, columns_;
  std::vector<double> row_phases_;     // [phase][width]: sums over the rows of a phase
  std::vector<double> line_;           // [width]
  std::vector<double> column_phases_;  // [phase]
};

}  // namespace

void TapStatistics::add(const TapStatistics& other) {
  if (other.samples == 0) return;
  if (samples == 0) mean_sums.resize(other.mean_sums.size());
  taps = other.taps;
  samples += other.samples;
  for (size_t i = 0; i < mean_sums.size(); ++i) mean_sums[i].add(other.mean_sums[i]);
}

TapStatistics summarize_taps(const TensorView& x, const Window& window, const KernelTable& kernels) {
  const auto batch = static_cast<size_t>(x.shape[0]), channels = static_cast<size_t>(x.shape[1]);
  const auto plane = static_cast<size_t>(window.in_size());
  TapStatistics result;
  result.taps = static_cast<size_t>(window.kernel_size());
  result.samples = 1;
  result.mean_sums.resize(channels * result.taps);
  std::vector<double> sums(channels * result.taps);
  TapSums tap_sums(window, kernels);
  const auto* data = x.as<float>();
  for (size_t n = 0; n < batch; ++n)
    for (size_t c = 0; c < channels; ++c, data += plane) tap_sums.add_plane(data, &sums[c * result.taps]);
  const double positions = static_cast<double>(batch) * static_cast<double>(window.out_size());
  for (size_t i = 0; i < sums.size(); ++i) result.mean_sums[i].add(sums[i] / positions);
  return result;
}

}  // namespace quantize
