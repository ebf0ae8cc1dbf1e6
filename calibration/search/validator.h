// Judging quantized networks by the images that were held back.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "calibration/search/judgement.h"
#include "calibration/search/output_error.h"
#include "calibration/statistics/calibrate.h"

namespace quantize {

class Engine;

/// The calibration images, to be loaded again.
struct SampleSet {
  size_t count = 0;
  SampleLoader load;
  size_t held_back = 0;                                      // of them, evenly spread, to judge every step by
  size_t confirming = 0;                                     // of the others: to judge nothing but the result
  std::function<std::optional<int64_t>(size_t)> label = {};  // the right class of a sample, if it is known
  SampleRejecter reject = {};
  /// The float network's outputs for samples, where they are known; nullptr: for none.
  const FloatOutputs* outputs = nullptr;
  /// Of a model whose batch is fixed: samples in each batch, of which `count` and `held_back` are numbers
  /// then, and all of them. See Batches.
  int64_t batch = 1;
  size_t samples = 0;
  const Graph* source =
      nullptr;  // the model as its file has it, for what its outputs mean; nullptr: the graph judged
  AskedTasks tasks = {};  // what they mean, where the source is not to tell
};

/// How far a network is from the float network on the held-back samples.
struct Quality {
  TopOne top1;
  std::vector<TaskFigures> tasks;  // agreement, in the order of the graph's outputs
  std::vector<Deviation> outputs;  // likewise
  /// Ascending: which of the held-back samples judged it. What follows per sample is in this order.
  std::vector<size_t> judged;
  /// Per sample: the SQNR of its worst output.
  std::vector<std::optional<double>> sample_sqnrs;
  /// Per sample: the mean over the outputs of its OutputError, probabilities by their logarithm, lists of boxes
  /// aligned, other detections in the rows that hold an object (Agreement::align, pass_over).
  std::vector<double> errors;
  /// Per sample: what each channel of each output adds to that.
  std::vector<std::vector<double>> channel_errors;

  std::optional<double> sqnr_db() const;         // of the worst output, over all samples; see Deviation
  std::optional<double> median_sqnr_db() const;  // of sample_sqnrs: that of most, whatever one's energy
  std::optional<double> agreement() const;       // percent, of the worst output that has one; see TaskFigures

  /// By how much the roots of the errors are lower than another network's on the samples that judged both, on average,
  /// in standard errors of that average: above 0 is better, above 1 is more than chance explains. Of the errors
  /// themselves the few largest would decide. A network with more samples of infinite error than the other's
  /// loses by kMostGain; those that are infinite in both do not count. Nothing where samples do not differ in
  /// their gain, as copies do not: then it is not known how much chance explains.
  std::optional<double> gain_over(const Quality& other) const;
  static constexpr double kMostGain = 1000;

  /// True if some channel of the outputs is much worse than another network's on the samples that judged both, whatever
  /// all channels gain together: its error is larger by a quarter, and that one of as many channels seems so
  /// by chance is less likely than one in five. A program may read one channel of many first, as the
  /// objectness of a detector is.
  bool worsens_a_channel_of(const Quality& other) const;
};

/// The network that another is to replace.
struct Rival {
  const Quality& quality;  // on all held-back samples
  double needed_gain = 0;  // that the other must exceed, in standard errors
};

/// Objections to a network, a sentence each: that most held-back samples disagree with it, or that
/// their error is as large as a good part of the signal. Empty for nothing.
std::vector<std::string> doubts_about(const Quality& quality);

/// Keeps the held-back samples and what the float network computes of them.
class Validator {
 public:
  /// Loads samples `held_back` of the loader and runs those whose SampleSet::outputs are not known, as many of them, from the first on, as
  /// kValidationBytes hold. Errors: those of the loader and of Engine::run.
  /// A sample of which alone the float network computes what is not finite is rejected (SampleSet::reject).
  Validator(const Graph& graph, const std::vector<size_t>& held_back, const SampleSet& set,
            const CalibrateOptions& options);

  /// Runs a quantized form of the graph: with the same inputs and outputs. Thread counts do not show.
  Quality judge(const Graph& network) const;

  /// The same, with an early end for a network that has next to no chance against the rival: after a quarter of the
  /// samples and after half of them, evenly spread, those alone judge where the others would have to gain more than
  /// kHopeless standard errors to lift the gain to what is needed. Below kFewestRaced samples all judge.
  Quality judge(const Graph& network, const Rival& rival) const;
  static constexpr double kHopeless = 3;
  static constexpr size_t kFewestRaced = 32;

  /// Errors: those of check_meaning, by what the outputs were taken for.
  void check_meaning(Need need) const;

  size_t samples() const;

 private:
  struct Sample {
    size_t number = 0;  // in the set
    std::vector<Tensor> inputs, outputs;
    std::vector<std::optional<int64_t>> labels;  // one a row
  };
  /// One sample of one network.
  struct Judged {
    Quality quality;
    std::vector<std::vector<SampleShare>> rows;
  };
  /// Per held-back sample; nothing for one that has not judged.
  using Judgement = std::vector<std::optional<Judged>>;
  /// Adds the samples of these numbers.
  void judge_on(const std::vector<size_t>& samples, Engine& engine, Judgement& judgement) const;
  Quality total(Judgement judgement, const Graph& network) const;
  void judge_rows(const Sample& sample, const std::vector<Tensor>& computed, Quality& part,
                  std::vector<std::vector<SampleShare>>& rows) const;
  void drop_overflowing(const Graph& graph, const SampleSet& set);
  Quality judge_errors(const Sample& sample, const std::vector<Tensor>& computed) const;

  const Graph& source_;
  Agreement agreement_;
  int64_t batch_;
  int threads_;
  std::vector<OutputError> errors_;  // per output
  const KernelTable& kernels_;
  std::vector<Sample> samples_;
};

constexpr size_t kValidationBytes = size_t{256} << 20;

}  // namespace quantize
