// Damaged models: thousands of mutations of small valid ones, the same in every run. Each must load and
// prepare, or be refused with an Error; the sanitizer builds see the rest.
#include <catch2/catch.hpp>
#include <random>

#include "core/error.h"
#include "core/passes/passes.h"
#include "onnx_io/onnx_io.h"
#include "tests/support/graph_builder.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

Graph convolutions() {
  GraphBuilder b;
  ValueId x = b.input("x", {kUnknownDim, 3, 8, 8});
  x = b.node("Conv", {x, b.random("w", {4, 3, 3, 3}), b.random("b", {4})},
             {{"pads", std::vector<int64_t>{1, 1, 1, 1}}, {"strides", std::vector<int64_t>{2, 2}}});
  const ValueId variance = b.random("variance", {4}, 0.5f, 2.0f);
  x = b.node("BatchNormalization",
             {x, b.random("scale", {4}), b.random("bias", {4}), b.random("mean", {4}), variance},
             {{"epsilon", 1e-3f}});
  x = b.node("Clip", {x, b.constant("low", Tensor::scalar(0.0f)), b.constant("high", Tensor::scalar(6.0f))});
  x = b.node("MaxPool", {x},
             {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}});
  return b.build(
      {b.node("Gemm", {b.node("Flatten", {x}), b.random("fc", {4, 16})}, {{"transB", int64_t{1}}})});
}

Graph shape_chain() {
  GraphBuilder b(11);
  const ValueId x = b.input("x", {2, 3, 4});
  const ValueId first =
      b.node("Gather", {b.node("Shape", {x}), b.constant("zero", Tensor::scalar<int64_t>(0))});
  const ValueId axes = b.node("Unsqueeze", {first}, {{"axes", std::vector<int64_t>{0}}});
  const ValueId shape = b.node("Concat", {axes, b.ints("rest", {-1})}, {{"axis", int64_t{0}}});
  const ValueId flat = b.node("Reshape", {x, shape});
  const ValueId constant = b.node("Constant", {}, {{"value", int_tensor({0, 1})}});
  const ValueId padded =
      b.node("Pad", {flat, b.ints("pads", {0, 1, 0, 1})}, {{"mode", std::string("constant")}});
  return b.build({b.node("Transpose", {padded}, {{"perm", std::vector<int64_t>{1, 0}}}), constant});
}

/// One of: a changed byte, a byte with its high bit set (lengths grow), a cut, a removed, doubled or
/// overwritten piece.
std::string mutate(std::string bytes, std::mt19937& random) {
  const auto below = [&](size_t limit) { return static_cast<size_t>(random()) % std::max<size_t>(limit, 1); };
  for (size_t changes = 1 + below(2); changes > 0 && !bytes.empty(); --changes) {
    const size_t at = below(bytes.size()), length = 1 + below(std::min<size_t>(bytes.size() - at, 16));
    switch (below(10)) {
      case 0:
        bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) | 0x80u);
        break;
      case 1:
        bytes.resize(at);
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 4:
        bytes.replace(at, length, std::string(length, '\xff'));
        break;
      default:
        bytes[at] = static_cast<char>(random());
    }
  }
  return bytes;
}

void check_all_mutations(const Graph& graph, uint32_t seed, int count) {
  const TemporaryFolder folder;
  const std::string path = folder.file("m.onnx");
  save_model(graph, path);
  REQUIRE_NOTHROW(open_model(load_model(path), kMinOutputOpset));
  const std::string valid = read_text(path);
  std::mt19937 random(seed);
  int prepared = 0, refused = 0;
  for (int i = 0; i < count; ++i) {
    write_text(path, mutate(valid, random));
    try {
      open_model(load_model(path), kMinOutputOpset);
      ++prepared;
    } catch (const Error& error) {
      REQUIRE(error.kind() != ErrorKind::kInternal);
      ++refused;
    }
  }
  // Bytes of weights and doc strings do no harm when they change; most of the rest does.
  CHECK(prepared > count / 100);
  CHECK(refused > count / 20);
}

}  // namespace

TEST_CASE("mutated models are prepared or refused, never a crash", "[fuzz]") {
  check_all_mutations(convolutions(), 1, 1000);
  check_all_mutations(shape_chain(), 2, 1000);
}

TEST_CASE("random bytes are refused", "[fuzz]") {
  const TemporaryFolder folder;
  std::mt19937 random(3);
  for (size_t length = 0; length < 300; ++length) {
    std::string bytes(length, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    write_text(folder.file("m.onnx"), bytes);
    CHECK_THROWS_AS(load_model(folder.file("m.onnx")), Error);
  }
}
