// Weighing the evidence for each preprocessing. Read choose_preprocess() at the end, then weigh().
#include "calibration/search/auto_preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "calibration/images/choose_samples.h"
#include "calibration/images/preprocess_file.h"
#include "calibration/search/preprocess_clues.h"
#include "calibration/search/preprocess_evidence.h"
#include "core/error.h"
#include "core/ops/macs.h"
#include "core/passes/passes.h"

namespace quantize {
namespace {

constexpr size_t kImages = 32, kLabelledImages = 128, kLines = 12, kFewImages = 8;
constexpr double kBudget = 60e9;  // multiply-accumulates of all runs: some seconds
constexpr int64_t kAssumedSide = 224, kSmallSide = 128;
constexpr double kByTheFile = 6, kDefaultPrior = 0.1, kOwnPrior = -0.5, kContradiction = 1, kClearLead = 1;
constexpr double kStandardErrors = 2, kPlain = 0.1;

constexpr const char* kOwnName = "their own mean and deviation";

/// The evidence that needs no image.
struct Situation {
  ImageInput input;
  std::vector<Clue> clues;
  std::string geometry;  // words behind a preset's name: ",letterbox,320"
  bool text_line = false, assumed_size = false;

  template <typename T>
  std::optional<T> told(std::optional<T> Clue::*what) const {
    for (const Clue& clue : clues)
      if (clue.*what) return clue.*what;
    return std::nullopt;
  }
};

/// The axes of the first output that are longer than 1 or open.
size_t rank_of_output(const Graph& prepared) {
  const auto& shape = prepared.value(prepared.outputs[0]).shape;
  if (!shape) return 2;
  size_t rank = shape->size();
  while (rank > 2 && (*shape)[rank - 1] == 1) --rank;
  return rank;
}

bool is_small(const ImageInput& input) {
  return input.height != kUnknownDim && input.width != kUnknownDim &&
         std::max(input.height, input.width) < kSmallSide;
}

/// The word for how images become the model's size; empty: as the preset says.
std::string mode_word(const Situation& situation, const Graph& prepared) {
  const std::optional<ResizeMode> told = situation.told(&Clue::mode);
  if (situation.text_line) return ",height";
  if (told) return *told == ResizeMode::kLetterbox ? ",letterbox" : ",shorter_side";
  const size_t rank = rank_of_output(prepared);
  if (rank == 3 || (rank > 3 && prepared.outputs.size() > 1)) return ",letterbox";
  return is_small(situation.input) || rank > 3 ? ",stretch" : "";
}

std::string size_word(const ImageSize& size) {
  return "," + std::to_string(size.height) + "x" + std::to_string(size.width);
}

Situation assess(const Graph& readable, const Graph& prepared, const ImageInput& guessed) {
  Situation situation;
  situation.input = guessed;
  ImageInput& input = situation.input;
  situation.clues = read_clues(readable, input);
  const bool open_width = input.width == kUnknownDim, open_height = input.height == kUnknownDim;
  situation.text_line = (open_width && !open_height) || situation.told(&Clue::mode) == ResizeMode::kHeight;
  situation.geometry = mode_word(situation, prepared);
  if (!open_height && (!open_width || situation.text_line)) return situation;
  const std::optional<ImageSize> told = situation.told(&Clue::size);
  situation.assumed_size = !told && input.width == kUnknownDim;
  const int64_t side = input.width == kUnknownDim ? kAssumedSide : input.width;
  situation.geometry += size_word(told.value_or(ImageSize{side, side}));
  return situation;
}

/// A preset in this geometry.
Preprocess fit(const std::string& name, const Situation& situation) {
  Preprocess preprocess = preset(name + situation.geometry, situation.input);
  // Ultralytics crops what it has resized to the same side.
  if (situation.told(&Clue::mode) == ResizeMode::kShorterSide && preprocess.crop) {
    const int64_t side = std::max(preprocess.crop->height, preprocess.crop->width);
    preprocess.resize.size = ImageSize{side, side};
  }
  return preprocess;
}

PreprocessCandidate with_numbers(const std::string& name, const PixelNumbers& numbers,
                                 const Situation& situation) {
  Preprocess preprocess = fit("unit", situation);
  preprocess.scale = numbers.scale;
  preprocess.mean = numbers.mean;
  preprocess.std = numbers.std;
  return {name, resolve(std::move(preprocess), situation.input)};
}

/// Mean and deviation of the pictures, per channel, of pixels of 0 to 1.
PixelNumbers own_numbers(const Probe& probe, int64_t channels) {
  const auto count = static_cast<size_t>(channels);
  std::vector<double> sum(count), square(count), pixels(count);
  for (const Picture& picture : probe.pictures) {
    for (size_t i = 0; i < picture.levels.size(); ++i) {
      const double level = picture.levels[i] / 255.0;
      sum[i % count] += level;
      square[i % count] += level * level;
      pixels[i % count] += 1;
    }
  }
  PixelNumbers numbers{"", 1 / 255.0, {}, {}};
  const auto rounded = [](double x) { return std::round(x * 1000) / 1000; };
  for (size_t c = 0; c < count; ++c) {
    const double mean = sum[c] / pixels[c];
    numbers.mean.push_back(rounded(mean));
    numbers.std.push_back(
        std::max(rounded(std::sqrt(std::max(square[c] / pixels[c] - mean * mean, 0.0))), 0.01));
  }
  return numbers;
}

const char* fallback_for(const ImageInput& input) {
  return input.channels == 1 ? "unit" : "imagenet";
}

/// The preset, in its size where the input leaves it open.
Preprocess fallback_of(const std::string& name, const ImageInput& input) {
  const bool open = input.height == kUnknownDim || input.width == kUnknownDim;
  const ImageSize size = {input.height == kUnknownDim ? kAssumedSide : input.height,
                          input.width == kUnknownDim ? kAssumedSide : input.width};
  return preset(name + (open ? size_word(size) : ""), input);
}

/// Integers: pixels as they are, or those of -128 to 127 for s8. `geometry`: words behind a preset's name.
Preprocess pixels_of(const ImageInput& input, const std::string& geometry = "") {
  ImageInput floats = input;
  floats.dtype = DataType::kF32;
  Preprocess preprocess = geometry.empty() ? fallback_of("raw", floats) : preset("raw" + geometry, floats);
  if (input.dtype == DataType::kS8) preprocess.mean.assign(preprocess.mean.size(), 128);
  return resolve(std::move(preprocess), input);
}

Preprocess plain_preprocess(const ImageInput& input) {
  return input.takes_pixels() ? pixels_of(input) : fallback_of(fallback_for(input), input);
}

struct Field {
  Candidates candidates;
  std::vector<double> priors;
};

Field make_field(const Situation& situation, const Probe& probe) {
  Field field;
  const std::string fallback = fallback_for(situation.input);
  for (const char* name : {"imagenet", "tf", "caffe", "unit", "raw"}) {
    field.candidates.push_back({name, fit(name, situation)});
    field.priors.push_back(name == fallback ? kDefaultPrior : 0);
  }
  // Networks for small images are trained on data sets of their own, which are no plain surfaces.
  const PixelNumbers numbers = own_numbers(probe, situation.input.channels);
  if (is_small(situation.input) && *std::min_element(numbers.std.begin(), numbers.std.end()) > kPlain) {
    field.candidates.push_back(with_numbers(kOwnName, numbers, situation));
    field.priors.push_back(kOwnPrior);
  }
  for (const Clue& clue : situation.clues) {
    if (!clue.numbers || !clue.numbers->preset.empty()) continue;
    field.candidates.push_back(with_numbers("the metadata's numbers", *clue.numbers, situation));
    field.priors.push_back(0);
  }
  return field;
}

/// The verdict of a clue on each candidate.
Evidence evidence_of(const Clue& clue, const Candidates& candidates) {
  Evidence evidence{clue.text, {}, clue.numbers.has_value()};
  if (!clue.numbers) return evidence;
  const std::string wanted = clue.numbers->preset.empty() ? "the metadata's numbers" : clue.numbers->preset;
  for (const PreprocessCandidate& each : candidates)
    evidence.support.push_back(each.name == wanted ? 0 : -kByTheFile);
  return evidence;
}

struct Verdict {
  size_t best = 0, next = 0;
  bool sure = false;
};

/// The sum of all support decides. It is sure where a decisive measurement stands behind the best candidate,
/// none contradicts it, and the next one is clearly behind.
Verdict weigh(const std::vector<Evidence>& evidence, const Field& field) {
  std::vector<double> score = field.priors;
  for (const Evidence& each : evidence)
    for (size_t c = 0; c < each.support.size(); ++c) score[c] += each.support[c];
  std::vector<size_t> order(score.size());
  for (size_t c = 0; c < order.size(); ++c) order[c] = c;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return score[a] > score[b]; });
  Verdict verdict{order[0], order[1], false};
  bool decided = false, contradicted = false;
  for (const Evidence& each : evidence) {
    if (each.support.empty()) continue;
    decided = decided || (each.decisive && each.support[verdict.best] == 0);
    contradicted = contradicted || (!each.weak && each.support[verdict.best] < -kContradiction);
  }
  verdict.sure = decided && !contradicted && score[verdict.best] - score[verdict.next] >= kClearLead;
  return verdict;
}

/// The same with the channels in the other order.
Preprocess flipped(Preprocess preprocess) {
  preprocess.color = preprocess.color == Color::kBgr ? Color::kRgb : Color::kBgr;
  std::reverse(preprocess.mean.begin(), preprocess.mean.end());
  std::reverse(preprocess.std.begin(), preprocess.std.end());
  return preprocess;
}

size_t images_for(const Graph& prepared, const Situation& situation, bool labelled) {
  if (situation.text_line) return kLines;
  double macs = 1;
  for (const Node& node : prepared.nodes) macs += static_cast<double>(macs_of(prepared, node));
  constexpr double kRunsPerImage = 8;
  const double most = static_cast<double>(labelled ? kLabelledImages : kImages);
  return static_cast<size_t>(std::clamp(kBudget / (macs * kRunsPerImage), double{kFewImages}, most));
}

/// One guess in the making.
class Guess {
 public:
  /// `guessed`: the position of the input among those of the model.
  Guess(const Graph& source, const Graph& prepared, const SampleList& list, size_t guessed,
        const GuessOptions& options)
      : prepared_(prepared), options_{options.threads, options.engine}, readable_(source) {
    upgrade_opset(readable_, kMinOutputOpset);
    infer_and_fold(readable_);
    situation_ = assess(readable_, prepared, image_input_of(prepared.value(prepared.inputs[guessed])));
    std::vector<Sample> samples = list.whole;
    if (options.label) std::erase_if(samples, [&](const Sample& each) { return !options.label(each.name); });
    const bool labelled = options.label && !samples.empty();
    if (!labelled) samples = list.whole;
    std::vector<Sample> tried;
    for (const size_t i : spread_evenly(images_for(prepared, situation_, labelled), samples.size()))
      tried.push_back(samples[i]);
    probe_ = make_probe(tried, probe_inputs(list, guessed, options), options.threads);
    if (probe_.own_size && situation_.geometry.empty()) situation_.geometry = ",stretch";
    if (!labelled) return;
    for (const Picture& each : probe_.pictures) labels_.push_back(options.label(each.name));
  }

  PreprocessChoice choose() {
    const Field field = make_field(situation_, probe_);
    measure(field.candidates);
    const Verdict verdict = weigh(evidence_, field);
    PreprocessChoice choice;
    choice.given = false;
    choice.preprocess = field.candidates[verdict.best].preprocess;
    const bool colors_show = show_colors(choice.preprocess);
    choice.name = to_argument(choice.preprocess, situation_.input);
    choice.runner_up = to_argument(field.candidates[verdict.next].preprocess, situation_.input);
    const bool made_up =
        field.candidates[verdict.best].name == kOwnName;  // by these images, for these images
    choice.sure = verdict.sure && !made_up && colors_show && !situation_.assumed_size &&
                  (probe_.pictures.size() >= kFewImages || situation_.told(&Clue::numbers));
    for (const Evidence& each : evidence_) choice.evidence.push_back(each.text);
    return choice;
  }

 private:
  ProbeInputs probe_inputs(const SampleList& list, size_t guessed, const GuessOptions& options) const {
    ProbeInputs inputs{guessed, situation_.input, fit("imagenet", situation_)};
    if (prepared_.inputs.size() == 1) return inputs;
    for (size_t k = 0; k < prepared_.inputs.size(); ++k) {
      inputs.images.emplace_back();
      if (!list.images[k]) continue;
      const ImageInput input = image_input_of(prepared_.value(prepared_.inputs[k]));
      inputs.images.back() = {input, plain_preprocess(input)};
    }
    inputs.tensors = options.tensors;
    return inputs;
  }

  void measure(const Candidates& candidates) {
    for (const Clue& clue : situation_.clues) evidence_.push_back(evidence_of(clue, candidates));
    const auto add = [&](std::optional<Evidence> each) {
      if (each) evidence_.push_back(*std::move(each));
    };
    add(normalization_evidence(normalization_misfit(readable_, probe_, candidates, options_), candidates));
    const Trial trial = run_trial(prepared_, probe_, candidates, options_);
    add(activity_evidence(trial, candidates));
    add(class_evidence(trial, candidates));
    add(box_evidence(trial, candidates));
    add(label_evidence(trial, labels_, candidates));
    if (situation_.assumed_size)
      evidence_.push_back({"the model leaves height and width open, and " + std::to_string(kAssumedSide) +
                               "x" + std::to_string(kAssumedSide) + " is assumed: --input-shape fixes them",
                           {},
                           false});
  }

  /// Turns the colours round if that is how they fit. False if nothing shows their order.
  bool show_colors(Preprocess& preprocess) {
    if (situation_.input.channels == 1) return true;
    if (const std::optional<Color> told = situation_.told(&Clue::color)) {
      if (preprocess.color != *told) preprocess = flipped(preprocess);
      return true;
    }
    const Candidates both = {{"as it is", preprocess}, {"turned round", flipped(preprocess)}};
    const std::optional<double> errors =
        preference(run_trial(prepared_, probe_, both, options_), labels_, 0, 1);
    const std::string order = preprocess.color == Color::kBgr ? "BGR" : "RGB";
    if (!errors || std::abs(*errors) < kStandardErrors) {
      evidence_.push_back({"nothing shows whether the colours are in the order of " + order, {}, false});
      return false;
    }
    char text[32];
    std::snprintf(text, sizeof text, "%.2f", std::abs(*errors));
    evidence_.push_back({std::string("the outputs are clearer with the colours in the ") +
                             (*errors > 0 ? "order of " : "other order than ") + order + ", by " + text +
                             " standard errors",
                         {},
                         false});
    if (*errors > 0) return true;
    preprocess = flipped(preprocess);
    return false;
  }

  const Graph& prepared_;
  ProbeOptions options_;
  Graph readable_;
  Situation situation_;
  Probe probe_;
  Labels labels_;
  std::vector<Evidence> evidence_;
};

/// For a model whose first image becomes integers: the file says in which order it takes the colours, if it
/// begins with a mean for each.
PreprocessChoice pixels_choice(const Graph& source, const Graph& prepared,
                               const std::vector<ImageInput>& inputs) {
  Graph readable = source;
  upgrade_opset(readable, kMinOutputOpset);
  infer_and_fold(readable);
  const ImageInput& first = inputs[0];
  const Situation situation = assess(readable, prepared, first);
  const std::optional<Color> told = situation.told(&Clue::color);
  std::vector<InputPreprocess> made;
  for (const ImageInput& input : inputs) made.push_back({input.name, pixels_of(input)});
  made[0].preprocess = pixels_of(first, situation.geometry);
  if (told == Color::kBgr) made[0].preprocess.color = *told;
  PreprocessChoice choice = make_choice(made, inputs);
  choice.given = false;
  const bool is_s8 = first.dtype == DataType::kS8;
  choice.sure = !is_s8 && !situation.assumed_size && (told || first.channels == 1) && inputs.size() == 1;
  choice.evidence.push_back(
      "the input '" + first.name + "' takes " + std::string(name_of(first.dtype)) +
      (is_s8 ? ", which holds pixels less 128" : ", so that the model itself normalizes pixels"));
  if (told || first.channels == 1) return choice;
  choice.evidence.emplace_back("nothing shows whether the colours are in the order of RGB");
  made[0].preprocess.color = Color::kBgr;
  choice.runner_up = to_argument(made[0].preprocess, first);
  return choice;
}

/// The guess for one of several inputs that take images as that for all: what does not suit an input's channels
/// or size is replaced by the preset that its channels suggest.
PreprocessChoice spread(const PreprocessChoice& guess, const ImageInput& guessed,
                        const std::vector<ImageInput>& inputs) {
  std::vector<InputPreprocess> made;
  bool all_fit = true;
  for (const ImageInput& input : inputs) {
    const bool alike = input.channels == guessed.channels && input.height == guessed.height &&
                       input.width == guessed.width && input.layout == guessed.layout &&
                       input.dtype == guessed.dtype;
    all_fit = all_fit && (alike || input.takes_pixels());
    made.push_back({input.name, alike ? guess.preprocess : plain_preprocess(input)});
  }
  PreprocessChoice choice = make_choice(std::move(made), inputs);
  choice.given = false;
  choice.sure = guess.sure && all_fit;
  choice.evidence = guess.evidence;
  choice.runner_up = guess.runner_up;
  return choice;
}

}  // namespace

PreprocessChoice choose_preprocess(const Graph& source, const Graph& prepared, const SampleList& list,
                                   const GuessOptions& options) {
  std::vector<Value> values;
  for (const ValueId id : prepared.inputs) values.push_back(prepared.value(id));
  const std::vector<ImageInput> inputs = image_inputs(values, list);
  if (auto kept = kept_preprocess(source.info.metadata, inputs)) return *std::move(kept);
  const auto floats = [](const ImageInput& input) { return !input.takes_pixels(); };
  const auto guessed = std::find_if(inputs.begin(), inputs.end(), floats);
  if (guessed == inputs.end()) return pixels_choice(source, prepared, inputs);
  size_t position = 0;
  while (values[position].name != guessed->name) ++position;
  const PreprocessChoice choice = Guess(source, prepared, list, position, options).choose();
  return values.size() == 1 ? choice : spread(choice, *guessed, inputs);
}

}  // namespace quantize
