// Weighing the evidence for each preset. Read choose_preprocess() at the end.
#include "calibration/auto_preprocess.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <numeric>
#include <string_view>

#include "calibration/decode_image.h"
#include "calibration/preprocess_evidence.h"
#include "calibration/preprocess_file.h"
#include "core/error.h"

namespace quantize {
namespace {

constexpr size_t kMaxImages = 32, kMinImages = 8;  // fewer have no standard error worth the name
constexpr int64_t kAssumedSide = 224, kFewClasses = 10;
constexpr double kOneDeviation = 0.5, kOneBit = std::numbers::ln2, kStandardErrors = 2;

struct Candidate {
  std::string name;
  Preprocess preprocess;
};

/// Images of the whole list, so that every shard of it has the same preprocessing.
std::vector<Sample::Part> images_to_try(const SampleList& list) {
  std::vector<Sample::Part> images;
  for (const size_t i : spread_evenly(kMaxImages, list.whole.size()))
    images.push_back(list.whole[i].parts[0]);
  return images;
}

/// True if all images that can be read have the input's size.
bool have_own_size(const std::vector<Sample::Part>& images, const ImageInput& input) {
  return std::all_of(images.begin(), images.end(), [&](const Sample::Part& part) {
    try {
      const Image image = decode_image(part.bytes());
      return image.height == input.height && image.width == input.width;
    } catch (const Error&) {  // it is counted and named when it is loaded as a sample
      return true;
    }
  });
}

/// A preset, fitted to what the model leaves open and to images that need no resizing.
Preprocess fit_preset(const std::string& name, const ImageInput& input, bool own_size) {
  ImageInput closed = input;
  if (closed.height == kUnknownDim) closed.height = closed.width == kUnknownDim ? kAssumedSide : closed.width;
  if (closed.width == kUnknownDim) closed.width = closed.height;
  Preprocess preprocess = preset(name, closed);
  const bool text_line = input.height != kUnknownDim && input.width == kUnknownDim;
  if (own_size || text_line) {
    preprocess.crop.reset();
    preprocess.resize.mode = text_line ? ResizeMode::kHeight : ResizeMode::kStretch;
    preprocess.resize.size.reset();
  }
  return resolve(std::move(preprocess), input);
}

std::vector<Candidate> make_candidates(const ImageInput& input, bool own_size) {
  std::vector<Candidate> candidates;
  for (const char* name : preset_names()) {
    if (std::string_view(name) == "yolo")
      continue;  // `unit` in another geometry, which no evidence here can see
    const Preprocess fitted = fit_preset(name, input, own_size);
    candidates.push_back({preset_name_of(fitted, input).value_or(to_json(fitted)), fitted});
  }
  return candidates;
}

/// The image under every candidate; nothing if it cannot be used.
std::vector<Tensor> try_all(const Sample::Part& part, const std::vector<Candidate>& candidates) {
  std::vector<Tensor> tensors;
  try {
    const Image image = decode_image(part.bytes());
    for (const Candidate& each : candidates) tensors.push_back(preprocess_image(image, each.preprocess));
  } catch (const Error&) {  // as above
    tensors.clear();
  }
  return tensors;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

double mean(const std::vector<double>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
}

/// The mean of a - b in units of its standard error, images paired.
double lead(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> difference, squares;
  for (size_t i = 0; i < a.size(); ++i) difference.push_back(a[i] - b[i]);
  const double average = mean(difference);
  for (const double each : difference) squares.push_back((each - average) * (each - average));
  const double error = std::sqrt(mean(squares) / static_cast<double>(a.size() - 1));
  return average / std::max(error, 1e-12);
}

/// Candidates from best to worst by `better`.
template <typename Better>
std::vector<size_t> rank(size_t count, const Better& better) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), better);
  return order;
}

PreprocessChoice choose(const Candidate& candidate, const std::string& runner_up, std::string evidence) {
  return {candidate.preprocess, candidate.name, false, true, {std::move(evidence)}, runner_up};
}

std::optional<PreprocessChoice> from_normalizations(const Graph& source,
                                                    const std::vector<Candidate>& candidates,
                                                    const Trial& trial) {
  const std::vector<double> misfit = normalization_misfit(source, trial);
  if (misfit.empty()) return std::nullopt;
  const auto order = rank(misfit.size(), [&](size_t a, size_t b) { return misfit[a] < misfit[b]; });
  const double best = misfit[order[0]], next = misfit[order[1]];
  if (!(best < kOneDeviation && best <= next / 2)) return std::nullopt;
  const std::string& runner_up = candidates[order[1]].name;
  return choose(candidates[order[0]], runner_up,
                "the input of its first BatchNormalization is as in training but for " + number(best) +
                    " nats per channel, with '" + runner_up + "' " + number(next));
}

/// True if the first output is a vector per image.
bool is_classifier(const Graph& prepared) {
  const auto& shape = prepared.value(prepared.outputs[0]).shape;
  return shape && shape->size() == 2;
}

const Candidate& default_of(const std::vector<Candidate>& candidates, const ImageInput& input) {
  const std::string name = input.channels == 1 ? "unit" : "imagenet";
  return *std::find_if(candidates.begin(), candidates.end(),
                       [&](const auto& c) { return c.name.starts_with(name); });
}

/// From the outputs if they are many classes; else the default, and why.
PreprocessChoice from_classes(const ClassInformation& information, const std::vector<Candidate>& candidates,
                              const Candidate& fallback) {
  const auto guess = [&](const Candidate& chosen, const std::string& runner_up, const std::string& evidence) {
    PreprocessChoice choice = choose(chosen, runner_up, evidence);
    choice.sure = false;
    return choice;
  };
  if (information.classes < 2) {
    return guess(fallback, "", "the model's first output is no list of classes, so it does not show");
  }
  const auto& nats = information.nats;
  const size_t images = nats[0].size();
  const auto order = rank(nats.size(), [&](size_t a, size_t b) { return mean(nats[a]) > mean(nats[b]); });
  const Candidate &best = candidates[order[0]], &next = candidates[order[1]];
  if (information.classes <= kFewClasses || images < kMinImages) {
    std::string listing;
    for (const size_t c : order)
      listing += (listing.empty() ? "" : ", ") + candidates[c].name + " " + number(mean(nats[c]));
    return guess(fallback, fallback.name == best.name ? next.name : best.name,
                 std::to_string(information.classes) + " classes and " + std::to_string(images) +
                     " images are too few to tell from the outputs (in nats: " + listing + ")");
  }
  const double first = mean(nats[order[0]]), second = mean(nats[order[1]]);
  const double errors = lead(nats[order[0]], nats[order[1]]);
  const std::string numbers = "the outputs tell " + std::to_string(images) + " images apart by " +
                              number(first) + " nats with '" + best.name + "' and by " + number(second) +
                              " with '" + next.name + "', " + number(errors) + " standard errors less";
  if (first >= kOneBit && errors >= kStandardErrors) return choose(best, next.name, numbers);
  const auto place = static_cast<size_t>(&fallback - candidates.data());
  if (first >= kOneBit && lead(nats[order[0]], nats[place]) >= kStandardErrors)
    return guess(best, next.name, numbers);
  return guess(fallback, fallback.name == best.name ? next.name : best.name, numbers);
}

}  // namespace

PreprocessChoice choose_preprocess(const Graph& source, const Graph& prepared, const SampleList& list,
                                   int threads, const CompileOptions& engine) {
  const ImageInput input = image_input_of(prepared.value(prepared.inputs[0]));
  if (auto choice = kept_preprocess(source.info.metadata, input)) return *std::move(choice);

  const std::vector<Sample::Part> images = images_to_try(list);
  const std::vector<Candidate> candidates = make_candidates(input, have_own_size(images, input));
  std::atomic<size_t> used = 0;
  Trial trial{images.size(), candidates.size(), nullptr, threads, engine};
  trial.load = [&](size_t i) {
    std::vector<Tensor> tensors = try_all(images[i], candidates);
    if (!tensors.empty()) ++used;
    return tensors;
  };
  auto choice = from_normalizations(source, candidates, trial);
  if (choice && input.channels == 3 && !is_classifier(prepared)) {
    choice->sure = false;
    choice->evidence.push_back(
        "a model that names no classes shows neither the order of its colours nor how its images were cut");
  }
  if (!choice)
    choice = from_classes(class_information(prepared, trial), candidates, default_of(candidates, input));
  if (used == 0) {
    throw Error(ErrorKind::kCalibration, "none of the " + std::to_string(images.size()) +
                                             " images tried can be used, the first being '" + images[0].file +
                                             "'");
  }
  if (input.height == kUnknownDim && input.width == kUnknownDim) {
    choice->sure = false;
    choice->evidence.push_back("the model leaves height and width open, and " + std::to_string(kAssumedSide) +
                               "x" + std::to_string(kAssumedSide) + " is assumed; --input-shape fixes them");
  }
  return *std::move(choice);
}

}  // namespace quantize
