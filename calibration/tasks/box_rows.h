// The rows of a detector's outputs: reading boxes from them, and putting them in order. Read read_boxes().
#pragma once

#include <vector>

#include "calibration/tasks/box_layout.h"
#include "calibration/tasks/boxes.h"

namespace quantize {

/// The places of the rows of an output, whichever axis they lie along; the rows of one sample follow another's.
class RowPlaces {
 public:
  /// `shape`: [N, rows, columns], or [N, columns, rows] with `rows_last`; [rows, columns] and [rows] are of one
  /// sample, and [1, 1, rows, columns] too.
  RowPlaces(const Shape& shape, bool rows_last);

  size_t count() const { return count_; }
  size_t columns() const { return columns_; }
  size_t of(size_t row, size_t column) const {
    if (!rows_last_) return row * columns_ + column;
    return (row / of_sample_ * columns_ + column) * of_sample_ + row % of_sample_;
  }

 private:
  size_t of_sample_ = 0, columns_ = 0, count_ = 0;
  bool rows_last_;
};

/// The numbers of an output as rows.
class Rows {
 public:
  Rows(const Tensor& output, bool rows_last)
      : values_(output.to_vector<double>()), places_(output.shape(), rows_last) {}

  size_t count() const { return places_.count(); }
  size_t columns() const { return places_.columns(); }
  double at(size_t row, size_t column) const { return values_[places_.of(row, column)]; }
  template <typename Condition>
  bool all(Condition holds) const {
    for (size_t row = 0; row < count(); ++row)
      if (!holds(row)) return false;
    return true;
  }

 private:
  std::vector<double> values_;
  RowPlaces places_;
};

constexpr double kNoticed = 0.05;    // programs pass over boxes of a smaller score, whatever stands in them
constexpr size_t kMostBoxes = 1000;  // of one sample, as each is compared with all better ones

/// The boxes of one sample with a score of at least `least`, the best first; of rows that the graph has not
/// chosen without doubles.
std::vector<Box> read_boxes(const BoxLayout& layout, const std::vector<Tensor>& outputs, double least);

/// The boxes to be held against labels: of rows that the graph has not chosen one for every class with a score of at
/// least kLeastLabelled, without those that overlap a better one of the class by more than kDouble; kMostLabelled
/// at most. Average precisions are usually measured so.
std::vector<Box> read_all_boxes(const BoxLayout& layout, const std::vector<Tensor>& outputs);
constexpr double kLeastLabelled = 0.01, kDouble = 0.65;
constexpr size_t kMostLabelled = 100;

/// The rows that say something: either network gives their best class a score of at least kNoticed.
/// Requires: scores of one shape, of any number of samples, whose rows follow each other.
std::vector<bool> noticed_rows(const BoxLayout& layout, const Tensor& reference, const Tensor& candidate);

/// The candidate in the rows that are noticed, the reference in all others. `rows_last`: as BoxLayout has it.
Tensor in_rows(const std::vector<bool>& noticed, bool rows_last, const Tensor& reference,
               const Tensor& candidate);

/// Brings the lists of both networks into one order: the reference's rows, each beside its partner by match_boxes, and
/// behind them the candidate's that have none. For a row without partner the other side gets a copy of
/// score 0. Requires: layout.is_list.
void align_lists(const BoxLayout& layout, std::vector<Tensor>& reference, std::vector<Tensor>& candidate);

}  // namespace quantize
