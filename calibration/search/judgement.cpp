#include "calibration/search/judgement.h"

#include <algorithm>

namespace quantize {

namespace {

std::optional<double> percent(double part, size_t whole) {
  if (whole == 0) return std::nullopt;
  return 100 * part / static_cast<double>(whole);
}

}  // namespace

void TopOne::add(const TopOne& other) {
  labelled += other.labelled;
  reference_right += other.reference_right;
  candidate_right += other.candidate_right;
}

std::optional<double> TopOne::reference() const {
  return percent(static_cast<double>(reference_right), labelled);
}

std::optional<double> TopOne::candidate() const {
  return percent(static_cast<double>(candidate_right), labelled);
}

std::optional<double> TopOne::drop() const {
  return percent(static_cast<double>(reference_right) - static_cast<double>(candidate_right), labelled);
}

SampleJudgement judge_sample(const Agreement& agreement, const std::vector<Tensor>& reference,
                             const std::vector<Tensor>& candidate, const SampleTruth& labels) {
  SampleJudgement result;
  result.shares = agreement.compare(reference, candidate, labels.truth);
  std::vector<Tensor> aligned = reference, aligned_candidate = candidate;
  agreement.align(aligned, aligned_candidate);
  for (size_t o = 0; o < aligned.size(); ++o)
    result.outputs.emplace_back().add(aligned[o], aligned_candidate[o]);
  const std::optional<size_t> classes = class_output(agreement.tasks());
  if (!labels.best_class || !classes) return result;
  const TaskMeasure& measure = *agreement.tasks()[*classes].measure;
  const std::optional<int64_t> best = measure.class_of(reference[*classes]);
  result.top1.labelled = 1;
  result.top1.reference_right = best == labels.best_class;
  result.top1.candidate_right = measure.class_of(candidate[*classes]) == labels.best_class;
  if (best) result.shift = *best - *labels.best_class;
  return result;
}

std::optional<double> worst_sqnr_db(const std::vector<Deviation>& outputs) {
  std::optional<double> worst = Deviation::kMaxDb;
  for (const Deviation& output : outputs) worst = std::min(worst, output.sqnr_db());  // nothing is below all
  return worst;
}

std::optional<double> median_of(std::vector<std::optional<double>> values) {
  if (values.empty()) return std::nullopt;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace quantize
