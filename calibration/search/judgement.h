// The judgement of one sample of two networks, and the sum of many: the same for the search and for `verify`.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "calibration/tasks/agreement.h"
#include "calibration/tasks/deviation.h"

namespace quantize {

/// Best classes held against labels.
struct TopOne {
  size_t labelled = 0;                              // samples with a label of their class
  size_t reference_right = 0, candidate_right = 0;  // of those

  void add(const TopOne& other);
  /// In percent of the labelled samples; nothing without any.
  std::optional<double> reference() const;
  std::optional<double> candidate() const;
  /// The candidate's loss, in points.
  std::optional<double> drop() const;
};

/// One sample of a reference and a candidate.
struct SampleJudgement {
  std::vector<SampleShare> shares;  // per output, for Agreement::total
  std::vector<Deviation> outputs;   // likewise, lists aligned (Agreement::align)
  TopOne top1;
  std::optional<int64_t> shift = {};  // of the reference's class against the label
};

/// The labels of one sample, as far as there are any.
struct SampleTruth {
  std::optional<int64_t> best_class = {};
  std::shared_ptr<const Truth> truth = {};
};

/// Judges one sample, without its batch. Thread-safe. Requires: the tasks of `agreement` are decided.
/// Errors: Error(kInvalidArgument) if shapes differ.
SampleJudgement judge_sample(const Agreement& agreement, const std::vector<Tensor>& reference,
                             const std::vector<Tensor>& candidate, const SampleTruth& labels);

/// The SQNR of the worst output; nothing where one has none, Deviation::kMaxDb without outputs.
std::optional<double> worst_sqnr_db(const std::vector<Deviation>& outputs);

/// The median of what single samples have; what is not known is below all numbers. The lower of two.
std::optional<double> median_of(std::vector<std::optional<double>> values);

}  // namespace quantize
