// The evidence that the outputs of a network give about its input: classes and boxes. Read OutputReader.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace quantize {

/// One run's outputs, read.
struct OutputReading {
  std::vector<double> probabilities;  // of the classes, the mean over the rows of a text; empty: no classes
  double negative_entropy = 0;        // mean of sum p ln p
  double margin = 0;                  // of one row: ln of the best class's probability over the next one's
  int64_t best = -1;                  // class of one row
  double boxes = 0;                   // sum of the scores above 0.3
  double crowded = 0;                 // share of the rows with such a score
};

/// How the outputs of a network are read, which the outputs of one image under every candidate show: as
/// classes (a vector, or rows that are distributions), else as the scores of boxes (rows of which some
/// numbers lie between 0 and 1 whatever the input is).
class OutputReader {
 public:
  enum class Kind { kNothing, kClasses, kBoxes };

  /// outputs[candidate]: those of the same image.
  explicit OutputReader(const std::vector<std::vector<Tensor>>& outputs);

  Kind kind() const { return kind_; }
  /// The figures of the kind; classes are empty where the outputs are of another form than the first image's.
  OutputReading read(const std::vector<Tensor>& outputs) const;

 private:
  /// Where the numbers of a row stand that are scores.
  struct Scores {
    size_t output = 0;
    bool columns_last = true;
    std::vector<int64_t> columns;
    bool has_objectness = false;  // the first one applies to all others
  };

  bool find_classes(const std::vector<std::vector<Tensor>>& outputs);
  void find_scores(const std::vector<std::vector<Tensor>>& outputs, size_t output);
  double crowding(const std::vector<std::vector<Tensor>>& outputs, const Scores& scores) const;
  static void add_boxes(const Tensor& output, const Scores& scores, OutputReading& reading, double& rows);

  Kind kind_ = Kind::kNothing;
  size_t class_output_ = 0;
  std::vector<Scores> scores_;
};

/// Divergence of every prediction from their mean, in nats; 0 where it is not finite. Its mean is the mutual
/// information between image and class: how well the output tells the images apart.
/// Requires: all readings have as many probabilities.
std::vector<double> divergences(const std::vector<const OutputReading*>& readings);

}  // namespace quantize
