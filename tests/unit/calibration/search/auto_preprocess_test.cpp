// Choosing a preprocessing from what the model says about its input.
#include "calibration/search/auto_preprocess.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "calibration/images/decode_image.h"
#include "calibration/images/preprocess_file.h"
#include "calibration/images/read_file.h"
#include "calibration/search/output_evidence.h"
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

SampleList list_of(const Graph& graph, const TemporaryFolder& folder) {
  SampleOptions options;
  options.path = folder.path().string();
  return list_samples({graph.value(graph.inputs[0])}, options);
}

PreprocessChoice choose(const Graph& graph, const TemporaryFolder& folder,
                        const GuessOptions& options = {2, {}, {}}) {
  const Graph prepared = open_model(graph);
  return choose_preprocess(graph, prepared, list_of(prepared, folder), options);
}

std::string all_evidence(const PreprocessChoice& choice) {
  std::string text;
  for (const std::string& each : choice.evidence) text += each + "\n";
  return text;
}

Graph with_start(const std::vector<std::pair<std::string, Tensor>>& steps) {
  GraphBuilder b;
  ValueId value = b.input("x", {kUnknownDim, 3, kSide, kSide});
  for (const auto& [op_type, constant] : steps)
    value = b.node(op_type, {value, b.constant(op_type, constant)});
  return b.build({b.node("Relu", {value})});
}

Tensor per_channel(const std::vector<float>& numbers) {
  return Tensor::of<float>({1, 3, 1, 1}, numbers);
}

/// Rows [1, 5, pixels] of four numbers and a score, which is above a half for a few pixels of 0 to 255 alone.
Graph detector() {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, kSide, kSide});
  Tensor weights(DataType::kF32, {5, 3, 1, 1});
  for (int64_t i = 0; i < 12; ++i) weights.mutable_data<float>()[i] = 3;
  weights.mutable_data<float>()[12] = 1;
  const ValueId made = b.node("Conv", {x, b.constant("w", weights),
                                       b.constant("bias", Tensor::of<float>({5}, {-9, -9, -9, -9, -85}))});
  const ValueId rows = b.node("Reshape", {made, b.ints("shape", {1, 5, kSide * kSide})});
  const auto part = [&](const std::string& name, int64_t begin, int64_t end) {
    return b.node("Slice", {rows, b.ints(name + "_begin", {begin}), b.ints(name + "_end", {end}),
                            b.ints(name + "_axis", {1})});
  };
  const ValueId scores = b.node("Sigmoid", {part("score", 4, 5)});
  return b.build({b.node("Concat", {part("box", 0, 4), scores}, {{"axis", int64_t{1}}})});
}

}  // namespace

TEST_CASE("what a BatchNormalization learned picks the preset it was trained with", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 12);
  for (const std::string name : {"imagenet", "tf", "caffe", "unit", "raw"}) {
    const PreprocessChoice choice = choose(with_normalization(folder, name), folder);
    INFO(all_evidence(choice));
    CHECK(choice.name == name + (name == "imagenet" || name == "tf" ? ",stretch" : ""));
    CHECK(choice.runner_up != choice.name);
    CHECK_THAT(all_evidence(choice), Contains("BatchNormalization") && Contains(name + " 0.00"));
    CHECK_FALSE(choice.sure);  // three channels, and nothing shows the order of the colours
    CHECK_THAT(warning_of(choice).value(), Contains("colours") && Contains("--preprocess"));
  }
}

TEST_CASE("a BatchNormalization that no preset fits decides nothing", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 12);
  Graph graph = with_normalization(folder, "unit");
  graph.value(graph.find_value("mean")).initializer = Tensor::of<float>({3}, {-7, -7, -7});
  const PreprocessChoice choice = choose(graph, folder);
  CHECK_FALSE(choice.sure);
  CHECK_THAT(all_evidence(choice), !Contains("BatchNormalization"));
}

TEST_CASE("many classes pick the preset under which the outputs tell images apart", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 40);
  const PreprocessChoice choice = choose(classifier(30, 1), folder);
  INFO(all_evidence(choice));
  CHECK(choice.name == "unit");
  CHECK(choice.sure);
  CHECK_FALSE(choice.given);
  CHECK_THAT(all_evidence(choice), Contains("32 images") && Contains("standard errors"));
  CHECK(choose(classifier(30), folder).name == "unit");
}

TEST_CASE("few classes or few images make no guess sure", "[auto_preprocess]") {
  const TemporaryFolder many, few;
  write_images(many, 40);
  write_images(few, 4);
  for (const PreprocessChoice& choice : {choose(classifier(10, 1), many), choose(classifier(30, 1), few)}) {
    CHECK(choice.name == "unit");
    CHECK_FALSE(choice.sure);
    CHECK_THAT(warning_of(choice).value(), Contains("a guess") && Contains("--preprocess"));
  }
}

TEST_CASE("the default stays where nothing differs", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 40);
  for (const int64_t channels : {1, 3}) {
    Graph indifferent = classifier(30, channels);
    indifferent.value(indifferent.find_value("w")).initializer =
        Tensor(DataType::kF32, {channels * kSide * kSide, 30});
    const PreprocessChoice stays = choose(indifferent, folder);
    CHECK(stays.name == (channels == 1 ? "unit" : "imagenet,stretch"));
    CHECK_FALSE(stays.sure);
  }
  const PreprocessChoice both = choose(classifier(30, 3, true), folder);
  INFO(all_evidence(both));
  CHECK(std::set<std::string>{both.name, both.runner_up} == std::set<std::string>{"unit", "caffe"});
  CHECK_FALSE(both.sure);
}

TEST_CASE("the images' own mean and deviation are tried for small inputs, never surely",
          "[auto_preprocess]") {
  const TemporaryFolder folder;
  std::mt19937 random(9);
  for (int i = 0; i < 40; ++i) {
    std::string text = "P5 8 8 255\n";
    for (int k = 0; k < 64; ++k) text += static_cast<char>(k < 32 ? random() % 20 : random() % 256);
    test::write_text(folder.file(std::to_string(1000 + i) + ".pgm"), text);
  }
  GraphBuilder b;
  const ValueId negative = b.node("Neg", {b.input("x", {kUnknownDim, 1, kSide, kSide})});
  const Tensor one = Tensor::of<float>({1}, {1}), zero = Tensor::of<float>({1}, {0});
  const ValueId normalized =
      b.node("BatchNormalization", {negative, b.constant("scale", one), b.constant("shift", zero),
                                    b.constant("mean", zero), b.constant("variance", one)});
  const PreprocessChoice choice = choose(b.build({b.node("Relu", {normalized})}), folder);
  INFO(all_evidence(choice));
  CHECK_THAT(choice.evidence[0], Contains("their own mean and deviation 0.00"));
  CHECK_THAT(choice.name, Catch::Matchers::StartsWith("{\"color\":\"gray\""));
  CHECK_FALSE(choice.sure);
  CHECK(to_json(load_preprocess(choice.name, {"x", 1, kSide, kSide, Layout::kNchw})) ==
        to_json(choice.preprocess));
}

TEST_CASE("labels decide", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 40);
  GraphBuilder b;
  const ValueId flat = b.node("Flatten", {b.input("x", {kUnknownDim, 1, kSide, kSide})});
  const Graph graph =
      b.build({b.node("Gemm", {flat, b.random("w", {kSide * kSide, 5}), b.random("bias", {5})})});
  const Graph prepared = open_model(graph);
  const SampleList list = list_of(prepared, folder);
  Engine engine(prepared, {});
  for (const std::string name : {"caffe", "unit", "imagenet,stretch"}) {
    const ImageInput input = image_input_of(prepared.value(prepared.inputs[0]));
    const auto label = [&](const std::string& sample) -> std::optional<int64_t> {
      const Image image = decode_image(read_file(folder.file(sample)));
      const Tensor output = engine.run({preprocess_image(image, preset(name, input))})[0];
      return std::max_element(output.data<float>(), output.data<float>() + 5) - output.data<float>();
    };
    const PreprocessChoice choice = choose_preprocess(graph, prepared, list, {2, {}, label});
    INFO(all_evidence(choice));
    CHECK(choice.name == name);
    CHECK_THAT(all_evidence(choice), Contains("40 labelled") && Contains(" 100.00"));
  }
}

TEST_CASE("a detector shows its preprocessing by its boxes", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 20);
  const PreprocessChoice choice = choose(detector(), folder);
  INFO(all_evidence(choice));
  CHECK_THAT(choice.name, Catch::Matchers::StartsWith("raw"));
  CHECK(choice.preprocess.resize.mode == ResizeMode::kLetterbox);
  CHECK_THAT(all_evidence(choice), Contains("boxes per image"));
}

TEST_CASE("a scale and mean at the start of the graph say what the pixels are", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 12);
  const Tensor mean = per_channel({123.7f, 116.3f, 103.5f}), std = per_channel({58, 57, 57});
  const Tensor unit_mean = per_channel({0.406f, 0.456f, 0.485f}), half = Tensor::scalar(127.5f);
  const auto check = [&](const Graph& graph, const std::string& name, bool sure) {
    const PreprocessChoice choice = choose(graph, folder);
    INFO(all_evidence(choice));
    CHECK(choice.name == name);
    CHECK(choice.sure == sure);
    CHECK_THAT(choice.evidence[0], Contains("the graph itself"));
  };
  check(with_start({{"Sub", mean}, {"Div", std}}), "raw", true);
  check(with_start({{"Sub", unit_mean}}), "unit,bgr", true);
  check(with_start({{"Mul", Tensor::scalar(1 / 127.5f)}, {"Add", Tensor::scalar(-1.0f)}}), "raw", false);
  check(with_start({{"Mul", half}, {"Add", half}}), "tf,stretch", false);
}

TEST_CASE("metadata of exporters are read", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 12);
  Graph graph = detector();
  graph.info.metadata = {{"names", "{0: 'cat'}"}, {"stride", "32"}, {"task", "detect"}};
  const PreprocessChoice yolo = choose(graph, folder);
  CHECK(yolo.name == "yolo");
  CHECK(yolo.sure);
  CHECK_THAT(yolo.evidence[0], Contains("Ultralytics"));

  Graph normalized = classifier(30);
  normalized.info.metadata = {{"mean", "[0.5, 0.4, 0.3]"}, {"std", "[0.25, 0.25, 0.25]"}};
  const PreprocessChoice told = choose(normalized, folder);
  CHECK(told.preprocess.mean == std::vector<double>{0.5, 0.4, 0.3});
  CHECK(told.preprocess.scale == 1 / 255.0);
  normalized.info.metadata["std"] = "[0, none]";
  CHECK(choose(normalized, folder).name == "unit");
}

TEST_CASE("text readers of PaddlePaddle take BGR lines", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 12);
  const auto reader = [](int64_t height, const std::string& producer) {
    GraphBuilder b;
    const ValueId x = b.input("x", {1, 3, height, kUnknownDim});
    const ValueId pooled =
        b.node("ReduceMean", {x}, {{"axes", std::vector<int64_t>{2}}, {"keepdims", int64_t{0}}});
    const ValueId columns = b.node("Transpose", {pooled}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
    const ValueId letters = b.node("MatMul", {columns, b.random("w", {3, 40})});
    Graph graph = b.build({b.node("Softmax", {letters}, {{"axis", int64_t{2}}})});
    graph.info.producer_name = producer;
    return graph;
  };
  const PreprocessChoice open = choose(reader(kUnknownDim, "PaddlePaddle"), folder);
  CHECK(open.preprocess.color == Color::kBgr);
  CHECK_THAT(open.name, Contains("height,48"));
  const PreprocessChoice fixed = choose(reader(32, "PaddlePaddle"), folder);
  CHECK(fixed.preprocess.color == Color::kBgr);
  CHECK(fixed.preprocess.resize.size->height == 32);
  CHECK_THAT(all_evidence(choose(reader(32, "pytorch"), folder)), !Contains("PaddlePaddle"));
}

TEST_CASE("a guess stays a guess in the metadata", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 12);
  Graph graph = classifier(10, 1);
  const PreprocessChoice guess = choose(graph, folder);
  REQUIRE_FALSE(guess.sure);
  keep_preprocess(guess, graph.info.metadata);
  CHECK_THAT(graph.info.metadata[kPreprocessOriginKey], Contains("\"guessed\""));
  const PreprocessChoice kept = choose(graph, folder);
  CHECK(to_json(kept.preprocess) == to_json(guess.preprocess));
  CHECK_FALSE(kept.given);
  CHECK_FALSE(kept.sure);
  CHECK(warning_of(kept));
  graph.info.metadata[kPreprocessOriginKey] = "{}";
  CHECK_THROWS_WITH(choose(graph, folder), Contains("origin"));
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
  write_images(larger, 3, 2 * kSide);
  const auto large = [](int64_t side) {
    GraphBuilder b;
    const ValueId pooled = b.node("GlobalAveragePool", {b.input("x", {1, 3, side, side})});
    const ValueId nothing = b.constant("w", Tensor(DataType::kF32, {3, 12}));
    return b.build({b.node("MatMul", {b.node("Flatten", {pooled}), nothing})});
  };
  write_images(same, 3, 128);
  CHECK_FALSE(choose(large(128), same).preprocess.crop);
  CHECK(choose(large(128), larger).preprocess.crop);
  CHECK_FALSE(choose(large(64), larger).preprocess.crop);  // so small that nothing is cut off
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
  CHECK_THAT(open.name, Contains("224"));
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

TEST_CASE("readings of classes: mutual information, of logits and of probabilities", "[auto_preprocess]") {
  const Tensor one = Tensor::of<float>({1, 2}, {50, -50}), other = Tensor::of<float>({1, 2}, {-50, 50});
  const Tensor sure = Tensor::of<float>({1, 2}, {1, 0}), opposite = Tensor::of<float>({1, 2}, {0, 1});
  for (const auto& [a, b] : {std::pair{one, other}, {sure, opposite}}) {
    const OutputReader reader({{a}, {b}});
    REQUIRE(reader.kind() == OutputReader::Kind::kClasses);
    const OutputReading first = reader.read({a}), second = reader.read({b});
    CHECK(first.best == 0);
    CHECK(second.best == 1);
    CHECK(divergences({&first, &second})[0] == Approx(std::log(2.0)));
    CHECK(divergences({&first, &first})[0] == Approx(0).margin(1e-9));
  }
  CHECK(OutputReader({{one}}).read({one}).margin == Approx(100));
}

TEST_CASE("rows are classes if they are distributions, else boxes if they hold scores", "[auto_preprocess]") {
  GraphBuilder g;
  const Tensor noise = test::random_tensor({1, 20, 4}, 1);
  const Tensor rows = Engine(g.build({g.node("Softmax", {g.input("x", {1, 20, 4})})}), {}).run({noise})[0];
  CHECK(OutputReader({{rows}}).kind() == OutputReader::Kind::kClasses);
  CHECK(OutputReader({{noise}}).kind() == OutputReader::Kind::kNothing);
  Tensor boxes = test::random_tensor({1, 20, 4}, 1, -5, 5);
  for (int64_t r = 0; r < 20; ++r) boxes.mutable_data<float>()[r * 4 + 3] = r == 7 ? 0.75f : 0.1f;
  const OutputReader reader({{boxes}});
  REQUIRE(reader.kind() == OutputReader::Kind::kBoxes);
  CHECK(reader.read({boxes}).boxes == 0.75);
  CHECK(reader.read({boxes}).crowded == Approx(0.05));
}

namespace {

/// Pixels of `dtype`, less the mean of each channel, to a classifier.
Graph with_pixels(DataType dtype, const std::vector<float>& mean) {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, kSide, kSide, 3}, dtype);
  const ValueId reals = b.node("Cast", {x}, {{"to", int64_t{1}}});
  const ValueId centred = b.node("Sub", {reals, b.constant("mean", Tensor::of<float>({3}, mean))});
  const ValueId planes = b.node("Transpose", {centred}, {{"perm", std::vector<int64_t>{0, 3, 1, 2}}});
  return b.build({b.node("Flatten", {b.node("GlobalAveragePool", {planes})})});
}

}  // namespace

TEST_CASE("a model of integer pixels gets them as they are", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 3);
  const PreprocessChoice rgb = choose(with_pixels(DataType::kU8, {124, 116, 104}), folder);
  CHECK(rgb.name == "raw");
  CHECK(rgb.sure);
  CHECK_THAT(all_evidence(rgb), Contains("takes u8"));
  CHECK(choose(with_pixels(DataType::kS32, {104, 116, 124}), folder).name == "raw,bgr");
  const PreprocessChoice unknown = choose(with_pixels(DataType::kU8, {127, 127, 127}), folder);
  CHECK_FALSE(unknown.sure);
  CHECK(unknown.runner_up == "raw,bgr");
  const PreprocessChoice centred = choose(with_pixels(DataType::kS8, {0, 0, 0}), folder);
  CHECK(centred.preprocess.mean == std::vector<double>{128, 128, 128});
  CHECK_FALSE(centred.sure);
}

TEST_CASE("a guess feeds the other inputs of the model, too", "[auto_preprocess]") {
  const TemporaryFolder folder;
  write_images(folder, 12);
  GraphBuilder b;
  const ValueId left = b.input("left", {1, 3, kSide, kSide}), size = b.input("size", {1, 1}),
                right = b.input("right", {1, 3, kSide, kSide});
  const ValueId sum =
      b.node("Add", {b.node("GlobalAveragePool", {left}), b.node("GlobalAveragePool", {right})});
  const Graph graph = b.build({b.node("Mul", {b.node("Flatten", {sum}), size})});
  std::vector<Value> inputs;
  for (const ValueId id : graph.inputs) inputs.push_back(graph.value(id));
  save_npy(folder.file("size.npy"), Tensor::of<float>({1, 1}, {2}).view());
  SampleOptions samples;
  samples.by_input = {
      {"left", folder.path().string()}, {"size", folder.file("size.npy")}, {"right", folder.path().string()}};
  const SampleList list = list_samples(inputs, samples);
  GuessOptions options{2, {}, {}};
  options.tensors = [&](const Sample& sample) { return load_tensors(inputs, samples, list, sample); };
  const PreprocessChoice choice = choose_preprocess(graph, open_model(graph), list, options);
  REQUIRE(choice.inputs.size() == 2);
  CHECK(choice.inputs[1].input == "right");
  CHECK(to_json(choice.of("right")) == to_json(choice.of("left")));
  std::map<std::string, std::string> metadata;
  keep_preprocess(choice, metadata);
  const auto kept = kept_preprocess(metadata, image_inputs(inputs, list));
  REQUIRE(kept);
  CHECK(settings_json(*kept) == settings_json(choice));
  CHECK(inputs_in(settings_json(choice), inputs).size() == 2);
}
