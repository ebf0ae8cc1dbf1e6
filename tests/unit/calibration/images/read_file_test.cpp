// Files, pipes and devices.
#include "calibration/images/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <thread>

#include "core/error.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;
using Catch::Matchers::Contains;
using test::TemporaryFolder;
using test::write_text;

namespace {

ErrorKind kind_of_error(const std::string& path) {
  try {
    read_text(path);
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Contains(path));
    return error.kind();
  }
  FAIL("no error");
  return ErrorKind::kInternal;
}

}  // namespace

TEST_CASE("a file comes whole, whatever its size", "[files]") {
  const TemporaryFolder folder;
  for (const size_t size : {0, 1, 65535, 65536, 200000}) {
    std::string text(size, 'x');
    for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i % 251);
    write_text(folder.file("f"), text);
    CHECK(quantize::read_text(folder.file("f")) == text);
  }
}

TEST_CASE("a byte order mark is no text", "[files]") {
  const TemporaryFolder folder;
  write_text(folder.file("f"), "\xef\xbb\xbfone\r\n");
  CHECK(quantize::read_text(folder.file("f")) == "one\r\n");
  write_text(folder.file("f"), "\xef\xbb");
  CHECK(quantize::read_text(folder.file("f")) == "\xef\xbb");
  for (const char* mark : {"\xff\xfeo", "\xfe\xffo"}) {
    write_text(folder.file("f"), mark);
    CHECK(kind_of_error(folder.file("f")) == ErrorKind::kInvalidArgument);
  }
}

TEST_CASE("a pipe is read to its end, however late its writer comes", "[files]") {
  const TemporaryFolder folder;
  const std::string pipe = folder.file("pipe"), text(300000, 'y');
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer([&] { write_text(pipe, text); });
  CHECK(quantize::read_text(pipe) == text);
  writer.join();
}

TEST_CASE("folders, endless devices and pipes without a writer are I/O errors", "[files]") {
  const TemporaryFolder folder;
  CHECK(kind_of_error(folder.path().string()) == ErrorKind::kIo);
  CHECK(kind_of_error(folder.file("absent")) == ErrorKind::kIo);
  CHECK(kind_of_error("/dev/zero") == ErrorKind::kIo);
  CHECK(read_file("/dev/null").empty());
  REQUIRE(mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CHECK(kind_of_error(folder.file("pipe")) == ErrorKind::kIo);
}
