// Images as outputs: super-resolution, style transfer, depth.
#include <algorithm>
#include <cmath>

#include "calibration/tasks/deviation.h"
#include "calibration/tasks/task.h"

namespace quantize {

namespace {

/// Squared error, elements, lowest and highest number of the reference.
enum Number : size_t { kNoise, kCount, kLowest, kHighest, kNumbers };

/// Peak signal to noise, where the peak is the width of the range.
std::optional<double> psnr(double noise, double count, double lowest, double highest) {
  if (count == 0) return std::nullopt;
  const double peak = highest - lowest;
  return Deviation{.signal = peak * peak, .noise = noise / count}.sqnr_db();
}

class Image : public TaskMeasure {
 public:
  void compare(const Pair& pair, SampleShare& share) const override {
    if (!share.finite) return;
    const std::vector<double> a = pair.reference.to_vector<double>(), b = pair.candidate.to_vector<double>();
    if (a.empty()) return;
    const auto [lowest, highest] = std::minmax_element(a.begin(), a.end());
    double noise = 0;
    for (size_t i = 0; i < a.size(); ++i) noise += (a[i] - b[i]) * (a[i] - b[i]);
    share.numbers = {noise, static_cast<double>(a.size()), *lowest, *highest};
  }

  void total(std::vector<SampleShare>& shares, TaskFigures& figures) const override {
    double noise = 0, count = 0, lowest = INFINITY, highest = -INFINITY;
    bool finite = true;
    for (const SampleShare& share : shares) {
      finite = finite && share.finite;
      if (share.numbers.empty()) continue;
      noise += share.numbers[kNoise];
      count += share.numbers[kCount];
      lowest = std::min(lowest, share.numbers[kLowest]);
      highest = std::max(highest, share.numbers[kHighest]);
    }
    for (SampleShare& share : shares)  // the peak is that of all samples
      if (!share.numbers.empty() && share.numbers[kNoise] > 0)
        share.likeness =
            psnr(share.numbers[kNoise], share.numbers[kCount], lowest, highest).value_or(-INFINITY);
      else if (!share.numbers.empty())
        share.likeness = Deviation::kMaxDb;
    figures.figures = {{"psnr_db", "PSNR", TaskFigure::Unit::kDecibel,
                        finite ? psnr(noise, count, lowest, highest) : std::nullopt}};
  }

  const char* agreement_words() const override { return nullptr; }
  double same_likeness() const override { return Deviation::kMaxDb; }
};

OutputTask task_of(std::string reason) {
  return {&kImageTask, std::move(reason), std::make_shared<Image>()};
}

/// [N, 1 or 3, H, W] and [N, H, W] of anything but scores of classes.
std::optional<OutputTask> recognize(const OutputView& output) {
  if (output.form() != TensorForm::kMap) return std::nullopt;
  const bool scores = output.kind() == Ending::kScores;
  if (output.covers_image())
    return scores ? std::nullopt : std::optional(task_of("one number a pixel" + output.by()));
  const Shape& shape = output.shape();
  if (shape.size() > 4 && !output.inputs().empty() && output.inputs()[0].shape().size() == 4)
    return no_task("values of shape " + to_string(shape) + output.by() + " are no map of the image");
  const int64_t channels = shape[output.channel_axis()];
  if (channels != 1 && channels != 3) return std::nullopt;
  if ((channels == 1 && scores) || output.kind() == Ending::kProbabilities) return std::nullopt;
  return task_of(std::to_string(channels) + " channels" + output.by());
}

std::optional<OutputTask> accept(const OutputView& output) {
  if (output.shape().size() < 3 || output.tensor().size() == 0) return std::nullopt;
  return task_of("as asked for");
}

}  // namespace

const TaskDef kImageTask = {.name = "image", .recognize = recognize, .accept = accept};

}  // namespace quantize
