// Every format: what is written is read again, and no wrong entry goes by in silence.
#include "calibration/scales/scale_file.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <random>

#include "core/error.h"
#include "tests/support/graph_builder.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

QuantParams params(DataType dtype, std::vector<float> scale, std::vector<int32_t> zero_point) {
  const bool is_signed = dtype == DataType::kS8;
  QuantParams made;
  made.dtype = dtype;
  made.scale = std::move(scale);
  made.zero_point = std::move(zero_point);
  made.quant_min = is_signed ? -128 : 0;
  made.quant_max = is_signed ? 127 : 255;
  if (made.scale.size() > 1) made.axis = 0;
  return made;
}

/// A convolution called "conv" of x and w, and scales of both and of a value whose name is hard to write.
struct Model {
  Graph graph;
  KnownScales scales;

  Model() {
    GraphBuilder b(13);
    graph = b.build({b.node("Conv", {b.input("x", {1, 2, 4, 4}), b.random("w", {2, 2, 1, 1})})});
    graph.nodes[0].name = "conv";
    scales.activations = {{"x", params(DataType::kU8, {0.1f}, {3})},
                          {"a: \"b\", c", params(DataType::kS8, {1.0f / 3}, {0})}};
    scales.weights = {{"w", params(DataType::kS8, {0.25f, 0.7f}, {0, 0})}};
    scales.layers = {{"conv", "x", "w"}};
  }
};

/// The scales of a text, through a file.
ScalesByValue scales_of(const std::string& text, const Graph& graph) {
  const TemporaryFolder folder;
  const std::string path = folder.path() / "scales";
  std::ofstream(path, std::ios::binary) << text;
  return read_scales(path, graph);
}

bool same_reals(const QuantParams& a, const QuantParams& b) {
  if (a.scale.size() != b.scale.size()) return false;
  for (size_t c = 0; c < a.scale.size(); ++c)
    if (std::abs(symmetric_scale(a, c) / symmetric_scale(b, c) - 1) > 1e-6f) return false;
  return true;
}

}  // namespace

TEST_CASE("scale files: what is written is read again", "[scales]") {
  const Model model;
  for (const std::string name : {"csv", "ort-overrides", "aimet-encodings"}) {
    INFO(name);
    const ScalesByValue read = scales_of(find_scale_format(name).write(model.scales), model.graph);
    REQUIRE(read.size() == 3);
    for (const auto* list : {&model.scales.activations, &model.scales.weights})
      for (const KnownScale& known : *list) {
        INFO(known.value);
        REQUIRE(read.count(known.value) == 1);
        const QuantParams& found = read.at(known.value);
        CHECK(found.scale == known.params.scale);
        for (size_t c = 0; c < found.scale.size(); ++c) {  // codes may be counted from another one
          CHECK(found.zero_point[c] - found.quant_min == known.params.zero_point[c] - known.params.quant_min);
        }
      }
  }
}

TEST_CASE("scale files: symmetric formats keep the larger side", "[scales]") {
  const Model model;
  CHECK(symmetric_scale(model.scales.activations[0].params, 0) == Approx(0.1f * 252 / 127));
  const ScalesByValue trt = scales_of(find_scale_format("trt-cache").write(model.scales), model.graph);
  REQUIRE(trt.size() == 2);  // activations alone
  for (const KnownScale& known : model.scales.activations)
    CHECK(trt.at(known.value).scale[0] == symmetric_scale(known.params, 0));  // bit for bit
  const ScalesByValue ncnn = scales_of(find_scale_format("ncnn-table").write(model.scales), model.graph);
  REQUIRE(ncnn.size() == 2);  // the input and the weights of the layer
  CHECK(same_reals(ncnn.at("x"), model.scales.activations[0].params));
  CHECK(same_reals(ncnn.at("w"), model.scales.weights[0].params));
}

TEST_CASE("scale files: a TensorRT cache by hand", "[scales]") {
  const Model model;
  const ScalesByValue read = scales_of(
      "TRT-8502-EntropyCalibration2\nx: 3c010a14\r\n(Unnamed Layer* 3) [A]: 3f800000\n", model.graph);
  CHECK(read.at("x").scale[0] == Approx(0.00787593));
  CHECK(read.at("(Unnamed Layer* 3) [A]").scale[0] == 1);
}

TEST_CASE("scale files: wrong entries are refused", "[scales]") {
  const Model model;
  const std::string csv = "kind,value,type,channel,scale,zero_point,min,max\n";
  for (const std::string& text : std::vector<std::string>{
           "",
           "\n",
           "no scales",
           "TRT-1\nx 3c010a14\n",
           "TRT-1\nx: 3c01zz14\n",
           "TRT-1\nx: \n",
           "TRT-1\nx: bf800000\n",
           "TRT-1\nx: 7f800000\n",
           "TRT-1\nx: 00000000\n",
           "TRT-1\nx: 13c010a14\n",
           "conv 0\n",
           "conv nan\n",
           "conv -1\n",
           "conv 1 x\n",
           csv + "activation,x,u9,,1,0,0,1\n",
           csv + "activation,x,u8,,0,0,0,1\n",
           csv + "activation,x,u8,,1,256,0,1\n",
           csv + "activation,x\n",
           csv + "activation,x,u8,,one,0,0,1\n",
           "{",
           "{\"x\": 1}",
           "{\"x\": []}",
           "{\"x\": [{\"scale\": 1, \"zero_point\": 0, \"quant_type\": \"QInt4\"}]}",
           "{\"x\": [{\"scale\": \"1\", \"zero_point\": 0, \"quant_type\": \"QInt8\"}]}",
           "{\"activation_encodings\": {\"x\": [{\"bitwidth\": 4, \"scale\": 1, \"offset\": 0}]}}",
           "{\"activation_encodings\": 3}",
           "{\"activation_encodings\": [{\"name\": \"x\", \"bw\": 8}]}",
           "{\"activation_encodings\": [{\"name\": \"x\", \"bw\": 8, \"scale\": [1, 2], \"offset\": "
           "[0]}]}"}) {
    INFO(text);
    CHECK_THROWS_AS(scales_of(text, model.graph), Error);
  }
}

TEST_CASE("scale files: bytes of any kind are read or refused", "[scales]") {
  const Model model;
  std::mt19937 random(5);
  for (const ScaleFormat* format : all_scale_formats()) {
    const std::string text = format->write(model.scales);
    for (int round = 0; round < 300; ++round) {
      std::string changed = text;
      for (int i = 0; i < 3; ++i) changed[random() % changed.size()] = static_cast<char>(random());
      if (round % 3 == 0) changed.resize(random() % changed.size());
      try {
        for (const auto& [value, read] : scales_of(changed, model.graph))
          for (const float scale : read.scale) CHECK(scale > 0);
      } catch (const Error& error) {
        CHECK((error.kind() == ErrorKind::kInvalidArgument || error.kind() == ErrorKind::kIo));
      }
    }
  }
}
