// How much the errors of an output count.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace quantize {

/// The error of one output of a network, relative to its deviation over the samples.
///
/// The channels along one axis may differ in kind and size, as the coordinates and scores of boxes do:
///
///   error = sum over c of noise(c) / deviation(c)  /  sum over c of deviation(c)
///
/// with noise(c) the mean squared error of channel c and deviation(c) the standard deviation of the float
/// network's over all samples. Channels of one size count as their energies do. Small channels count more
/// than in the energy of all channels, which is mostly that of the largest. They count less than if each
/// error were taken relative to its own channel, by which channels without meaning would count as much as the
/// others. If no channel varies, an error counts as a share of the mean energy of a sample; if that is 0, as
/// it is.
///
/// No sample decides alone: one of more than kOutlyingEnergy times the energy of most counts in no deviation,
/// and its error as if it had the energy of most.
///
/// Probabilities count by their logarithm, at least that of kLeastProbability. The errors of probabilities
/// themselves come from the few samples that are hard to tell, and on as many samples as are held back it is
/// chance which of two networks has the smaller ones.
class OutputError {
 public:
  enum class Kind { kNumbers, kProbabilities };

  /// `references`: what the float network computes of each sample. Channels are axis 1 of four axes, the
  /// shorter of axes 1 and 2 of three; else, or if shapes differ between samples, there is one.
  explicit OutputError(const std::vector<const Tensor*>& references, Kind kind = Kind::kNumbers);

  /// The share of each channel in the error of one sample; infinite where one of the two is not finite.
  /// Requires: tensors of one size.
  std::vector<double> channels_of(const Tensor& reference, const Tensor& candidate) const;

 private:
  /// The elements as they count.
  std::vector<double> counted(const Tensor& tensor) const;
  /// 1, or what brings the energy of an outlying sample down to that of most.
  double share_of(double energy) const;
  size_t channel_of(size_t element) const { return element / inner_ % weights_.size(); }

  Kind kind_;
  size_t inner_ = 1;             // elements of a channel that lie side by side
  std::vector<double> weights_;  // per channel, of a squared error
  double usual_energy_ = 0;      // the median of the samples'
};

constexpr double kOutlyingEnergy = 100;

constexpr double kLeastProbability = 1e-3;

}  // namespace quantize
