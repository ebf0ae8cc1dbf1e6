// Files that appear whole or not at all.
#include "core/atomic_file.h"

#include <catch2/catch.hpp>

#include "core/error.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;
using test::read_text;
using test::TemporaryFolder;
using test::write_text;

namespace {

ErrorKind kind_of_failure(const std::string& path, const std::string& text) {
  try {
    AtomicFile file(path);
    file.write(text);
    file.commit();
  } catch (const Error& error) {
    CHECK(error.message().find(path) != std::string::npos);
    return error.kind();
  }
  FAIL("no error");
  return ErrorKind::kInternal;
}

}  // namespace

TEST_CASE("a committed file has its name and nothing else is left", "[atomic_file]") {
  const TemporaryFolder folder;
  {
    AtomicFile file(folder.file("a.txt"));
    file.write("new ");
    file.write("text");
    CHECK_FALSE(std::filesystem::exists(folder.file("a.txt")));
    file.commit();
  }
  CHECK(read_text(folder.file("a.txt")) == "new text");
  CHECK(folder.file_count() == 1);
}

TEST_CASE("the old file stays until the new one is committed", "[atomic_file]") {
  const TemporaryFolder folder;
  write_text(folder.file("a.txt"), "old");
  {
    AtomicFile file(folder.file("a.txt"));
    file.write("half of the new");
    CHECK(folder.file_count() == 2);
  }
  CHECK(read_text(folder.file("a.txt")) == "old");
  CHECK(folder.file_count() == 1);
}

TEST_CASE("a symbolic link keeps pointing at the file, which is replaced", "[atomic_file]") {
  const TemporaryFolder folder;
  write_text(folder.file("real.txt"), "old");
  std::filesystem::create_symlink("real.txt", folder.file("link.txt"));
  AtomicFile file(folder.file("link.txt"));
  file.write("new");
  file.commit();
  CHECK(std::filesystem::is_symlink(folder.file("link.txt")));
  CHECK(read_text(folder.file("real.txt")) == "new");
}

TEST_CASE("what cannot be written is an I/O error that names the path", "[atomic_file]") {
  const TemporaryFolder folder;
  CHECK(kind_of_failure(folder.file("missing/a.txt"), "x") == ErrorKind::kIo);
  CHECK(kind_of_failure(folder.path().string(), "x") == ErrorKind::kIo);
  CHECK(kind_of_failure("/dev/full", "x") == ErrorKind::kIo);
  CHECK(folder.file_count() == 0);
}

TEST_CASE("a device is written to, not replaced", "[atomic_file]") {
  AtomicFile file("/dev/null");
  file.write("text");
  file.commit();
  CHECK(std::filesystem::is_character_file("/dev/null"));
}

TEST_CASE("remove_unfinished removes exactly what is not committed", "[atomic_file]") {
  const TemporaryFolder folder;
  AtomicFile done(folder.file("done.txt")), open(folder.file("open.txt"));
  done.write("done");
  done.commit();
  CHECK(folder.file_count() == 2);
  AtomicFile::remove_unfinished();
  CHECK(folder.file_count() == 1);
  CHECK(read_text(folder.file("done.txt")) == "done");
}
