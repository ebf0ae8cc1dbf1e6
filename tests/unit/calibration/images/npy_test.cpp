// numpy's files: what numpy writes is read (tests/golden), what is written is read back, damage is an Error.
#include "calibration/images/npy.h"

#include <catch2/catch.hpp>
#include <random>

#include "core/error.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;
using test::read_text;
using test::TemporaryFolder;
using test::write_text;

namespace {

std::string golden_array(const std::string& name) {
  return std::string(QUANTIZE_TEST_DATA) + "/golden/numpy/" + name;
}

/// 2 x 3 elements: 0 to 5.
template <typename T>
Tensor counting() {
  return Tensor::of<T>({2, 3}, {T(0), T(1), T(2), T(3), T(4), T(5)});
}

std::string refusal(const std::string& path) {
  try {
    path.ends_with(".npz") ? static_cast<void>(open_npz(path)) : static_cast<void>(NpyArray::open(path));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kCalibration);
    return error.message();
  }
  return "";
}

}  // namespace

TEMPLATE_TEST_CASE("an array written is the array read", "[npy]", float, double, uint8_t, int8_t, uint16_t,
                   int16_t, uint32_t, int32_t, uint64_t, int64_t, bool) {
  const TemporaryFolder folder;
  const Tensor tensor = counting<TestType>();
  save_npy(folder.file("a.npy"), tensor.view());
  const NpyArray array = NpyArray::open(folder.file("a.npy"));
  CHECK(array.dtype() == tensor.dtype());
  CHECK(equal(array.all(), tensor));
  CHECK(equal(array.rows(1, 1), Tensor::of<TestType>({1, 3}, {TestType(3), TestType(4), TestType(5)})));
}

TEST_CASE("scalars and vectors keep their shapes", "[npy]") {
  const TemporaryFolder folder;
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{1, 1, 1}}) {
    save_npy(folder.file("a.npy"), Tensor(DataType::kF32, shape).view());
    CHECK(NpyArray::open(folder.file("a.npy")).shape() == shape);
  }
}

TEST_CASE("the file is byte for byte what numpy writes", "[npy]") {
  const TemporaryFolder folder;
  save_npy(folder.file("a.npy"), counting<float>().view());
  CHECK(read_text(folder.file("a.npy")) == read_text(golden_array("f4.npy")));
}

TEST_CASE("what numpy writes is read", "[npy]") {
  CHECK(equal(NpyArray::open(golden_array("f4.npy")).all(), counting<float>()));
  CHECK(equal(NpyArray::open(golden_array("version_2.npy")).all(), counting<float>()));
  for (const char* name : {"stored.npz", "deflated.npz"}) {
    INFO(name);
    const auto arrays = open_npz(golden_array(name));
    REQUIRE(arrays.size() == 2);
    CHECK(equal(arrays.at("floats").all(), counting<float>()));
    CHECK(equal(arrays.at("longs").all(), counting<int64_t>()));
    CHECK(equal(arrays.at("longs").rows(1, 1), Tensor::of<int64_t>({1, 3}, {3, 4, 5})));
  }
}

TEST_CASE("arrays of other kinds are refused with what to do", "[npy]") {
  CHECK(refusal(golden_array("fortran.npy")).find("ascontiguousarray") != std::string::npos);
  CHECK(refusal(golden_array("big_endian.npy")).find(">f4") != std::string::npos);
  const TemporaryFolder folder;
  write_text(folder.file("a.npy"), "not an array");
  CHECK(refusal(folder.file("a.npy")) == "the file is no .npy array");
  write_text(folder.file("a.npz"), "not an archive");
  CHECK(refusal(folder.file("a.npz")).find("no .npz archive") != std::string::npos);
  CHECK_THROWS_AS(NpyArray::open(folder.file("missing.npy")), Error);
  CHECK_THROWS_AS(open_npz(folder.file("missing.npz")), Error);
}

TEST_CASE("a header that claims more than the file holds is refused", "[npy]") {
  const TemporaryFolder folder;
  std::string bytes = read_text(golden_array("f4.npy"));
  write_text(folder.file("a.npy"), bytes.substr(0, bytes.size() - 1));
  CHECK(refusal(folder.file("a.npy")).find("cut off") != std::string::npos);
  for (const char* shape : {"(99999999999, 99999999999), ", "(0, 3), ", "(2, 3000000), "}) {
    std::string absurd = bytes;
    const std::string original = "(2, 3), }";
    absurd.replace(absurd.find(original), std::string(shape).size(), shape);
    write_text(folder.file("a.npy"), absurd);
    CHECK_FALSE(refusal(folder.file("a.npy")).empty());
  }
}

TEST_CASE("random damage to an archive never gets past an Error", "[npy]") {
  const TemporaryFolder folder;
  std::mt19937 random(2);
  for (const char* name : {"f4.npy", "version_2.npy", "stored.npz", "deflated.npz"}) {
    const std::string whole = read_text(golden_array(name));
    const std::string path = folder.file(name);
    for (int round = 0; round < 300; ++round) {
      std::string damaged = whole;
      for (size_t hits = 1 + random() % 3; hits > 0; --hits)
        damaged[random() % damaged.size()] = static_cast<char>(random());
      if (round % 4 == 0) damaged.resize(random() % damaged.size());
      write_text(path, damaged);
      try {
        if (path.ends_with(".npy")) {
          const size_t bytes = NpyArray::open(path).all().byte_size();
          CHECK(bytes <= damaged.size());
        } else {
          for (const auto& [key, array] : open_npz(path)) {
            const size_t bytes = array.all().byte_size();
            CHECK(bytes < 10000);
          }
        }
      } catch (const Error& error) {
        CHECK_FALSE(error.message().empty());
      }
    }
  }
}

TEST_CASE("file names are made of letters, digits, dots, underscores and dashes", "[npy]") {
  CHECK(npy_file_name("conv/out:0") == "conv_out_0.npy");
  CHECK(npy_file_name("a.B-9_") == "a.B-9_.npy");
  CHECK(npy_file_name("../x") == ".._x.npy");
}
