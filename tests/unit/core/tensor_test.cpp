#include "core/tensor.h"

#include <catch2/catch.hpp>

#include "core/error.h"

using namespace quantize;

TEST_CASE("tensors start as zeros, aligned, and share their bytes when copied") {
  const Tensor tensor(DataType::kF32, {3, 5});
  CHECK(tensor.size() == 15);
  CHECK(tensor.byte_size() == 60);
  CHECK(reinterpret_cast<uintptr_t>(tensor.bytes()) % 64 == 0);
  CHECK(tensor.to_vector<float>() == std::vector<float>(15, 0.0f));
  const Tensor copy = tensor;
  CHECK(copy.bytes() == tensor.bytes());
}

TEST_CASE("a tensor without elements is still a tensor, a default one is none") {
  const Tensor empty(DataType::kS64, {0});
  CHECK(empty);
  CHECK(empty.bytes() != nullptr);
  CHECK(empty.to_vector<int64_t>().empty());
  CHECK_FALSE(Tensor());
  CHECK(Tensor::scalar(2.5f).shape().empty());
}

TEST_CASE("absurd and typeless tensors are refused before memory is asked for") {
  CHECK_THROWS_AS(Tensor(DataType::kF32, Shape{int64_t{1} << 60}), Error);
  CHECK_THROWS_AS(Tensor(DataType::kF32, Shape{int64_t{1} << 40, int64_t{1} << 40}), Error);
  CHECK_THROWS_AS(Tensor(DataType::kF32, Shape{kUnknownDim}), Error);
  CHECK_THROWS_AS(Tensor(DataType::kString, Shape{1}), Error);
  CHECK_THROWS_AS(Tensor(DataType::kUndefined, Shape{1}), Error);
  CHECK_THROWS_AS(byte_count(DataType::kF64, Shape{int64_t{1} << 38}), Error);
  CHECK(byte_count(DataType::kU8, Shape{int64_t{1} << 38}) == size_t{1} << 38);
}

TEST_CASE("reshaped shares the bytes and keeps the size") {
  const Tensor tensor = Tensor::of<int32_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(tensor.reshaped({3, 2}).bytes() == tensor.bytes());
  CHECK(tensor.reshaped({6}).shape() == Shape{6});
  CHECK_THROWS_AS(tensor.reshaped({4}), Error);
}

TEST_CASE("to_vector converts every numeric type") {
  CHECK(Tensor::of<uint8_t>({2}, {0, 255}).to_vector<float>() == std::vector<float>{0, 255});
  CHECK(Tensor::of<int8_t>({2}, {-128, 127}).to_vector<int64_t>() == std::vector<int64_t>{-128, 127});
  CHECK(Tensor::of<bool>({2}, {true, false}).to_vector<double>() == std::vector<double>{1, 0});
  CHECK_THROWS_AS(Tensor(DataType::kF16, Shape{1}).to_vector<float>(), Error);
}

TEST_CASE("equal compares type, shape and bytes") {
  const Tensor a = Tensor::of<float>({2}, {1, 2});
  CHECK(equal(a, Tensor::of<float>({2}, {1, 2})));
  CHECK_FALSE(equal(a, Tensor::of<float>({2}, {1, 3})));
  CHECK_FALSE(equal(a, Tensor::of<float>({1, 2}, {1, 2})));
  CHECK_FALSE(equal(a, Tensor::of<int32_t>({2}, {1, 2})));
}
