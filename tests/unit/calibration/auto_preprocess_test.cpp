// Choosing a preprocessing from what the model says about its input.
#include "calibration/auto_preprocess.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "calibration/decode_image.h"
#include "calibration/preprocess_evidence.h"
#include "calibration/preprocess_file.h"
#include "calibration/read_file.h"
#include "core/error.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;
using Catch::Matchers::Contains;
using test::GraphBuilder;
using test::TemporaryFolder;

namespace {

constexpr int64_t kSide = 8;
constexpr uint32_t kDarkest = 51,
                   kLevels = 39;  // 0.2 to 0.35 as the preset `unit` makes them, as no other does

/// Images of random blocks, 2x2 pixels each.
void write_images(const TemporaryFolder& folder, int count, int64_t side = 2 * kSide) {
  std::mt19937 random(5);
  for (int i = 0; i < count; ++i) {
    std::string blocks(static_cast<size_t>(side * side / 4 * 3), ' ');
    for (char& level : blocks) level = static_cast<char>(kDarkest + random() % kLevels);
    std::string text = "P6 " + std::to_string(side) + " " + std::to_string(side) + " 255\n";
    for (int64_t y = 0; y < side; ++y) {
      for (int64_t x = 0; x < side; ++x) {
        text += blocks.substr(static_cast<size_t>((y / 2 * (side / 2) + x / 2) * 3), 3);
      }
    }
    test::write_text(folder.file(std::to_string(1000 + i) + ".ppm"), text);
  }
}

/// Weights [pixels of `channels` planes, classes], the same for each plane and without a mean: they see what
/// lies where.
Tensor contrasts(int64_t channels, int64_t classes) {
  constexpr int64_t kPlane = kSide * kSide;
  Tensor weights = test::random_tensor({channels * kPlane, classes}, 3, -30, 30);
  float* w = weights.mutable_data<float>();
  for (int64_t k = 0; k < classes; ++k) {
    float sum = 0;
    for (int64_t i = 0; i < kPlane; ++i) sum += w[i * classes + k];
    for (int64_t i = 0; i < kPlane; ++i) w[i * classes + k] -= sum / kPlane;
  }
  for (int64_t c = 1; c < channels; ++c) std::copy_n(w, kPlane * classes, w + c * kPlane * classes);
  return weights;
}

/// Tells images apart only if they are preprocessed as `unit`, or also as `caffe`: all else it clips to a
/// constant.
Graph classifier(int64_t classes, int64_t channels = 3, bool caffe_too = false) {
  GraphBuilder b;
  const ValueId x = b.input("x", {kUnknownDim, channels, kSide, kSide});
  const auto clip = [&](ValueId value, float low, float high) {
    const std::string name = "bound_" + std::to_string(b.graph().nodes.size());
    return b.node("Clip",
                  {value, b.constant(name, Tensor::scalar(low)), b.constant(name, Tensor::scalar(high))});
  };
  ValueId seen = clip(x, 0.2f, 0.35f);
  if (caffe_too) {
    const ValueId scaled = b.node("Div", {clip(x, -72, -15), b.constant("levels", Tensor::scalar(255.0f))});
    seen = b.node("Add", {seen, scaled});
  }
  const ValueId flat = b.node("Flatten", {seen});
  return b.build({b.node("MatMul", {flat, b.constant("w", contrasts(channels, classes))})});
}

/// The mean and variance of each channel of the folder's images under a preset.
Graph with_normalization(const TemporaryFolder& folder, const std::string& name, bool classifies = true) {
  const ImageInput input{"x", 3, kSide, kSide, Layout::kNchw};
  std::vector<double> sum(3), square(3);
  double count = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    const Tensor tensor =
        preprocess_image(decode_image(read_file(file.path().string())), preset(name, input));
    count += static_cast<double>(tensor.size() / 3);
    for (int64_t i = 0; i < tensor.size(); ++i) {
      const double value = tensor.data<float>()[i];
      sum[static_cast<size_t>(i / (kSide * kSide))] += value;
      square[static_cast<size_t>(i / (kSide * kSide))] += value * value;
    }
  }
  std::vector<float> mean, variance;
  for (size_t c = 0; c < 3; ++c) {
    mean.push_back(static_cast<float>(sum[c] / count));
    variance.push_back(static_cast<float>(square[c] / count - sum[c] / count * sum[c] / count));
  }
  GraphBuilder b;
  const ValueId x = b.input("x", {kUnknownDim, 3, kSide, kSide});
  const Tensor ones = Tensor::of<float>({3}, {1, 1, 1});
  const ValueId normalized =
      b.node("BatchNormalization", {x, b.constant("scale", ones), b.constant("shift", ones),
                                    b.constant("mean", Tensor::of<float>({3}, mean)),
                                    b.constant("variance", Tensor::of<float>({3}, variance))});
  if (!classifies) return b.build({b.node("Relu", {normalized})});
  return b.build({b.node("Flatten", {b.node("GlobalAveragePool", {b.node("Relu", {normalized})})})});
}

PreprocessChoice choose(const Graph& graph, const TemporaryFolder& folder) {
  const Graph prepared = open_model(graph);
  SampleOptions options;
  options.path = folder.path().string();
  const SampleList list = list_samples({prepared.value(prepared.inputs[0])}, options);
  return choose_preprocess(graph, prepared, list, 2, {});
}

}  // namespace

TEST_CASE("what a BatchNormalization learned picks the preset it was trained with", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 12);
  for (const std::string name : {"imagenet", "tf", "caffe", "unit", "raw"}) {
    const PreprocessChoice choice = choose(with_normalization(folder, name), folder);
    CHECK(choice.name == name);
    CHECK(choice.runner_up != name);
    CHECK(choice.sure);
    CHECK_THAT(choice.evidence[0], Contains("BatchNormalization") && Contains("0.00 nats"));
  }
}

TEST_CASE("a model that names no classes hides the order of its colours", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 12);
  const PreprocessChoice choice = choose(with_normalization(folder, "tf", false), folder);
  CHECK(choice.name == "tf");
  CHECK_FALSE(choice.sure);
  CHECK_THAT(warning_of(choice).value(), Contains("colours") && Contains("--preprocess"));
}

TEST_CASE("a BatchNormalization that no preset fits decides nothing", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 12);
  Graph graph = with_normalization(folder, "unit");
  graph.value(graph.find_value("mean")).initializer = Tensor::of<float>({3}, {-7, -7, -7});
  const PreprocessChoice choice = choose(graph, folder);
  CHECK(choice.name == "imagenet");
  CHECK_FALSE(choice.sure);
}

TEST_CASE("many classes pick the preset under which the outputs tell images apart", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 40);
  const PreprocessChoice choice = choose(classifier(30), folder);
  INFO(choice.evidence[0]);
  CHECK(choice.name == "unit");
  CHECK(choice.sure);
  CHECK_THAT(choice.evidence[0], Contains("32 images") && Contains("standard errors"));
}

TEST_CASE("few classes or few images are no evidence", "[auto_preprocess]") {
  const TemporaryFolder many, few;
  write_images(many, 40);
  write_images(few, 4);
  for (const PreprocessChoice& choice : {choose(classifier(10), many), choose(classifier(30), few)}) {
    CHECK(choice.name == "imagenet");
    CHECK_THAT(warning_of(choice).value(),
               Contains("a guess") && Contains("too few") && Contains("--preprocess"));
  }
  CHECK(choose(classifier(10, 1), many).name == "unit");
}

TEST_CASE("the default stays where no preset leads, and goes where it is beaten", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 40);
  Graph indifferent = classifier(30);
  indifferent.value(indifferent.find_value("w")).initializer =
      Tensor(DataType::kF32, {3 * kSide * kSide, 30});
  const PreprocessChoice stays = choose(indifferent, folder);
  CHECK(stays.name == "imagenet");
  CHECK_FALSE(stays.sure);

  const PreprocessChoice goes = choose(classifier(30, 3, true), folder);
  INFO(goes.evidence[0]);
  CHECK(std::set<std::string>{goes.name, goes.runner_up} == std::set<std::string>{"unit", "caffe"});
  CHECK_FALSE(goes.sure);
}

TEST_CASE("metadata that we wrote are believed", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 3);
  Graph graph = classifier(30);
  const Preprocess caffe = preset("caffe", {"x", 3, kSide, kSide, Layout::kNchw});
  graph.info.metadata[kPreprocessKey] = to_json(caffe);
  const PreprocessChoice choice = choose(graph, folder);
  CHECK(choice.name == "caffe");
  CHECK(choice.given);
  CHECK(to_json(choice.preprocess) == to_json(caffe));
  graph.info.metadata[kPreprocessKey] = "{}";
  CHECK_THROWS_AS(choose(graph, folder), Error);
}

TEST_CASE("images of the model's own size are not cropped, others are", "[auto_preprocess]") {
  const TemporaryFolder same, larger;
  write_images(same, 3, kSide);
  write_images(larger, 3, 2 * kSide);
  CHECK_FALSE(choose(classifier(30), same).preprocess.crop);
  CHECK(choose(classifier(30), larger).preprocess.crop);
}

TEST_CASE("a model with open extents gets a size", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 3);
  const auto open_model = [](int64_t height) {
    GraphBuilder b;
    return b.build({b.node("Relu", {b.input("x", {1, 3, height, kUnknownDim})})});
  };
  const PreprocessChoice line = choose(open_model(6), folder);
  CHECK(line.preprocess.resize.mode == ResizeMode::kHeight);
  CHECK(line.preprocess.resize.size->height == 6);
  const PreprocessChoice open = choose(open_model(kUnknownDim), folder);
  CHECK(open.preprocess.crop->height == 224);
  CHECK_THAT(warning_of(open).value(), Contains("224x224") && Contains("--input-shape"));
}

TEST_CASE("bad images are passed over, but not all of them", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 20);
  test::write_text(folder.file("1003.ppm"), "text");
  CHECK(choose(classifier(30), folder).name == "unit");
  for (const auto& file : std::filesystem::directory_iterator(folder.path()))
    test::write_text(file.path().string(), "text");
  CHECK_THROWS_AS(choose(classifier(30), folder), Error);
}

TEST_CASE("class information is mutual information, of logits and of probabilities", "[auto_preprocess]") {
  GraphBuilder b;
  const Graph logits = b.build({b.node("Identity", {b.input("x", {1, 2})})});
  const Graph sure = [] {
    GraphBuilder g;
    return g.build({g.node("Softmax", {g.input("x", {1, 2})})});
  }();
  Trial trial{2, 2, nullptr, 1, {}};
  trial.load = [](size_t image) {
    const float sign = image == 0 ? 1 : -1;
    // Candidate 0 sees two certain, opposite predictions, candidate 1 the same one twice.
    return std::vector<Tensor>{Tensor::of<float>({1, 2}, {50 * sign, -50 * sign}),
                               Tensor::of<float>({1, 2}, {3, 1})};
  };
  for (const Graph& graph : {logits, sure}) {
    const ClassInformation information = class_information(graph, trial);
    CHECK(information.classes == 2);
    REQUIRE(information.nats.size() == 2);
    CHECK(information.nats[0][0] == Approx(std::log(2.0)));
    CHECK(information.nats[0][1] == Approx(std::log(2.0)));
    CHECK(information.nats[1][0] == Approx(0).margin(1e-9));
  }
}

TEST_CASE("an output of several rows counts only if the rows are probabilities", "[auto_preprocess]") {
  GraphBuilder b;
  const Graph raw = b.build({b.node("Identity", {b.input("x", {1, 3, 4})})});
  GraphBuilder g;
  const Graph rows = g.build({g.node("Softmax", {g.input("x", {1, 3, 4})})});
  Trial trial{2,
              1,
              [](size_t i) {
                return std::vector<Tensor>{test::random_tensor({1, 3, 4}, static_cast<uint32_t>(i))};
              },
              1,
              {}};
  CHECK(class_information(raw, trial).classes == 0);
  CHECK(class_information(rows, trial).classes == 4);
}
