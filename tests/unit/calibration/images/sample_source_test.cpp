// Listing and loading samples.
#include "calibration/images/sample_source.h"

#include <catch2/catch.hpp>
#include <limits>

#include "calibration/images/preprocess_file.h"
#include "core/error.h"
#include "core/parallel.h"
#include "tests/support/golden_images.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;
using Catch::Matchers::Contains;
using test::TemporaryFolder;
using test::write_text;
namespace fs = std::filesystem;

namespace {

Value input_of(const std::string& name, Shape shape, DataType dtype = DataType::kF32) {
  return {name, dtype, std::move(shape), {}, {}, {}};
}

const std::vector<Value> kImageInput = {input_of("x", {kUnknownDim, 3, 8, 8})};

SampleSource open(const std::vector<Value>& inputs, const SampleOptions& options) {
  SampleList list = list_samples(inputs, options);
  std::vector<InputPreprocess> preprocess;
  for (const ImageInput& input : image_inputs(inputs, list))
    preprocess.push_back({input.name, preset(input.takes_pixels() ? "raw" : "unit", input)});
  return SampleSource(inputs, options, std::move(list), preprocess);
}

SampleOptions at(const std::string& path) {
  SampleOptions options;
  options.path = path;
  return options;
}

std::vector<std::string> names(const std::vector<Value>& inputs, const SampleOptions& options) {
  std::vector<std::string> names;
  for (const Sample& sample : list_samples(inputs, options).samples) names.push_back(sample.name);
  return names;
}

/// A folder of `count` one-pixel images called 0.ppm, 1.ppm, ...
void write_images(const TemporaryFolder& folder, int count) {
  for (int i = 0; i < count; ++i) {
    write_text(folder.file(std::to_string(i) + ".ppm"),
               "P6 1 1 255\n" + std::string(3, static_cast<char>(i)));
  }
}

/// A .npy file of one row.
std::string npy_of(const std::vector<float>& row) {
  std::string header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1, " + std::to_string(row.size()) + "), }";
  header.resize(117, ' ');
  header += '\n';
  const std::string numbers(reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float));
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header + numbers;
}

template <typename Function>
std::string message_of(ErrorKind kind, const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    CHECK(error.kind() == kind);
    return error.what();
  }
  FAIL("no error");
  return "";
}

/// [rows, 2] f32: 0, 1, 2, ...
Tensor rows_of_two(int64_t rows) {
  Tensor tensor(DataType::kF32, {rows, 2});
  for (int64_t i = 0; i < tensor.size(); ++i) tensor.mutable_data<float>()[i] = static_cast<float>(i);
  return tensor;
}

}  // namespace

TEST_CASE("a directory's images come sorted by path, without what is hidden or no image", "[samples]") {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "b" / ".cache");
  for (const char* name :
       {"b/2.PNG", "b/10.jpg", "a.webp", "c.txt", ".hidden.jpg", "b/.cache/x.jpg", "labels"}) {
    write_text(folder.file(name), "");
  }
  CHECK(names(kImageInput, at(folder.path().string())) ==
        std::vector<std::string>{"a.webp", "b/10.jpg", "b/2.PNG"});
}

TEST_CASE("an image becomes one tensor of the model's shape", "[samples]") {
  SampleSource source = open(kImageInput, at(test::golden_image("picture.png")));
  REQUIRE(source.count() == 1);
  CHECK(source.name(0) == "picture.png");
  const auto tensors = source.load(0);
  REQUIRE(tensors);
  CHECK(tensors->at(0).shape() == Shape{1, 3, 8, 8});
  CHECK(source.fingerprint() == to_json(preset("unit", image_input_of(kImageInput[0]))));
}

TEST_CASE("a file named alone is an image whatever its extension", "[samples]") {
  const TemporaryFolder folder;
  fs::copy_file(test::golden_image("420.jpg"), folder.path() / "photo");
  CHECK(open(kImageInput, at(folder.file("photo"))).load(0));
}

TEST_CASE("samples are chosen from the whole list, then shards that together are all of them", "[samples]") {
  const TemporaryFolder folder;
  write_images(folder, 10);
  SampleOptions options = at(folder.path().string());
  options.samples = 7;
  const std::vector<std::string> all = names(kImageInput, options);
  CHECK(all == std::vector<std::string>{"0.ppm", "1.ppm", "2.ppm", "4.ppm", "5.ppm", "7.ppm", "8.ppm"});
  options.shards = 3;
  std::vector<std::string> together;
  for (options.shard = 0; options.shard < 3; ++options.shard) {
    const auto part = names(kImageInput, options);
    CHECK((part.size() == 2 || part.size() == 3));
    together.insert(together.end(), part.begin(), part.end());
  }
  CHECK(together == all);
  options.samples = 1;
  options.shard = 0;
  CHECK_THAT(message_of(ErrorKind::kCalibration, [&] { list_samples(kImageInput, options); }),
             Contains("shards"));
}

TEST_CASE("nothing to read is an error that says what was looked for", "[samples]") {
  const TemporaryFolder folder;
  CHECK_THAT(
      message_of(ErrorKind::kCalibration, [&] { list_samples(kImageInput, at(folder.path().string())); }),
      Contains("no image"));
  CHECK_THAT(message_of(ErrorKind::kIo, [&] { list_samples(kImageInput, at(folder.file("none"))); }),
             Contains("none") && Contains("No such file"));
  write_text(folder.file("a.gif"), "");
  write_text(folder.file("notes.txt"), "");
  CHECK_THAT(
      message_of(ErrorKind::kCalibration, [&] { list_samples(kImageInput, at(folder.path().string())); }),
      Contains("1 .gif, 1 of other kinds ('notes.txt')"));
}

TEST_CASE("a model with one input takes images before tensors and names what is left out", "[samples]") {
  const TemporaryFolder folder;
  write_images(folder, 3);
  write_text(folder.file("a.npy"), "");
  write_text(folder.file("b.gif"), "");
  const SampleList list = list_samples(kImageInput, at(folder.path().string()));
  CHECK(list.samples.size() == 3);
  REQUIRE(list.warnings.size() == 1);
  CHECK_THAT(list.warnings[0], Contains("2 files are left out") && Contains("1 .gif, 1 .npy"));
}

TEST_CASE("the whole list is the same for every shard", "[samples]") {
  const TemporaryFolder folder;
  write_images(folder, 10);
  SampleOptions options = at(folder.path().string());
  options.shards = 4;
  options.samples = 5;
  for (options.shard = 0; options.shard < 4; ++options.shard)
    CHECK(list_samples(kImageInput, options).whole.size() == 10);
}

TEST_CASE("a picture is read whatever its name", "[samples]") {
  const TemporaryFolder folder;
  fs::copy_file(test::golden_image("420.jpg"), folder.path() / "photo");
  fs::copy_file(test::golden_image("gray.png"), folder.path() / "photo.tif");
  fs::copy_file(test::golden_image("rgb.bmp"), folder.path() / "photo.jpg_original");
  write_text(folder.file("README"), "BM is how bitmaps begin, and P5 5 is no picture");
  write_text(folder.file("labels.txt"), "P5-photo.ppm 1\n");
  CHECK(names(kImageInput, at(folder.path().string())) ==
        std::vector<std::string>{"photo", "photo.jpg_original", "photo.tif"});
}

TEST_CASE("a part may have bad images alone, all samples may not", "[samples]") {
  const TemporaryFolder folder;
  for (const char* name : {"0.ppm", "1.ppm", "2.ppm", "3.ppm"}) write_text(folder.file(name), "no picture");
  SampleOptions options = at(folder.path().string());
  options.max_bad_images = 4;
  options.shards = 2;
  options.is_part = true;
  SampleSource part = open(kImageInput, options);
  for (size_t i = 0; i < part.count(); ++i) CHECK_FALSE(part.load(i));
  CHECK(part.held().begin()->second.samples.size() == 2);

  options.is_part = false;  // nothing is added to this shard
  SampleSource alone = open(kImageInput, options);
  CHECK_FALSE(alone.load(0));
  CHECK_THAT(message_of(ErrorKind::kCalibration, [&] { alone.load(1); }), Contains("no image can be used"));

  options.shards = 1;
  options.is_part = true;
  SampleSource all = open(kImageInput, options);
  for (size_t i = 0; i < 3; ++i) CHECK_FALSE(all.load(i));
  CHECK_THAT(message_of(ErrorKind::kCalibration, [&] { all.load(3); }), Contains("no image can be used"));
}

TEST_CASE("bad images are skipped and named up to the limit", "[samples]") {
  const TemporaryFolder folder;
  write_images(folder, 5);
  write_text(folder.file("3.ppm"), "just text");
  write_text(folder.file("1.ppm"), "P6 9 9 255\nshort");
  SampleOptions options = at(folder.path().string());

  options.max_bad_images = 2;
  SampleSource lenient = open(kImageInput, options);
  for (size_t i = lenient.count(); i-- > 0;) CHECK(lenient.load(i).has_value() == (i != 1 && i != 3));
  CHECK_FALSE(lenient.load(1));  // a second look counts once
  const std::vector<BadImage> bad = lenient.bad_images();
  REQUIRE(bad.size() == 2);
  CHECK(bad[0].name == "1.ppm");
  CHECK_THAT(bad[1].reason, Contains("whatever its name says"));

  options.max_bad_images.reset();  // 1 % of 5, but at least 1
  SampleSource strict = open(kImageInput, options);
  CHECK_FALSE(strict.load(3));
  CHECK_THAT(message_of(ErrorKind::kCalibration, [&] { strict.load(1); }),
             Contains("at least 2 of 5 images") && Contains("--max-bad-images 1") && Contains("1.ppm (") &&
                 Contains("3.ppm ("));
}

TEST_CASE("samples with NaN or infinity are bad ones, in every form and any of several inputs", "[samples]") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity(),
                  kNan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<Value> inputs = {input_of("a", {1, 2}), input_of("b", {1, 2})};
  const TemporaryFolder folder;
  const auto write = [&](const std::string& sample, const std::vector<float>& a,
                         const std::vector<float>& b) {
    fs::create_directories(folder.path() / sample);
    write_text(folder.file(sample + "/a.npy"), npy_of(a));
    write_text(folder.file(sample + "/b.npy"), npy_of(b));
  };
  for (const char* name : {"0", "1", "4", "5"}) write(name, {1, 2}, {3, 4});
  write("2", {1, 2}, {kNan, 4});
  write("3", {-kInfinity, 2}, {3, 4});
  SampleOptions options = at(folder.path().string());
  options.max_bad_images = 2;
  SampleSource source = open(inputs, options);
  REQUIRE(source.count() == 6);
  for (size_t i = 0; i < 6; ++i) CHECK(source.load(i).has_value() == (i != 2 && i != 3));
  const std::vector<BadImage> bad = source.bad_images();
  REQUIRE(bad.size() == 2);
  CHECK_THAT(bad[0].reason, Contains("input 'b' holds NaN or infinity"));
  CHECK_THAT(bad[1].reason, Contains("input 'a'"));
  CHECK_THAT(message_of(ErrorKind::kCalibration, [&] { source.reject(4, "it overflows"); }),
             Contains("3 of 6 samples") && Contains("it overflows"));
  CHECK_FALSE(source.load(4));
}

TEST_CASE("a directory of bad images is an error, whatever the limit", "[samples]") {
  const TemporaryFolder folder;
  write_text(folder.file("a.jpg"), "text named .jpg");
  SampleOptions options = at(folder.path().string());
  options.max_bad_images = 100;
  CHECK_THAT(message_of(ErrorKind::kCalibration, [&] { open(kImageInput, options).load(0); }),
             Contains("no image can be used: a.jpg"));
}

TEST_CASE("an image whose size the model does not take is a bad one", "[samples]") {
  const SampleOptions options = at(test::golden_image("picture.png"));
  const Preprocess as_it_is = resolve(parse_preprocess(R"({"color": "rgb", "resize": {"mode": "none"}})"),
                                      image_input_of(kImageInput[0]));
  SampleSource source(kImageInput, options, list_samples(kImageInput, options), {{"x", as_it_is}});
  CHECK_THAT(message_of(ErrorKind::kCalibration, [&] { source.load(0); }),
             Contains("1x3x29x37") && Contains("?x3x8x8"));
}

TEST_CASE("many threads load the same tensors as one", "[samples]") {
  const TemporaryFolder folder;
  write_images(folder, 40);
  SampleSource source = open(kImageInput, at(folder.path().string()));
  std::vector<Tensor> loaded(source.count());
  parallel_for(source.count(), 4, [&](size_t i, int) { loaded[i] = source.load(i)->at(0); });
  for (size_t i = 0; i < loaded.size(); ++i) CHECK(equal(loaded[i], source.load(i)->at(0)));
}

TEST_CASE("a .npy holds as many samples as batches", "[samples]") {
  const TemporaryFolder folder;
  save_npy(folder.file("a.npy"), rows_of_two(6).view());
  for (const int64_t batch : {kUnknownDim, int64_t{1}, int64_t{3}}) {
    const int64_t rows = std::max<int64_t>(batch, 1);
    SampleSource source = open({input_of("x", {batch, 2})}, at(folder.path().string()));
    REQUIRE(source.count() == static_cast<size_t>(6 / rows));
    CHECK(source.name(1) == "a.npy[1]");
    const Tensor second = source.load(1)->at(0);
    CHECK(second.shape() == Shape{rows, 2});
    CHECK(second.data<float>()[0] == static_cast<float>(2 * rows));
  }
  CHECK_THAT(message_of(ErrorKind::kCalibration,
                        [&] {
                          open({input_of("x", {4, 2})}, at(folder.file("a.npy")));
                        }),
             Contains("6x2") && Contains("4x2"));
  CHECK_THAT(message_of(ErrorKind::kCalibration,
                        [&] {
                          open({input_of("x", {1, 3})}, at(folder.file("a.npy")));
                        }),
             Contains("1x2") && Contains("1x3"));
}

TEST_CASE("a tensor without its batch, a scalar and doubles are taken", "[samples]") {
  const TemporaryFolder folder;
  save_npy(folder.file("a.npy"), Tensor::of<double>({2}, {3, 4}).view());
  SampleSource source = open({input_of("x", {1, 2})}, at(folder.file("a.npy")));
  CHECK(equal(source.load(0)->at(0), Tensor::of<float>({1, 2}, {3, 4})));
  save_npy(folder.file("s.npy"), Tensor::scalar<float>(5).view());
  CHECK(equal(open({input_of("x", {})}, at(folder.file("s.npy"))).load(0)->at(0), Tensor::scalar<float>(5)));
  save_npy(folder.file("i.npy"), Tensor::of<int32_t>({1, 2}, {3, 4}).view());
  CHECK_THAT(message_of(ErrorKind::kCalibration,
                        [&] {
                          open({input_of("x", {1, 2})}, at(folder.file("i.npy")));
                        }),
             Contains("s32") && Contains("f32"));
}

TEST_CASE("an archive holds every input by name, or the only one by any", "[samples]") {
  const std::string path = std::string(QUANTIZE_TEST_DATA) + "/golden/numpy/deflated.npz";
  const std::vector<Value> both = {input_of("longs", {1, 3}, DataType::kS64), input_of("floats", {1, 3})};
  SampleSource source = open(both, at(path));
  REQUIRE(source.count() == 2);
  const auto tensors = source.load(1);
  CHECK(equal(tensors->at(0), Tensor::of<int64_t>({1, 3}, {3, 4, 5})));
  CHECK(equal(tensors->at(1), Tensor::of<float>({1, 3}, {3, 4, 5})));
  CHECK(open({input_of("floats", {1, 3})}, at(path)).count() == 2);
  CHECK_THAT(message_of(ErrorKind::kCalibration,
                        [&] {
                          open({input_of("other", {1, 3})}, at(path));
                        }),
             Contains("'other': it has 'floats', 'longs'"));
}

TEST_CASE("directories hold a file for every input, by name or number", "[samples]") {
  const TemporaryFolder folder;
  const std::vector<Value> both = {input_of("in/a", {1, 2}), input_of("b", {1, 2})};
  fs::create_directories(folder.path() / "set_0");
  fs::create_directories(folder.path() / "set_1");
  save_npy(folder.file("set_0/in_a.npy"), rows_of_two(2).view());
  save_npy(folder.file("set_0/b.npy"), rows_of_two(2).view());
  save_npy(folder.file("set_1/input_0.npy"), rows_of_two(1).view());
  write_text(folder.file("set_1/input_1.pb"), "");
  SampleOptions options = at(folder.path().string());
  options.load_tensor_proto = [](const std::string&) { return Tensor::of<float>({1, 2}, {8, 9}); };
  SampleSource source = open(both, options);
  CHECK(names(both, options) == std::vector<std::string>{"set_0[0]", "set_0[1]", "set_1"});
  CHECK(source.load(1)->at(1).data<float>()[0] == 2);
  CHECK(source.load(2)->at(1).data<float>()[0] == 8);
  CHECK(source.fingerprint().empty());

  fs::remove(folder.path() / "set_0/b.npy");
  CHECK_THAT(message_of(ErrorKind::kCalibration, [&] { open(both, options); }),
             Contains("set_0") && Contains("'b'"));
}

TEST_CASE("one folder of images is not enough for a model with two inputs", "[samples]") {
  CHECK_THAT(
      message_of(ErrorKind::kCalibration,
                 [&] {
                   list_samples({kImageInput[0], input_of("size", {2})}, at(test::golden_image("gray.png")));
                 }),
      Contains("2 inputs") && Contains("'x=FOLDER'") && Contains(".npz"));
}

namespace {

const std::vector<Value> kPair = {input_of("image", {1, 3, 8, 8}), input_of("size", {1, 2})};

/// `images` images called 0.ppm, ... and `tensors` arrays called `names[i]`, whose first element is i.
SampleOptions write_pair(const TemporaryFolder& folder, int images, const std::vector<std::string>& names) {
  fs::create_directories(folder.path() / "a");
  fs::create_directories(folder.path() / "b");
  for (int i = 0; i < images; ++i)
    write_text(folder.file("a/" + std::to_string(i) + ".ppm"),
               "P6 1 1 255\n" + std::string(3, static_cast<char>(i)));
  for (size_t i = 0; i < names.size(); ++i)
    write_text(folder.file("b/" + names[i]), npy_of({static_cast<float>(i), 7}));
  SampleOptions options;
  options.by_input = {{"image", folder.file("a")}, {"size", folder.file("b")}};
  return options;
}

/// The first element of the second input for each sample.
std::vector<float> partners(const SampleOptions& options) {
  SampleSource source = open(kPair, options);
  std::vector<float> result;
  for (size_t i = 0; i < source.count(); ++i) {
    const auto tensors = source.load(i);
    CHECK(tensors->at(0).data<float>()[0] == Approx(static_cast<float>(i) / 255));
    result.push_back(tensors->at(1).data<float>()[0]);
  }
  return result;
}

}  // namespace

TEST_CASE("samples of several inputs are paired by their names", "[samples]") {
  const TemporaryFolder folder;
  const SampleOptions options = write_pair(folder, 3, {"2.npy", "0.npy", "1.npy"});
  CHECK(partners(options) == std::vector<float>{1, 2, 0});
  CHECK(names(kPair, options) == std::vector<std::string>{"0.ppm", "1.ppm", "2.ppm"});
  const SampleSource source = open(kPair, options);
  CHECK(source.fingerprint().starts_with(R"({"inputs":{"image":)"));
}

TEST_CASE("samples of several inputs with other names are paired by their places", "[samples]") {
  const TemporaryFolder folder;
  const SampleOptions options = write_pair(folder, 3, {"r0.npy", "r1.npy", "r2.npy"});
  CHECK(partners(options) == std::vector<float>{0, 1, 2});
  CHECK(list_samples(kPair, options).warnings.empty());
  const TemporaryFolder mixed;
  const SampleList doubtful = list_samples(kPair, write_pair(mixed, 2, {"1.npy", "2.npy"}));
  REQUIRE(doubtful.warnings.size() == 1);
  CHECK_THAT(doubtful.warnings[0], Contains("paired by their places"));
}

TEST_CASE("a file with one sample stands for all, a folder does not", "[samples]") {
  const TemporaryFolder folder;
  SampleOptions options = write_pair(folder, 3, {"r.npy"});
  CHECK_THAT(message_of(ErrorKind::kCalibration, [&] { list_samples(kPair, options); }),
             Contains("3 for 'image'") && Contains("1 for 'size'"));
  options.by_input["size"] = folder.file("b/r.npy");
  CHECK(partners(options) == std::vector<float>{0, 0, 0});
  options.by_input.erase("size");
  CHECK_THAT(message_of(ErrorKind::kInvalidArgument, [&] { list_samples(kPair, options); }),
             Contains("'size'"));
}

TEST_CASE("one bad part rejects the sample of all inputs", "[samples]") {
  const TemporaryFolder folder;
  const SampleOptions options = write_pair(folder, 3, {"0.npy", "1.npy", "2.npy"});
  write_text(folder.file("a/1.ppm"), "P6 9 9 255\nshort");
  SampleSource source = open(kPair, options);
  CHECK(source.load(0));
  CHECK_FALSE(source.load(1));
  CHECK(source.load(2));
  REQUIRE(source.bad_images().size() == 1);
  CHECK_THAT(source.bad_images()[0].reason, Contains("input 'image'"));
}

TEST_CASE("images become the integers that an input takes", "[samples]") {
  const TemporaryFolder folder;
  write_images(folder, 3);
  const std::vector<Value> pixels = {input_of("x", {1, 3, 8, 8}, DataType::kU8)};
  SampleSource source = open(pixels, at(folder.path().string()));
  const auto tensors = source.load(2);
  REQUIRE(tensors->at(0).dtype() == DataType::kU8);
  CHECK(tensors->at(0).data<uint8_t>()[0] == 2);
}

TEST_CASE("arrays of f16 are read for inputs of f32", "[samples]") {
  const TemporaryFolder folder;
  Tensor halves(DataType::kF16, {1, 2});
  const uint16_t bits[] = {0x3c00, 0xc000};  // 1, -2
  std::copy(bits, bits + 2, static_cast<uint16_t*>(halves.mutable_bytes()));
  save_npy(folder.file("a.npy"), halves.view());
  const auto tensors = open({input_of("x", {1, 2})}, at(folder.path().string())).load(0);
  CHECK(equal(tensors->at(0), Tensor::of<float>({1, 2}, {1, -2})));
}
