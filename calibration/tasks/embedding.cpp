// Embeddings: vectors whose angles tell which samples are alike.
#include <algorithm>
#include <cmath>

#include "calibration/tasks/task.h"

namespace quantize {

namespace {

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  const double lengths = std::sqrt(dot(a, a) * dot(b, b));
  return lengths > 0 ? dot(a, b) / lengths : 0;
}

using Shares = std::vector<const SampleShare*>;

/// The sample whose vector is nearest to that of sample s, by the cosine.
size_t nearest(const Shares& shares, size_t s, std::vector<float> SampleShare::*vector) {
  size_t best = s;
  double most = -2;
  for (size_t other = 0; other < shares.size(); ++other) {
    const std::vector<float>&a = shares[s]->*vector, &b = shares[other]->*vector;
    if (other == s || a.size() != b.size()) continue;
    const double similarity = cosine(a, b);
    if (similarity > most) {
      most = similarity;
      best = other;
    }
  }
  return best;
}

/// Percent of samples with the same nearest neighbour; nothing with fewer than two. Of many samples the first
/// kMostNeighbours: every one is compared with all others.
std::optional<double> same_neighbours(const std::vector<SampleShare>& all) {
  constexpr size_t kMostNeighbours = 1000;
  const size_t count = std::min(all.size(), kMostNeighbours);
  Shares finite;
  for (size_t s = 0; s < count; ++s)
    if (all[s].finite) finite.push_back(&all[s]);
  if (count < 2) return std::nullopt;
  size_t same = 0;
  for (size_t s = 0; s < finite.size() && finite.size() > 1; ++s)
    same += nearest(finite, s, &SampleShare::reference) == nearest(finite, s, &SampleShare::candidate);
  return 100 * static_cast<double>(same) / static_cast<double>(count);
}

class Embedding : public TaskMeasure {
 public:
  void compare(const Pair& pair, SampleShare& share) const override {
    if (!share.finite) return;
    share.reference = pair.reference.to_vector<float>();
    share.candidate = pair.candidate.to_vector<float>();
    share.likeness = cosine(share.reference, share.candidate);
  }

  void total(std::vector<SampleShare>& shares, TaskFigures& figures) const override {
    figures.agreement = same_neighbours(shares);
    double sum = 0;
    std::optional<double> worst;
    for (const SampleShare& share : shares) {
      const double likeness = share.finite ? share.likeness : 0;
      sum += likeness;
      worst = std::min(worst.value_or(likeness), likeness);
    }
    const auto samples = static_cast<double>(shares.size());
    figures.figures = {{"cosine", "mean cosine", TaskFigure::Unit::kNumber,
                        shares.empty() ? std::nullopt : std::optional(sum / samples)},
                       {"worst_cosine", "worst", TaskFigure::Unit::kNumber, worst}};
  }

  const char* agreement_words() const override { return "of samples have the same nearest neighbour"; }
  bool counts_answers() const override { return false; }
};

OutputTask task_of(std::string reason) {
  return {&kEmbeddingTask, std::move(reason), std::make_shared<Embedding>()};
}

/// A vector that is no scores; a normalized sequence.
std::optional<OutputTask> recognize(const OutputView& output) {
  if (output.form() == TensorForm::kVector)
    return task_of(std::to_string(output.tensor().size()) + " numbers" + output.by() +
                   ", which are no classes");
  if (output.form() == TensorForm::kSequence && output.kind() == Ending::kNormalized)
    return task_of("features" + output.by() + ", which are no classes");
  return std::nullopt;
}

std::optional<OutputTask> accept(const OutputView& output) {
  if (output.tensor().size() < 2) return std::nullopt;
  return task_of("as asked for");
}

}  // namespace

const TaskDef kEmbeddingTask = {.name = "embedding", .recognize = recognize, .accept = accept};

}  // namespace quantize
