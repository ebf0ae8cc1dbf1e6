// Reading outputs as classes or boxes. Read OutputReader's constructor and read().
#include "calibration/search/output_evidence.h"

#include <algorithm>
#include <cmath>

namespace quantize {
namespace {

constexpr double kConfident = 0.3, kCrowded = 0.05;
constexpr int64_t kFewestRows = 16;

bool is_distribution(const float* row, int64_t classes) {
  double sum = 0;
  for (int64_t k = 0; k < classes; ++k) {
    if (!(row[k] >= 0)) return false;
    sum += row[k];
  }
  return std::abs(sum - 1) < 1e-3;
}

std::vector<double> softmax(const float* row, int64_t classes) {
  const double largest = *std::max_element(row, row + classes);
  std::vector<double> p(static_cast<size_t>(classes));
  double sum = 0;
  for (size_t k = 0; k < p.size(); ++k) sum += p[k] = std::exp(row[k] - largest);
  for (double& each : p) each /= sum;
  return p;
}

/// Of a row of one image: the best class, and by how much it leads.
void read_margin(const float* row, int64_t classes, bool ready, OutputReading& reading) {
  int64_t best = 0, next = -1;
  for (int64_t k = 1; k < classes; ++k) {
    if (row[k] > row[best]) {
      next = best;
      best = k;
    } else if (next < 0 || row[k] > row[next]) {
      next = k;
    }
  }
  reading.best = best;
  if (next < 0) return;
  const double a = row[best], b = row[next];
  reading.margin = ready ? std::log(std::max(a, 1e-30) / std::max(b, 1e-30)) : a - b;
}

/// The classes are the last axis that is longer than 1.
OutputReading read_classes(const Tensor& output) {
  OutputReading reading;
  if (output.dtype() != DataType::kF32 || output.size() == 0) return reading;
  Shape shape = output.shape();
  while (!shape.empty() && shape.back() == 1) shape.pop_back();
  if (shape.empty()) return reading;
  const int64_t classes = shape.back(), rows = output.size() / classes;
  reading.probabilities.resize(static_cast<size_t>(classes));
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = output.data<float>() + r * classes;
    const bool ready = is_distribution(row, classes);
    if (!ready && rows > 1) return {};
    if (rows == 1) read_margin(row, classes, ready, reading);
    const std::vector<double> p = ready ? std::vector<double>(row, row + classes) : softmax(row, classes);
    for (size_t k = 0; k < p.size(); ++k) {
      reading.probabilities[k] += p[k] / static_cast<double>(rows);
      if (p[k] > 0) reading.negative_entropy += p[k] * std::log(p[k]) / static_cast<double>(rows);
    }
  }
  return reading;
}

bool is_ready(const Tensor& output) {
  const Shape& shape = output.shape();
  const int64_t classes = shape.empty() ? 0 : shape.back();
  return output.dtype() == DataType::kF32 && classes > 1 && is_distribution(output.data<float>(), classes);
}

/// A tensor [1, rows, columns] or [1, columns, ...]: the shorter side are the columns.
struct Rows {
  int64_t rows = 0, columns = 0;
  bool columns_last = true;
};
Rows rows_of(const Shape& shape) {
  if (shape.size() < 3 || shape[0] != 1) return {};
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  const bool last = shape.back() <= shape[1];
  const int64_t columns = last ? shape.back() : shape[1];
  return {columns == 0 ? 0 : size / columns, columns, last};
}

float at(const Tensor& tensor, const Rows& rows, int64_t row, int64_t column) {
  return tensor.data<float>()[rows.columns_last ? row * rows.columns + column : column * rows.rows + row];
}

bool is_score(const Tensor& tensor, const Rows& rows, int64_t column) {
  for (int64_t r = 0; r < rows.rows; ++r) {
    const float value = at(tensor, rows, r, column);
    if (!(value >= 0 && value <= 1)) return false;
  }
  return true;
}

}  // namespace

bool OutputReader::find_classes(const std::vector<std::vector<Tensor>>& outputs) {
  const std::vector<Tensor>& first = outputs[0];
  for (size_t i = 0; i < first.size(); ++i)
    if (first[i].shape().size() == 2 && is_ready(first[i])) class_output_ = i;
  return std::all_of(outputs.begin(), outputs.end(), [&](const auto& each) {
    return read_classes(each[class_output_]).probabilities.size() > 1;
  });
}

void OutputReader::find_scores(const std::vector<std::vector<Tensor>>& outputs, size_t output) {
  const Shape& shape = outputs[0][output].shape();
  const Rows rows = rows_of(shape);
  if (rows.rows < kFewestRows || rows.columns < 2) return;
  for (const auto& each : outputs)
    if (each[output].dtype() != DataType::kF32 || each[output].shape() != shape) return;
  Scores scores{output, rows.columns_last, {}, false};
  for (int64_t c = 0; c < rows.columns; ++c) {
    const bool always = std::all_of(outputs.begin(), outputs.end(),
                                    [&](const auto& each) { return is_score(each[output], rows, c); });
    if (always) scores.columns.push_back(c);
  }
  if (scores.columns.empty()) return;
  // A detector finds few boxes: where every candidate finds crowds, the first score says whether there is
  // one.
  scores.has_objectness = scores.columns.size() > 1 && crowding(outputs, scores) > kCrowded;
  scores_.push_back(scores);
}

double OutputReader::crowding(const std::vector<std::vector<Tensor>>& outputs, const Scores& scores) const {
  double least = 1;
  for (const auto& each : outputs) {
    OutputReading reading;
    double rows = 0;
    add_boxes(each[scores.output], scores, reading, rows);
    least = std::min(least, reading.crowded / std::max(rows, 1.0));
  }
  return least;
}

OutputReader::OutputReader(const std::vector<std::vector<Tensor>>& outputs) {
  if (find_classes(outputs)) {
    kind_ = Kind::kClasses;
    return;
  }
  for (size_t i = 0; i < outputs[0].size(); ++i) find_scores(outputs, i);
  if (!scores_.empty()) kind_ = Kind::kBoxes;
}

void OutputReader::add_boxes(const Tensor& output, const Scores& scores, OutputReading& reading,
                             double& total) {
  const Rows rows = rows_of(output.shape());
  total += static_cast<double>(rows.rows);
  const size_t classes = scores.has_objectness ? 1 : 0;
  for (int64_t r = 0; r < rows.rows; ++r) {
    double score = 0;
    for (size_t k = classes; k < scores.columns.size(); ++k)
      score = std::max(score, static_cast<double>(at(output, rows, r, scores.columns[k])));
    if (scores.has_objectness) score *= at(output, rows, r, scores.columns[0]);
    if (!(score > kConfident)) continue;
    reading.boxes += score;
    reading.crowded += 1;
  }
}

OutputReading OutputReader::read(const std::vector<Tensor>& outputs) const {
  if (kind_ == Kind::kClasses) return read_classes(outputs[class_output_]);
  OutputReading reading;
  double rows = 0;
  for (const Scores& scores : scores_) {
    const Rows found = rows_of(outputs[scores.output].shape());
    if (found.columns > scores.columns.back()) add_boxes(outputs[scores.output], scores, reading, rows);
  }
  reading.crowded /= std::max(rows, 1.0);
  return reading;
}

std::vector<double> divergences(const std::vector<const OutputReading*>& readings) {
  std::vector<double> mean(readings[0]->probabilities.size());
  for (const OutputReading* each : readings) {
    for (size_t k = 0; k < mean.size(); ++k)
      mean[k] += each->probabilities[k] / static_cast<double>(readings.size());
  }
  std::vector<double> nats;
  for (const OutputReading* each : readings) {
    double sum = each->negative_entropy;
    for (size_t k = 0; k < mean.size(); ++k)
      if (each->probabilities[k] > 0) sum -= each->probabilities[k] * std::log(mean[k]);
    nats.push_back(std::isfinite(sum) ? std::max(sum, 0.0) : 0);
  }
  return nats;
}

}  // namespace quantize
