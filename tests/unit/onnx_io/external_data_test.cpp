// Tensor bytes in files beside the model, and paths that try to leave its folder.
#include "tests/unit/onnx_io/model_files.h"

using namespace quantize;
using namespace quantize::test;

namespace {

/// A model "models/m.onnx" whose tensor w has two floats in an external file.
struct ExternalCase {
  TemporaryFolder folder;
  std::string models = folder.file("models");
  onnx::ModelProto model = empty_model();
  onnx::TensorProto* tensor = nullptr;

  ExternalCase() {
    std::filesystem::create_directory(models);
    tensor = &add_initializer(model, "w", onnx::TensorProto::FLOAT, {2});
    tensor->set_data_location(onnx::TensorProto::EXTERNAL);
    add_node(model, "Add", {"x", "w"}, {"y"});
    const std::vector<float> values = {-1, 1.5f, 2.5f, -1};
    write_text(models + "/w.bin", std::string(reinterpret_cast<const char*>(values.data()), 16));
  }
  void set(const std::string& key, const std::string& value) {
    auto& entry = *tensor->add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  void place(const std::string& location, const std::string& offset = "4") {
    tensor->clear_external_data();
    set("location", location);
    set("offset", offset);
  }
  Graph load() const {
    write_text(models + "/m.onnx", model.SerializeAsString());
    return load_model(models + "/m.onnx");
  }
  void check_read() const {
    CHECK(value_of(load(), "w").initializer.to_vector<float>() == std::vector<float>{1.5f, 2.5f});
  }
  void check_refused(ErrorKind kind, const std::string& word) const {
    const Error error = error_of([&] { load(); });
    INFO(error.what());
    CHECK(error.kind() == kind);
    CHECK(std::string(error.what()).find(word) != std::string::npos);
    CHECK(std::string(error.what()).find("initializer 'w'") != std::string::npos);
  }
};

}  // namespace

TEST_CASE("external data are read relative to the model, with offset and length", "[external_data]") {
  ExternalCase test;
  test.place("w.bin");
  test.check_read();
  test.set("length", "8");
  test.set("checksum", "unused");
  test.check_read();
  std::filesystem::create_directory(test.models + "/sub");
  std::filesystem::rename(test.models + "/w.bin", test.models + "/sub/w.bin");
  test.place("sub/w.bin");
  test.check_read();
  std::filesystem::create_symlink("sub/w.bin", test.models + "/link.bin");
  test.place("./link.bin");
  test.check_read();
}

TEST_CASE("a model named without a folder finds its external data", "[external_data]") {
  ExternalCase test;
  test.place("w.bin");
  test.check_read();
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(test.models);
  const Graph graph = load_model("m.onnx");
  std::filesystem::current_path(before);
  CHECK(value_of(graph, "w").initializer.size() == 2);
}

TEST_CASE("ranges outside the external file are refused", "[external_data]") {
  ExternalCase test;
  for (const char* offset : {"12", "16", "17", "18446744073709551615"}) {
    test.place("w.bin", offset);
    test.check_refused(ErrorKind::kInvalidModel, "too few");
  }
  for (const char* offset : {"-4", "4x", "", "99999999999999999999999"}) {
    test.place("w.bin", offset);
    test.check_refused(ErrorKind::kInvalidModel, "offset");
  }
  test.place("w.bin");
  test.set("length", "12");
  test.check_refused(ErrorKind::kInvalidModel, "12 bytes");
  test.place("w.bin");
  test.tensor->set_dims(0, int64_t{1} << 60);
  test.check_refused(ErrorKind::kInvalidModel, "too few");
  test.tensor->set_dims(0, int64_t{1} << 62);
  test.check_refused(ErrorKind::kInvalidModel, "too few");
}

TEST_CASE("external files outside the model's folder are refused", "[external_data]") {
  ExternalCase test;
  std::filesystem::copy(test.models + "/w.bin", test.folder.file("outside.bin"));
  std::filesystem::create_symlink("../outside.bin", test.models + "/link.bin");
  std::filesystem::create_directory_symlink("..", test.models + "/up");
  for (const char* location : {"../outside.bin", "sub/../../outside.bin", "/etc/passwd", "", "link.bin",
                               "up/outside.bin", "..", "."}) {
    test.place(location);
    test.check_refused(ErrorKind::kInvalidModel, "");
  }
  test.place(std::string("w.bin\0x", 7));
  test.check_refused(ErrorKind::kInvalidModel, "");
  test.tensor->clear_external_data();
  test.check_refused(ErrorKind::kInvalidModel, "");
}

TEST_CASE("a missing external file is an I/O error", "[external_data]") {
  ExternalCase test;
  test.place("none.bin");
  test.check_refused(ErrorKind::kIo, "none.bin");
  std::filesystem::create_symlink("none.bin", test.models + "/dangling.bin");
  test.place("dangling.bin");
  test.check_refused(ErrorKind::kIo, "dangling.bin");
}

TEST_CASE("large external tensors are the same mapped or read, wherever they stand in the file",
          "[external_data]") {
  constexpr int64_t kElements = int64_t{1} << 18;
  std::vector<float> values(kElements);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 977) - 488;
  const std::string bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  // Offsets on and off the alignment of blocks, and files with and without readable bytes behind the last tensor.
  for (const size_t offset : {0, 64, 4, 100, 4096, 4096 + 64})
    for (const size_t behind : {0, 4, 64, 5000}) {
      INFO("offset " << offset << ", bytes behind " << behind);
      ExternalCase test;
      test.tensor->set_dims(0, kElements);
      write_text(test.models + "/w.bin", std::string(offset, 'a') + bytes + std::string(behind, 'b'));
      test.place("w.bin", std::to_string(offset));
      Tensor tensor;
      {
        const Graph graph = test.load();
        tensor = value_of(graph, "w").initializer;
      }
      std::filesystem::remove(test.models + "/w.bin");
      CHECK(tensor.to_vector<float>() == values);
      CHECK(reinterpret_cast<uintptr_t>(tensor.bytes()) % 64 == 0);
      uint64_t sum = 0;  // SIGBUS where the bytes behind cannot be read
      for (int i = 0; i < 64; ++i)
        sum += static_cast<const volatile uint8_t*>(tensor.bytes())[tensor.byte_size() + i];
      CHECK(sum <= 64 * 255);
      tensor.mutable_data<float>()[0] = 7;  // a copy of this process
    }
}
