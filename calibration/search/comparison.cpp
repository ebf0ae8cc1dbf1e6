// The two engines side by side. Read compare().
#include "calibration/search/comparison.h"

#include <algorithm>
#include <map>

#include "calibration/search/comparison_support.h"
#include "core/error.h"
#include "core/non_finite.h"

namespace quantize {

namespace {

// One sample of a comparison. Kept per sample and added up in their order, so that sums do not depend on threads.
struct SampleResult {
  SampleJudgement judged;  // without shares: the sample was skipped
  std::vector<bool> reference_finite, candidate_finite;
  bool shown = false;  // labels say which boxes or pixels are right
};

constexpr size_t kFewestForOffset = 3;  // one or two samples share a difference by chance

/// The difference that most labelled samples share, if it is none of 0.
std::optional<int64_t> likely_offset_of(const std::vector<SampleResult>& results) {
  std::map<int64_t, size_t> counts;
  size_t labelled = 0;
  for (const SampleResult& result : results) {
    labelled += result.judged.top1.labelled;
    if (result.judged.shift) ++counts[*result.judged.shift];
  }
  for (const auto& [shift, count] : counts)
    if (shift != 0 && count >= kFewestForOffset && count * 2 > labelled) return shift;
  return std::nullopt;
}

class Comparer {
 public:
  Comparer(const Graph& reference, const Graph& candidate, const ComparisonOptions& options)
      : options_(options),
        common_(outputs_in_common(reference, candidate)),
        graph_(common_.reference),
        agreement_(graph_, options.tasks),
        reference_(common_.reference, opened(common_.reference, "reference"), options.kernels, "reference"),
        candidate_(common_.candidate, opened(common_.candidate, "candidate"), options.kernels, "candidate") {}

  SampleResult compare_sample(const std::vector<Tensor>& expected, const std::vector<Tensor>& computed,
                              const SampleTruth& labels) const {
    SampleResult result{
        judge_sample(agreement_, expected, computed, labels), {}, {}, labels.truth != nullptr};
    for (size_t o = 0; o < expected.size(); ++o) {
      result.reference_finite.push_back(!has_non_finite(expected[o]));
      result.candidate_finite.push_back(!has_non_finite(computed[o]));
    }
    return result;
  }

  /// Decides the tasks by the first batch that shows all outputs, whichever thread is the fastest.
  void decide(const Batches& samples) {
    std::optional<Batches::Batch> first;
    std::vector<Tensor> outputs;
    size_t looked_at = 0;
    for (size_t i = 0; i < samples.count() && looked_at < kMostForMeaning; ++i) {
      std::optional<Batches::Batch> batch = samples.load(i);
      if (!batch) continue;
      ++looked_at;
      std::vector<Tensor> found = samples.row(reference_.run(batch->inputs), batch->rows.front());
      if (first && !shows_all(found)) continue;
      first = std::move(batch);
      outputs = std::move(found);
      if (shows_all(outputs)) break;
    }
    if (!first) return;
    agreement_.decide(first->inputs, outputs);
    for (const Need need : options_.needs) check_meaning(graph_, agreement_.tasks(), need);
  }

  void run(const Batches& samples, size_t i, const Batches::Batch& batch,
           std::vector<SampleResult>& results) {
    const std::vector<Tensor> expected = reference_.run(batch.inputs),
                              computed = candidate_.run(batch.inputs);
    if (options_.census != nullptr) options_.census->add(i, batch.inputs, expected);
    for (const size_t row : batch.rows) {
      const size_t s = batch.first + row;
      results[s] = compare_sample(
          samples.row(expected, row), samples.row(computed, row),
          {options_.label ? options_.label(s) : std::nullopt, options_.truth ? options_.truth(s) : nullptr});
    }
  }

  Comparison total(const std::vector<SampleResult>& results) const {
    Comparison sum;
    sum.warnings = common_.warnings;
    sum.likely_offset = likely_offset_of(results);
    std::vector<std::vector<SampleShare>> parts;
    std::vector<std::vector<std::optional<double>>> decibels(graph_.outputs.size());
    for (const ValueId id : graph_.outputs)
      sum.outputs.push_back({.name = graph_.value(id).name, .deviation = {}, .figures = {}});
    for (const SampleResult& result : results) {
      const SampleJudgement& judged = result.judged;
      if (judged.shares.empty()) continue;
      ++sum.samples;
      sum.top1.add(judged.top1);
      sum.shown += result.shown;
      for (size_t o = 0; o < judged.outputs.size(); ++o) {
        sum.outputs[o].deviation.add(judged.outputs[o]);
        sum.outputs[o].reference_not_finite += !result.reference_finite[o];
        sum.outputs[o].candidate_not_finite += !result.candidate_finite[o];
        decibels[o].push_back(judged.outputs[o].sqnr_db());
      }
      parts.push_back(judged.shares);
    }
    std::vector<TaskFigures> figures = agreement_.total(parts);
    for (size_t o = 0; o < figures.size(); ++o) {
      sum.outputs[o].figures = std::move(figures[o]);
      sum.outputs[o].median_sqnr_db = median_of(std::move(decibels[o]));
    }
    return sum;
  }

 private:
  const ComparisonOptions& options_;
  const CommonOutputs common_;
  const Graph& graph_;  // the reference with the common outputs
  Agreement agreement_;
  FedNetwork reference_, candidate_;
};

}  // namespace

std::optional<double> Comparison::agreement() const {
  std::vector<TaskFigures> figures;
  for (const OutputComparison& output : outputs) figures.push_back(output.figures);
  return worst_agreement(figures);
}
std::optional<double> Comparison::sqnr_db() const {
  std::vector<Deviation> deviations;
  for (const OutputComparison& output : outputs) deviations.push_back(output.deviation);
  return outputs.empty() ? std::nullopt : worst_sqnr_db(deviations);
}
std::optional<double> Comparison::drop() const {
  if (top1.labelled != 0) return top1.drop();
  std::optional<double> largest;
  for (const OutputComparison& output : outputs)
    if (output.figures.drop) largest = std::max(largest.value_or(*output.figures.drop), *output.figures.drop);
  return largest;
}

Comparison compare(const Graph& reference, const Graph& candidate, const Batches& samples,
                   const ComparisonOptions& options) {
  Comparer comparer(reference, candidate, options);
  comparer.decide(samples);
  std::vector<SampleResult> results(samples.sample_count());
  for_each_batch(
      samples, options.threads,
      [&](size_t i, const Batches::Batch& batch) { comparer.run(samples, i, batch, results); },
      options.progress);
  return comparer.total(results);
}

}  // namespace quantize
