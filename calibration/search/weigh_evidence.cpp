// Words and weights for measurements. Read the functions of preprocess_evidence.h.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <numeric>

#include "calibration/search/preprocess_evidence.h"

namespace quantize {
namespace {

constexpr size_t kFewImages = 8;  // fewer have no standard error worth the name
constexpr size_t kFewClasses = 10;
constexpr double kOneDeviation = 0.5, kOneBit = std::numbers::ln2, kStandardErrors = 2;
// Weights: a support of -1 is about the odds of 1 : e that somebody trained like that.
constexpr double kPerNatOfMisfit = 2, kPerBitOfActivity = 20, kPerNatOfClasses = 4, kPerRightImage = 0.5;
constexpr double kWorst = 4, kWorstByLabels = 40;  // of one measurement; labels decide
constexpr double kImpossibleMargin = 20;  // nats: no trained classifier is that certain of half its images
constexpr double kCrowded = 0.05;         // share of rows: no detector finds that many boxes in all images

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

double mean(const std::vector<double>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
}

double median(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  return *middle;
}

/// The mean of a - b in units of its standard error, pictures paired.
double lead(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> difference, squares;
  for (size_t i = 0; i < a.size(); ++i) difference.push_back(a[i] - b[i]);
  const double average = mean(difference);
  if (average == 0 || a.size() < kFewImages) return 0;
  for (const double each : difference) squares.push_back((each - average) * (each - average));
  const double error = std::sqrt(mean(squares) / static_cast<double>(a.size() - 1));
  return average / std::max(error, 1e-12);
}

/// Candidates from the largest value to the smallest.
std::vector<size_t> rank(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] > values[b]; });
  return order;
}

/// "tf 0.74, imagenet 0.72, ...", best first.
std::string listing(const std::vector<double>& values, const std::vector<size_t>& order,
                    const Candidates& candidates) {
  std::string text;
  for (const size_t c : order)
    text += (text.empty() ? "" : ", ") + candidates[c].name + " " + number(values[c]);
  return text;
}

/// weight * (value - the largest), at least -worst.
std::vector<double> below_best(const std::vector<double>& values, double weight, double worst = kWorst) {
  const double largest = *std::max_element(values.begin(), values.end());
  std::vector<double> support;
  for (const double each : values) support.push_back(std::max(weight * (each - largest), -worst));
  return support;
}

/// Divergences of the pictures that all candidates have classes for; empty if there are none.
std::vector<std::vector<double>> class_nats(const Trial& trial) {
  std::vector<std::vector<double>> nats;
  const size_t classes = trial.readings[0][0].probabilities.size();
  for (const auto& readings : trial.readings) {
    std::vector<const OutputReading*> all;
    for (const OutputReading& each : readings) {
      if (each.probabilities.size() != classes || classes == 0) return {};
      all.push_back(&each);
    }
    nats.push_back(divergences(all));
  }
  return nats;
}

double typical_margin(const std::vector<OutputReading>& readings) {
  std::vector<double> margins;
  for (const OutputReading& each : readings) margins.push_back(each.margin);
  return median(std::move(margins));
}

std::vector<double> boxes_of(const std::vector<OutputReading>& readings) {
  std::vector<double> boxes;
  for (const OutputReading& each : readings) boxes.push_back(each.boxes);
  return boxes;
}

bool is_crowded(const std::vector<OutputReading>& readings) {
  std::vector<double> shares;
  for (const OutputReading& each : readings) shares.push_back(each.crowded);
  return mean(shares) > kCrowded;
}

/// 1 for each labelled picture whose class is right, 0 for the others.
std::vector<double> right_of(const std::vector<OutputReading>& readings, const Labels& labels) {
  std::vector<double> right;
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels[i]) right.push_back(readings[i].best == *labels[i] ? 1 : 0);
  return right;
}

}  // namespace

std::optional<Evidence> normalization_evidence(const std::vector<double>& misfit,
                                               const Candidates& candidates) {
  if (misfit.empty()) return std::nullopt;
  std::vector<double> fit;
  for (const double each : misfit) fit.push_back(-std::min(each, 99.0));
  const std::vector<size_t> order = rank(fit);
  const double best = misfit[order[0]], next = misfit[order[1]];
  if (!(best < 1)) return std::nullopt;  // nothing fits: the images are not those of the training
  std::vector<double> shown;
  for (const double each : fit) shown.push_back(-each);
  return Evidence{"the first BatchNormalization gets what it got in training but for (nats per channel): " +
                      listing(shown, order, candidates),
                  below_best(fit, kPerNatOfMisfit), best < kOneDeviation && best <= next / 2};
}

std::optional<Evidence> activity_evidence(const Trial& trial, const Candidates& candidates) {
  if (trial.activity.empty()) return std::nullopt;
  const std::vector<size_t> order = rank(trial.activity);
  return Evidence{"channels of convolutions neither die nor stay positive (bits of their sign): " +
                      listing(trial.activity, order, candidates),
                  below_best(trial.activity, kPerBitOfActivity), false, true};
}

std::optional<Evidence> class_evidence(const Trial& trial, const Candidates& candidates) {
  if (trial.kind != OutputReader::Kind::kClasses) return std::nullopt;
  const auto nats = class_nats(trial);
  if (nats.empty()) return std::nullopt;
  std::vector<double> information, counted;
  std::string certain;
  for (size_t c = 0; c < nats.size(); ++c) {
    information.push_back(mean(nats[c]));
    const bool possible = typical_margin(trial.readings[c]) <= kImpossibleMargin;
    counted.push_back(possible ? information[c] : 0);
    if (!possible) certain += (certain.empty() ? "" : ", ") + candidates[c].name;
  }
  const std::vector<size_t> order = rank(counted);
  const double first = information[order[0]], errors = lead(nats[order[0]], nats[order[1]]);
  const size_t classes = trial.readings[0][0].probabilities.size();
  Evidence evidence{"the outputs tell " + std::to_string(nats[0].size()) +
                        " images apart by (nats): " + listing(information, order, candidates) +
                        ", the first by " + number(errors) + " standard errors",
                    below_best(counted, kPerNatOfClasses),
                    classes > kFewClasses && first >= kOneBit && errors >= kStandardErrors};
  if (!certain.empty()) evidence.text += "; certain beyond reason: " + certain;
  return evidence;
}

std::optional<Evidence> box_evidence(const Trial& trial, const Candidates& candidates) {
  if (trial.kind != OutputReader::Kind::kBoxes) return std::nullopt;
  std::vector<double> found, counted;
  std::string crowds;
  for (size_t c = 0; c < candidates.size(); ++c) {
    const bool crowded = is_crowded(trial.readings[c]);
    found.push_back(mean(boxes_of(trial.readings[c])));
    counted.push_back(crowded ? std::log(0.01) : std::log(found[c] + 0.05));
    if (crowded) crowds += (crowds.empty() ? "" : ", ") + candidates[c].name;
  }
  const std::vector<size_t> order = rank(counted);
  if (!(found[order[0]] > 0.05)) return std::nullopt;  // no box anywhere
  const double errors = lead(boxes_of(trial.readings[order[0]]), boxes_of(trial.readings[order[1]]));
  Evidence evidence{
      "confident boxes per image, weighted by their scores: " + listing(found, order, candidates) +
          ", the first by " + number(errors) + " standard errors",
      below_best(counted, 1), found[order[0]] >= 0.5 && errors >= kStandardErrors};
  if (!crowds.empty()) evidence.text += "; boxes everywhere: " + crowds;
  return evidence;
}

std::optional<Evidence> label_evidence(const Trial& trial, const Labels& labels,
                                       const Candidates& candidates) {
  if (trial.kind != OutputReader::Kind::kClasses || labels.empty()) return std::nullopt;
  std::vector<std::vector<double>> right;
  std::vector<double> sums, percent;
  for (const auto& readings : trial.readings) {
    right.push_back(right_of(readings, labels));
    if (right.back().empty()) return std::nullopt;
    percent.push_back(100 * mean(right.back()));
    sums.push_back(std::accumulate(right.back().begin(), right.back().end(), 0.0));
  }
  const std::vector<size_t> order = rank(sums);
  const double errors = lead(right[order[0]], right[order[1]]);
  return Evidence{"top-1 in percent on " + std::to_string(right[0].size()) +
                      " labelled images: " + listing(percent, order, candidates) + ", the first by " +
                      number(errors) + " standard errors",
                  below_best(sums, kPerRightImage, kWorstByLabels), errors >= kStandardErrors};
}

std::optional<double> preference(const Trial& trial, const Labels& labels, size_t a, size_t b) {
  if (trial.kind == OutputReader::Kind::kBoxes)
    return lead(boxes_of(trial.readings[a]), boxes_of(trial.readings[b]));
  if (trial.kind != OutputReader::Kind::kClasses) return std::nullopt;
  const std::vector<double> right_a = right_of(trial.readings[a], labels);
  if (!right_a.empty()) return lead(right_a, right_of(trial.readings[b], labels));
  const auto nats = class_nats(trial);
  if (nats.empty() || trial.readings[0][0].probabilities.size() <= kFewClasses) return std::nullopt;
  return lead(nats[a], nats[b]);
}

}  // namespace quantize
