#include "calibration/search/validator.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "calibration/images/batches.h"
#include "calibration/images/choose_samples.h"
#include "core/engine/engine.h"
#include "core/fusion/output_ending.h"
#include "core/integer/forms.h"
#include "core/non_finite.h"
#include "core/parallel.h"

namespace quantize {

namespace {

size_t bytes_of(const std::vector<Tensor>& tensors) {
  size_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += tensor.byte_size();
  return bytes;
}

/// Probabilities are what a Softmax computes, moved or not.
OutputError::Kind kind_of(const Graph& graph, const GraphIndex& index, ValueId output) {
  for (NodeId n = index.producer(output); n != kNoNode;) {
    const Node& node = graph.nodes[static_cast<size_t>(n)];
    if (is_softmax(node)) return OutputError::Kind::kProbabilities;
    if (quantization_of(graph, node) != QuantizationRule::kPassThrough) break;
    n = index.producer(node.inputs[0]);
  }
  return OutputError::Kind::kNumbers;
}

/// The mean of values in standard errors of that mean; nothing where it is not known, as they do not differ.
std::optional<double> in_standard_errors(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0, variance = 0;
  for (const double value : values) mean += value / n;
  for (const double value : values) variance += (value - mean) * (value - mean) / n;
  const double error = std::sqrt(variance / n);
  if (!(Quality::kMostGain * error > std::abs(mean))) return std::nullopt;
  return mean / error;
}

/// Where the samples that judged both stand in each.
std::vector<std::pair<size_t, size_t>> shared_samples(const Quality& a, const Quality& b) {
  std::vector<std::pair<size_t, size_t>> places;
  if (a.judged == b.judged)
    for (size_t i = 0; i < std::max(a.errors.size(), a.channel_errors.size()); ++i) places.emplace_back(i, i);
  else
    for (size_t i = 0, k = 0; i < a.judged.size(); ++i) {
      while (k < b.judged.size() && b.judged[k] < a.judged[i]) ++k;
      if (k < b.judged.size() && b.judged[k] == a.judged[i]) places.emplace_back(i, k);
    }
  return places;
}

}  // namespace

std::optional<double> Quality::sqnr_db() const {
  return worst_sqnr_db(outputs);
}

std::optional<double> Quality::median_sqnr_db() const {
  return median_of(sample_sqnrs);
}

std::optional<double> Quality::agreement() const {
  return worst_agreement(tasks);
}

std::optional<double> Quality::gain_over(const Quality& other) const {
  std::vector<double> gains;
  size_t infinite = 0, infinite_in_other = 0;
  for (const auto& [own, its] : shared_samples(*this, other)) {
    if (std::isfinite(errors[own]) && std::isfinite(other.errors[its]))
      gains.push_back(std::sqrt(other.errors[its]) - std::sqrt(errors[own]));
    infinite += std::isinf(errors[own]);
    infinite_in_other += std::isinf(other.errors[its]);
  }
  if (infinite != infinite_in_other) return infinite > infinite_in_other ? -kMostGain : kMostGain;
  if (std::all_of(gains.begin(), gains.end(), [](double gain) { return gain == 0; })) return 0;
  return in_standard_errors(gains);
}

bool Quality::worsens_a_channel_of(const Quality& other) const {
  constexpr double kMuch = 1.25, kChance = 0.2;
  const size_t channels = channel_errors.empty() ? 0 : channel_errors[0].size();
  const auto samples = shared_samples(*this, other);
  for (size_t c = 0; c < channels; ++c) {
    double own = 0, others = 0;
    std::vector<double> losses;
    for (const auto& [at, other_at] : samples) {
      own += channel_errors[at][c];
      others += other.channel_errors[other_at][c];
      losses.push_back(channel_errors[at][c] - other.channel_errors[other_at][c]);
    }
    if (!(own > kMuch * others)) continue;
    const std::optional<double> loss = std::isfinite(own) ? in_standard_errors(losses) : std::nullopt;
    if (!loss || 0.5 * std::erfc(*loss / std::sqrt(2.0)) * static_cast<double>(channels) < kChance)
      return true;
  }
  return false;
}

namespace {

/// The labels of the rows of a batch, nothing for those that have none.
std::vector<std::optional<int64_t>> labels_of(const SampleSet& set, size_t i) {
  const auto batch = static_cast<size_t>(set.batch);
  const size_t begin = i * batch, end = batch == 1 ? begin + 1 : std::min(begin + batch, set.samples);
  std::vector<std::optional<int64_t>> labels;
  for (size_t s = begin; s < end; ++s) labels.push_back(set.label ? set.label(s) : std::nullopt);
  return labels;
}

}  // namespace

Validator::Validator(const Graph& graph, const std::vector<size_t>& held_back, const SampleSet& set,
                     const CalibrateOptions& options)
    : source_(set.source == nullptr ? graph : *set.source),
      agreement_(source_, set.tasks),
      batch_(set.batch),
      threads_(options.threads),
      kernels_(options.kernels == nullptr ? best_kernels() : *options.kernels) {
  Engine engine(graph, {.kernels = &kernels_});
  const auto take = [&](size_t begin, size_t end) {
    samples_.resize(end);
    parallel_for(end - begin, threads_, [&](size_t i, int) {
      auto inputs = set.load(held_back[begin + i]);
      if (!inputs) return;
      const size_t number = held_back[begin + i];
      const std::vector<Tensor>* known = set.outputs == nullptr ? nullptr : set.outputs->find(number);
      std::vector<Tensor> outputs = known != nullptr ? *known : engine.run(*inputs);
      samples_[begin + i] = {number, std::move(*inputs), std::move(outputs), labels_of(set, number)};
    });
  };
  if (held_back.empty()) return;
  take(0, 1);
  const size_t bytes = std::max<size_t>(bytes_of(samples_[0].inputs) + bytes_of(samples_[0].outputs), 1);
  const uint64_t most = std::min<uint64_t>(kValidationBytes, options.budget.bytes);
  take(1, std::clamp<size_t>(most / bytes, 1, held_back.size()));
  std::erase_if(samples_, [](const Sample& sample) { return sample.inputs.empty(); });
  drop_overflowing(graph, set);
  if (samples_.empty()) return;
  const auto showing = std::find_if(samples_.begin(), samples_.end(), [&](const Sample& sample) {
    return shows_all(row_of(sample.outputs, 0, batch_));
  });
  const Sample& first = showing == samples_.end() ? samples_[0] : *showing;
  agreement_.decide(first.inputs, row_of(first.outputs, 0, batch_));
  const GraphIndex index(graph);
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    std::vector<const Tensor*> references;
    for (const Sample& sample : samples_) references.push_back(&sample.outputs[i]);
    errors_.emplace_back(references, kind_of(graph, index, graph.outputs[i]));
  }
}

void Validator::check_meaning(Need need) const {
  if (!samples_.empty()) quantize::check_meaning(source_, agreement_.tasks(), need);
}

size_t Validator::samples() const {
  size_t count = 0;
  for (const Sample& sample : samples_) count += sample.labels.size();
  return count;
}

void Validator::judge_rows(const Sample& sample, const std::vector<Tensor>& computed, Quality& part,
                           std::vector<std::vector<SampleShare>>& rows) const {
  part.outputs.resize(computed.size());
  for (size_t row = 0; row < sample.labels.size(); ++row) {
    SampleJudgement judged =
        judge_sample(agreement_, row_of(sample.outputs, row, batch_), row_of(computed, row, batch_),
                     {.best_class = sample.labels[row], .truth = {}});
    for (size_t i = 0; i < judged.outputs.size(); ++i) part.outputs[i].add(judged.outputs[i]);
    part.top1.add(judged.top1);
    rows.push_back(std::move(judged.shares));
  }
  part.sample_sqnrs = {part.sqnr_db()};
}

void Validator::drop_overflowing(const Graph& graph, const SampleSet& set) {
  std::map<size_t, std::vector<std::string>> non_finite;
  for (const Sample& sample : samples_)
    for (size_t i = 0; i < sample.outputs.size(); ++i)
      if (has_non_finite(sample.outputs[i]))
        non_finite[sample.number].push_back(graph.value(graph.outputs[i]).name);
  if (!set.reject) return;
  for (const auto& [number, value] : overflowing_samples(non_finite, samples_.size())) {
    set.reject(number, overflow_reason(value));
    std::erase_if(samples_, [n = number](const Sample& sample) { return sample.number == n; });
  }
}

Quality Validator::judge_errors(const Sample& sample, const std::vector<Tensor>& computed) const {
  const size_t outputs = computed.size();
  Quality part;
  std::vector<double>& channels = part.channel_errors.emplace_back();
  std::vector<Tensor> expected = sample.outputs, found = computed;
  agreement_.align(expected, found);
  agreement_.pass_over(expected, found);
  for (size_t i = 0; i < outputs; ++i)
    for (const double error : errors_[i].channels_of(expected[i], found[i]))
      channels.push_back(error / static_cast<double>(outputs));
  part.errors = {std::accumulate(channels.begin(), channels.end(), 0.0)};
  return part;
}

Quality Validator::judge(const Graph& network) const {
  Engine engine(network, {.kernels = &kernels_});
  Judgement judgement(samples_.size());
  std::vector<size_t> all(samples_.size());
  std::iota(all.begin(), all.end(), size_t{0});
  judge_on(all, engine, judgement);
  return total(std::move(judgement), network);
}

namespace {

/// True if the rest of so many samples would have to gain more than kHopeless standard errors. The gain of all samples is
/// the sum of those of two parts, each times the root of its share.
bool is_hopeless(const Quality& early, const Rival& rival, size_t samples) {
  const double share = static_cast<double>(early.judged.size()) / static_cast<double>(samples);
  const std::optional<double> gain = early.gain_over(rival.quality);
  return gain && rival.needed_gain - std::sqrt(share) * *gain > Validator::kHopeless * std::sqrt(1 - share);
}

}  // namespace

Quality Validator::judge(const Graph& network, const Rival& rival) const {
  const size_t count = samples_.size();
  if (count < kFewestRaced) return judge(network);
  Engine engine(network, {.kernels = &kernels_});
  Judgement judgement(count);
  for (const size_t part : {count / 4, count / 2}) {
    const std::vector<bool> ends = ends_of_parts(part, count);
    std::vector<size_t> samples;
    for (size_t i = 0; i < count; ++i)
      if (ends[i] && !judgement[i]) samples.push_back(i);
    judge_on(samples, engine, judgement);
    Quality early = total(judgement, network);
    if (is_hopeless(early, rival, count)) return early;
  }
  std::vector<size_t> rest;
  for (size_t i = 0; i < count; ++i)
    if (!judgement[i]) rest.push_back(i);
  judge_on(rest, engine, judgement);
  return total(std::move(judgement), network);
}

void Validator::judge_on(const std::vector<size_t>& samples, Engine& engine, Judgement& judgement) const {
  parallel_for(samples.size(), threads_, [&](size_t i, int) {
    const Sample& sample = samples_[samples[i]];
    const std::vector<Tensor> computed = engine.run(sample.inputs);
    Judged judged{judge_errors(sample, computed), {}};
    judge_rows(sample, computed, judged.quality, judged.rows);
    judgement[samples[i]] = std::move(judged);
  });
}

/// Adds up in the order of the samples, so that the sums do not depend on threads.
Quality Validator::total(Judgement judgement, const Graph& network) const {
  Quality quality;
  quality.outputs.resize(network.outputs.size());
  std::vector<std::vector<SampleShare>> rows;
  for (size_t s = 0; s < judgement.size(); ++s) {
    if (!judgement[s]) continue;
    const Quality& part = judgement[s]->quality;
    quality.judged.push_back(s);
    quality.top1.add(part.top1);
    quality.sample_sqnrs.push_back(part.sample_sqnrs[0]);
    quality.errors.push_back(part.errors[0]);
    quality.channel_errors.push_back(part.channel_errors[0]);
    for (size_t i = 0; i < part.outputs.size(); ++i) quality.outputs[i].add(part.outputs[i]);
    std::move(judgement[s]->rows.begin(), judgement[s]->rows.end(), std::back_inserter(rows));
  }
  quality.tasks = agreement_.total(rows);
  return quality;
}

std::vector<std::string> doubts_about(const Quality& quality) {
  constexpr double kHalf = 50, kLittle = 6;
  std::vector<std::string> doubts;
  const auto text = [](double figure) { return std::to_string(std::lround(figure)); };
  for (const TaskFigures& output : quality.tasks)
    if (output.task.measure && output.task.measure->counts_answers() && output.agreement &&
        *output.agreement < kHalf)
      doubts.push_back("most held-back samples disagree with the result: its outputs mean the same in " +
                       text(*output.agreement) + " % (" + name_of(output.task) + ")");
  const std::optional<double> median = quality.median_sqnr_db();
  if (median && *median < kLittle)
    doubts.push_back("the result is far off on most held-back samples: half of them have an SQNR below " +
                     text(std::max(*median, -99.0) + 1) + " dB");
  return doubts;
}

}  // namespace quantize
