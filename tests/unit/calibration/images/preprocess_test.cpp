// Preprocessing: its file, its presets, and what an image becomes.
#include <catch2/catch.hpp>

#include "calibration/images/preprocess_file.h"
#include "core/error.h"
#include "tests/support/golden_images.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;
using Catch::Matchers::Contains;

namespace {

ImageInput nchw(int64_t channels, int64_t height, int64_t width) {
  return {"x", channels, height, width, Layout::kNchw};
}

Value graph_input(Shape shape, DataType dtype = DataType::kF32) {
  return {"x", dtype, std::move(shape), {}, {}, {}};
}

template <typename Function>
std::string message_of(ErrorKind kind, const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    CHECK(error.kind() == kind);
    return error.message();
  }
  FAIL("no error");
  return "";
}

std::string parse_error(const std::string& json) {
  return message_of(ErrorKind::kInvalidArgument, [&] { parse_preprocess(json); });
}
std::string resolve_error(const std::string& json, const ImageInput& input = nchw(3, 4, 4)) {
  return message_of(ErrorKind::kInvalidArgument, [&] { resolve(parse_preprocess(json), input); });
}

Tensor apply(const std::string& json, const Image& image, const ImageInput& input) {
  return preprocess_image(image, resolve(parse_preprocess(json), input));
}

std::vector<float> floats(const Tensor& tensor) {
  return tensor.to_vector<float>();
}

const Image kTwoPixels{2, 1, 3, {10, 20, 30, 40, 50, 60}};

}  // namespace

TEST_CASE("pixels are scaled, shifted and divided in the order of the colour", "[preprocess]") {
  const std::string tail = R"("scale": 0.5, "mean": [1, 2, 3], "std": [1, 2, 4]})";
  const Tensor rgb = apply(R"({"color": "rgb", )" + tail, kTwoPixels, nchw(3, 1, 2));
  CHECK(rgb.shape() == Shape{1, 3, 1, 2});
  CHECK(floats(rgb) == std::vector<float>{4, 19, 4, 11.5f, 3, 6.75f});
  const Tensor bgr = apply(R"({"color": "bgr", )" + tail, kTwoPixels, nchw(3, 1, 2));
  CHECK(floats(bgr) == std::vector<float>{14, 29, 4, 11.5f, 0.5f, 4.25f});
}

TEST_CASE("the pixel grid gives the bytes back", "[preprocess]") {
  Image image{4, 2, 3, {}};
  for (int i = 0; i < 24; ++i) image.pixels.push_back(static_cast<uint8_t>(i * 11));
  for (const char* numbers :
       {"", R"(, "mean": [104, 117, 123])",
        R"(, "scale": 0.00392156862745098, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225])"}) {
    const Preprocess preprocess =
        resolve(parse_preprocess(R"({"color": "rgb")" + std::string(numbers) + "}"), nchw(3, 2, 4));
    const Tensor tensor = preprocess_image(image, preprocess);
    const PixelGrid grid = pixel_grid(preprocess).value();
    for (size_t c = 0; c < 3; ++c)
      for (size_t p = 0; p < 8; ++p)
        CHECK(tensor.data<float>()[c * 8 + p] / grid.scale[c] + grid.zero[c] ==
              Approx(image.pixels[p * 3 + c]).margin(1e-3));
  }
  CHECK(!pixel_grid(preset("imagenet", {"x", 3, 8, 8, Layout::kNhwc})));
  CHECK(!pixel_grid(parse_preprocess(R"({"color": "rgb", "layout": "nchw"})")));  // not filled in
}

TEST_CASE("nhwc is a transposition of nchw", "[preprocess]") {
  const Tensor tensor = apply(R"({"color": "rgb"})", kTwoPixels, {"x", 3, 1, 2, Layout::kNhwc});
  CHECK(tensor.shape() == Shape{1, 1, 2, 3});
  CHECK(floats(tensor) == std::vector<float>{10, 20, 30, 40, 50, 60});
}

TEST_CASE("grey and colour become each other", "[preprocess]") {
  CHECK(floats(apply(R"({"color": "gray"})", kTwoPixels, nchw(1, 1, 2))) == std::vector<float>{18, 48});
  const Image gray{2, 1, 1, {7, 9}};
  CHECK(floats(apply(R"({"color": "bgr"})", gray, nchw(3, 1, 2))) == std::vector<float>{7, 9, 7, 9, 7, 9});
}

TEST_CASE("each mode of resizing makes the size it promises", "[preprocess]") {
  const ImageInput open = nchw(1, kUnknownDim, kUnknownDim);
  const auto shape = [&](int64_t width, int64_t height, const std::string& resize) {
    const Tensor tensor =
        apply(R"({"color": "gray", "resize": {)" + resize + "}}", make_image(width, height, 3), open);
    return std::pair{tensor.shape()[3], tensor.shape()[2]};
  };
  using Size = std::pair<int64_t, int64_t>;
  CHECK(shape(30, 20, R"("mode": "stretch", "size": [5, 7])") == Size{7, 5});
  CHECK(shape(30, 20, R"("mode": "none")") == Size{30, 20});
  CHECK(shape(31, 20, R"("mode": "shorter_side", "size": 10)") == Size{16, 10});
  CHECK(shape(20, 31, R"("mode": "shorter_side", "size": 10)") == Size{10, 16});
  CHECK(shape(333, 20, R"("mode": "height", "size": 6)") == Size{100, 6});
  CHECK(shape(1, 1000, R"("mode": "height", "size": 6)") == Size{1, 6});
  CHECK(shape(30, 20, R"("mode": "letterbox", "size": [64, 48])") == Size{48, 64});
}

TEST_CASE("a letterbox keeps the aspect ratio and fills the rest", "[preprocess]") {
  const std::string head = R"({"color": "rgb", "resize": {"mode": "letterbox", "size": 4, "fill": [1, 2, 3])";
  const Image white{4, 2, 3, std::vector<uint8_t>(24, 255)};
  const std::vector<float> centered = floats(apply(head + "}}", white, nchw(3, 4, 4)));
  const std::vector<float> on_top = floats(apply(head + R"(, "anchor": "top_left"}})", white, nchw(3, 4, 4)));
  for (size_t channel = 0; channel < 3; ++channel) {
    const auto fill = static_cast<float>(channel + 1);
    for (size_t row = 0; row < 4; ++row) {
      CHECK(centered[channel * 16 + row * 4] == (row == 1 || row == 2 ? 255 : fill));
      CHECK(on_top[channel * 16 + row * 4] == (row < 2 ? 255 : fill));
    }
  }
  // 7 -> 4 scales 5 to 2.86, rounded down.
  const Tensor tall =
      apply(R"({"color": "gray", "resize": {"mode": "letterbox", "size": 4, "anchor": "top_left"}})",
            make_image(5, 7, 1), nchw(1, 4, 4));
  CHECK(floats(tall)[1] == 0);
  CHECK(floats(tall)[2] == 114);
}

TEST_CASE("a crop takes the centre of the resized image", "[preprocess]") {
  const Image picture = test::read_golden("picture.png");
  const Tensor whole = apply(R"({"color": "rgb", "resize": {"mode": "shorter_side", "size": 20}})", picture,
                             nchw(3, kUnknownDim, kUnknownDim));
  REQUIRE(whole.shape() == Shape{1, 3, 20, 26});
  const Tensor crop =
      apply(R"({"color": "rgb", "resize": {"mode": "shorter_side", "size": 20}, "crop": [14, 11]})", picture,
            nchw(3, 14, 11));
  REQUIRE(crop.shape() == Shape{1, 3, 14, 11});
  size_t differences = 0;
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < 14; ++y) {
      for (int64_t x = 0; x < 11; ++x) {
        differences +=
            crop.data<float>()[(c * 14 + y) * 11 + x] != whole.data<float>()[(c * 20 + y + 3) * 26 + x + 7];
      }
    }
  }
  CHECK(differences == 0);
  CHECK_THAT(message_of(ErrorKind::kCalibration,
                        [&] {
                          apply(R"({"color": "rgb", "resize": {"mode": "none"}, "crop": [30, 30]})", picture,
                                nchw(3, 30, 30));
                        }),
             Contains("29x37") && Contains("30x30"));
}

TEST_CASE("points of an image are found again in its tensor", "[preprocess]") {
  const auto place = [](const std::string& json, const ImageInput& input, const ImageSize& image) {
    return placement_of(image, resolve(parse_preprocess(json), input));
  };
  // 200 x 100 pixels halved, 25 rows of fill above them.
  const ImagePlacement boxed = place(R"({"color": "rgb", "resize": {"mode": "letterbox", "size": 100}})",
                                     nchw(3, 100, 100), {100, 200});
  CHECK(boxed.scale_x == 0.5);
  CHECK(boxed.scale_y == 0.5);
  CHECK(boxed.left == 0);
  CHECK(boxed.top == 25);
  CHECK(boxed.size.height == 100);
  // The shorter side becomes 50, and a crop of 40 takes the middle of 50 x 100.
  const ImagePlacement cropped =
      place(R"({"color": "rgb", "resize": {"mode": "shorter_side", "size": 50}, "crop": [40, 40]})",
            nchw(3, 40, 40), {100, 200});
  CHECK(cropped.scale_x == 0.5);
  CHECK(cropped.left == -30);
  CHECK(cropped.top == -5);
}

TEST_CASE("an image whose other side would be absurd is refused", "[preprocess]") {
  const Image line = make_image(1, 50'000'000, 1);
  CHECK_THROWS_AS(apply(R"({"color": "gray", "resize": {"mode": "shorter_side", "size": 256}})", line,
                        nchw(1, kUnknownDim, kUnknownDim)),
                  Error);
}

TEST_CASE("presets fit the model's input", "[preprocess]") {
  const Preprocess imagenet = preset("imagenet", nchw(3, 224, 224));
  CHECK(imagenet.resize.size->height == 256);
  CHECK(imagenet.crop->width == 224);
  CHECK(imagenet.mean == std::vector<double>{0.485, 0.456, 0.406});
  CHECK(preset("imagenet", nchw(3, 96, 160)).resize.size->height == 183);

  const Preprocess gray = preset("caffe", nchw(1, 28, 28));
  CHECK(gray.color == Color::kGray);
  REQUIRE(gray.mean.size() == 1);
  CHECK(gray.mean[0] == Approx(344.0 / 3));
  CHECK(preset("caffe", nchw(3, 28, 28)).color == Color::kBgr);
  CHECK(preset("yolo", {"x", 3, 32, 64, Layout::kNhwc}).layout == Layout::kNhwc);

  const Image picture = test::read_golden("picture.png");
  for (const char* name : preset_names()) {
    INFO(name);
    INFO(name);
    CHECK(preprocess_image(picture, preset(name, nchw(3, 12, 10))).shape() == Shape{1, 3, 12, 10});
  }
  CHECK_THAT(message_of(ErrorKind::kInvalidArgument, [] { preset("torch", nchw(3, 8, 8)); }),
             Contains("'torch'") && Contains("imagenet, tf, caffe, unit, raw, yolo"));
  CHECK_THAT(message_of(ErrorKind::kInvalidArgument, [] { preset("unit", nchw(3, kUnknownDim, 8)); }),
             Contains("--input-shape"));
}

TEST_CASE("a model's input says what it wants of images", "[preprocess]") {
  const ImageInput first = image_input_of(graph_input({kUnknownDim, 3, 224, 192}));
  CHECK(std::tuple{first.channels, first.height, first.width, first.layout} ==
        std::tuple{int64_t{3}, int64_t{224}, int64_t{192}, Layout::kNchw});
  const ImageInput last = image_input_of(graph_input({1, 224, 192, 1}));
  CHECK(std::tuple{last.channels, last.height, last.width, last.layout} ==
        std::tuple{int64_t{1}, int64_t{224}, int64_t{192}, Layout::kNhwc});
  const auto error = [](const Value& input) {
    return message_of(ErrorKind::kUnsupported, [&] { image_input_of(input); });
  };
  CHECK_THAT(error(graph_input({1, 4, 224, 224})), Contains("1x4x224x224") && Contains("channels"));
  CHECK_THAT(error(graph_input({8, 3, 224, 224})), Contains("fixed batch of 8"));
  CHECK_THAT(error(graph_input({1, 784})), Contains("1x784"));
  CHECK_THAT(error(graph_input({1, 3, 8, 8}, DataType::kBool)), Contains("is bool"));
  CHECK(image_input_of(graph_input({1, 3, 8, 8}, DataType::kU8)).takes_pixels());
  CHECK_FALSE(first.takes_pixels());
}

TEST_CASE("an input of integers takes pixels as they are", "[preprocess]") {
  ImageInput input = nchw(3, 4, 4);
  for (const DataType type : {DataType::kU8, DataType::kS32, DataType::kS64}) {
    input.dtype = type;
    CHECK(preset("raw", input).scale == 1);
    CHECK_THAT(message_of(ErrorKind::kInvalidArgument, [&] { preset("imagenet", input); }),
               Contains("use 'raw'"));
  }
  input.dtype = DataType::kS8;
  CHECK_THAT(message_of(ErrorKind::kInvalidArgument, [&] { preset("raw", input); }), Contains("128"));
  const Preprocess centred = resolve(parse_preprocess(R"({"color": "rgb", "mean": 128})"), input);
  CHECK(load_preprocess(to_argument(centred, input), input).mean == std::vector<double>{128, 128, 128});
}

TEST_CASE("every input that takes images has settings of its own", "[preprocess]") {
  ImageInput left = nchw(3, 4, 4), right = nchw(1, 2, 2);
  left.name = "left";
  right.name = "right";
  const std::vector<ImageInput> both = {left, right};
  const std::vector<InputPreprocess> made = load_preprocess("unit", both);
  REQUIRE(made.size() == 2);
  CHECK(made[1].input == "right");
  CHECK(made[1].preprocess.color == Color::kGray);
  CHECK(to_json(load_preprocess(to_json(made), both)) == to_json(made));
  const auto error = [&](const std::string& json) {
    return message_of(ErrorKind::kInvalidArgument, [&] { load_preprocess(json, both); });
  };
  CHECK_THAT(error(R"({"inputs": {"left": {"color": "rgb"}}})"), Contains("lacks the model's input 'right'"));
  CHECK_THAT(error(R"({"inputs": {"left": {"color": "rgb"}, "right": {"color": "gray"}, "top": {}}})"),
             Contains("'top'"));
  CHECK_THAT(error(R"({"inputs": 3})"), Contains("JSON object"));
}

TEST_CASE("a preprocessing file with a mistake is refused by name", "[preprocess]") {
  CHECK_THAT(parse_error("{"), Contains("no valid JSON"));
  CHECK_THAT(parse_error("[]"), Contains("JSON object"));
  CHECK_THAT(parse_error("{}"), Contains("\"color\""));
  CHECK_THAT(parse_error(R"({"color": "rgb", "means": 1})"),
             Contains("'means'") && Contains("mean, std, layout"));
  CHECK_THAT(parse_error(R"({"color": "rgb", "resize": {"sise": 1}})"),
             Contains("'sise'") && Contains("size"));
  CHECK_THAT(parse_error(R"({"color": "red"})"), Contains("\"red\"") && Contains("rgb, bgr, gray"));
  CHECK_THAT(parse_error(R"({"color": "rgb", "scale": "1"})"), Contains("'scale'") && Contains("number"));
  CHECK_THAT(parse_error(R"({"color": "rgb", "mean": []})"), Contains("'mean'"));
  CHECK_THAT(parse_error(R"({"color": "rgb", "crop": [1, 2, 3]})"),
             Contains("'crop'") && Contains("[height, width]"));
  CHECK_THAT(parse_error(R"({"color": "rgb", "crop": -5})"), Contains("'crop'"));
  CHECK_THAT(parse_error(R"({"color": "rgb", "resize": {"fill": [300, 0, 0]}})"), Contains("0 to 255"));
  CHECK_THAT(parse_error(R"({"color": "rgb", "resize": {"antialias": 1}})"), Contains("true or false"));
}

TEST_CASE("preprocessing that cannot fit the model is refused before any image", "[preprocess]") {
  CHECK_THAT(resolve_error(R"({"color": "gray"})"), Contains("1 channels") && Contains("'x' has 3"));
  CHECK_THAT(resolve_error(R"({"color": "rgb", "layout": "nhwc"})"), Contains("layout"));
  CHECK_THAT(resolve_error(R"({"color": "rgb", "mean": [1, 2]})"), Contains("'mean'"));
  CHECK_THAT(resolve_error(R"({"color": "rgb", "std": 0})"), Contains("std not 0"));
  CHECK_THAT(resolve_error(R"({"color": "rgb", "scale": 1e300})"), Contains("finite"));
  CHECK_THAT(resolve_error(R"({"color": "rgb", "resize": {"size": [4, 5]}})"),
             Contains("4x5") && Contains("4x4"));
  CHECK_THAT(resolve_error(R"({"color": "rgb", "crop": [4, 3]})"), Contains("4x3"));
  CHECK_THAT(resolve_error(R"({"color": "rgb", "resize": {"mode": "height", "size": 5}})"), Contains("5x?"));
  CHECK_THAT(resolve_error(R"({"color": "rgb", "resize": {"mode": "shorter_side", "size": [4, 5]}})"),
             Contains("one number"));
  CHECK_THAT(resolve_error(R"({"color": "rgb"})", nchw(3, kUnknownDim, kUnknownDim)),
             Contains("--input-shape"));
}

TEST_CASE("the same preprocessing is the same JSON, which reads back as itself", "[preprocess]") {
  const ImageInput input = nchw(3, 8, 8);
  const auto canonical = [&](const std::string& json) {
    return to_json(resolve(parse_preprocess(json), input));
  };
  const std::string brief = canonical(R"({"color": "rgb", "mean": 0.5})");
  CHECK(canonical(R"({"mean": [0.5, 0.5, 0.5], "std": 1, "layout": "nchw", "color": "rgb",
                      "resize": {"size": [8, 8], "mode": "stretch"}})") == brief);
  CHECK(canonical(R"({"color": "rgb", "mean": 0.5000001})") != brief);
  for (const char* name : preset_names()) {
    INFO(name);
    const std::string text = to_json(preset(name, input));
    CHECK(canonical(text) == text);
  }
}

TEST_CASE("a name or a file can be asked for", "[preprocess]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("mine.json");
  test::write_text(path, R"({"color": "bgr"})");
  CHECK(load_preprocess(path, nchw(3, 8, 8)).color == Color::kBgr);
  CHECK(load_preprocess("raw", nchw(3, 8, 8)).scale == 1);
  test::write_text(path, R"({"colour": "bgr"})");
  try {
    load_preprocess(path, nchw(3, 8, 8));
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.context() == std::vector<std::string>{path});
  }
  CHECK(message_of(ErrorKind::kIo, [&] {
          load_preprocess(folder.file("none.json"), nchw(3, 8, 8));
        }).find("none.json") != std::string::npos);
}

TEST_CASE("words behind a preset's name change order and geometry", "[preprocess]") {
  const ImageInput input{"x", 3, 32, 48, Layout::kNchw};
  const Preprocess plain = preset("imagenet", input), varied = preset("imagenet,bgr,stretch", input);
  CHECK(varied.color == Color::kBgr);
  CHECK(varied.mean == std::vector<double>{plain.mean[2], plain.mean[1], plain.mean[0]});
  CHECK(varied.resize.mode == ResizeMode::kStretch);
  CHECK_FALSE(varied.crop);
  const Preprocess box = preset("raw,bgr,letterbox,top_left", input);
  CHECK(box.resize.anchor == Anchor::kTopLeft);
  CHECK(preset("caffe,shorter_side", input).crop->width == 48);
  CHECK_THROWS_WITH(preset("unit,wide", input), Catch::Contains("'wide'") && Catch::Contains("letterbox"));
  CHECK_THROWS_AS(preset("unit,", input), Error);
  CHECK_THROWS_AS(preset("unit,bgr", ImageInput{"x", 1, 32, 32, Layout::kNchw}), Error);
}

TEST_CASE("a preprocessing that a preset makes is called by its shortest name", "[preprocess]") {
  const ImageInput input{"x", 3, 32, 32, Layout::kNchw};
  for (const std::string name : {"imagenet", "yolo", "unit,bgr", "caffe,rgb", "raw,bgr,letterbox,top_left",
                                 "imagenet,stretch", "tf,bgr,none"}) {
    CHECK(preset_name_of(preset(name, input), input) == name);
  }
  CHECK(preset_name_of(preset("unit,letterbox", input), input) == "yolo");
  Preprocess other = preset("unit", input);
  other.scale = 0.5;
  CHECK_FALSE(preset_name_of(other, input));
  const ImageInput open{"x", 3, kUnknownDim, kUnknownDim, Layout::kNchw};
  for (const std::string name : {"imagenet,224", "yolo,320x640", "tf,bgr,height,48"})
    CHECK(preset_name_of(preset(name, open), open) == name);
  CHECK_THROWS_AS(preset("unit", open), Error);
  CHECK_THROWS_AS(preset("unit,48", input), Error);
}

TEST_CASE("a preprocessing is described in one line", "[preprocess]") {
  const ImageInput input{"x", 3, 224, 224, Layout::kNchw};
  CHECK(describe(preset("tf", input)) == "RGB, shorter side 256, crop 224, x/127.5 - 1");
  CHECK(describe(preset("unit", input)) == "RGB, stretched to 224x224, x/255");
  CHECK(describe(preset("caffe", input)) == "BGR, stretched to 224x224, x - (104, 117, 123)");
  CHECK(describe(preset("raw,bgr,letterbox,top_left", input)) ==
        "BGR, letterbox 224 top left, pixels 0 to 255");
  CHECK(describe(preset("imagenet,none", input)) ==
        "RGB, not resized, (x/255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)");
  const ImageInput line{"x", 1, 48, kUnknownDim, Layout::kNchw};
  CHECK(describe(preset("unit,height", line)) == "grey, height 48, x/255");
}
