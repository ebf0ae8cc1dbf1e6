// Looking through folders: links, and what is no sample.
#include "calibration/images/find_files.h"

#include <sys/stat.h>
#include <catch2/catch.hpp>

#include "calibration/images/file_kind.h"
#include "core/error.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;
using Catch::Matchers::Contains;
using test::TemporaryFolder;
using test::write_text;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> images_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const FoundFile& file : find_files(folder.string()).images)
    names.push_back(file.path.lexically_relative(folder).generic_string());
  return names;
}

using Names = std::vector<std::string>;

std::string kind_name(const std::string& bytes) {
  return first_bytes_kind({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}).name;
}

}  // namespace

TEST_CASE("linked folders and files are read once, under the first of their paths", "[samples]") {
  const TemporaryFolder folder;
  const fs::path photos = folder.path() / "photos", elsewhere = folder.path() / "elsewhere";
  fs::create_directories(photos / "a");
  fs::create_directories(elsewhere / "deep");
  write_text((photos / "a/1.ppm").string(), "x");
  write_text((elsewhere / "2.ppm").string(), "x");
  write_text((elsewhere / "deep/3.ppm").string(), "x");
  fs::create_directory_symlink("../elsewhere", photos / "holiday");
  fs::create_directory_symlink("../elsewhere/deep", photos / "later");
  fs::create_symlink("a/1.ppm", photos / "again.ppm");
  fs::create_symlink("../elsewhere/2.ppm", photos / "first.ppm");
  CHECK(images_in(photos) == Names{"a/1.ppm", "first.ppm", "holiday/deep/3.ppm"});
}

TEST_CASE("links that lead back end and make no sample twice", "[samples]") {
  const TemporaryFolder folder;
  const fs::path photos = folder.path() / "photos";
  fs::create_directories(photos / "a/b");
  write_text((photos / "a/b/1.ppm").string(), "x");
  write_text(folder.file("outside.ppm"), "x");
  fs::create_directory_symlink(".", photos / "self");
  fs::create_directory_symlink("..", photos / "a/b/up");
  fs::create_directory_symlink("loop", photos / "loop");
  CHECK(images_in(photos) == Names{"a/b/1.ppm"});
  fs::create_directory_symlink("..", photos / "out");
  const FoundFiles found = find_files(photos.string());
  CHECK(found.images.size() == 1);
  CHECK(left_out_text(found, photos.string()) == "1 broken link ('loop'), 1 link to a folder above ('out')");
}

TEST_CASE("pipes are never opened, pictures that are not read are counted by ending or format", "[samples]") {
  const TemporaryFolder folder;
  write_text(folder.file("a.ppm"), "x");
  for (const char* name :
       {"b.gif", "c.GIF", "d.mp4", "e.heic", "f.nef", "Thumbs.db", ".hidden.gif", "n.json"})
    write_text(folder.file(name), "");
  write_text(folder.file("no_ending"), "GIF89a");
  REQUIRE(mkfifo(folder.file("pipe.jpg").c_str(), 0600) == 0);
  fs::create_symlink("gone.jpg", folder.path() / "broken.jpg");
  fs::create_symlink("gone", folder.path() / "broken2");
  fs::create_symlink("/dev/zero", folder.path() / "zero.jpg");
  const FoundFiles found = find_files(folder.path().string());
  CHECK(found.images.size() == 1);
  CHECK(found.others.count == 2);
  CHECK(left_out_text(found, folder.path().string()) ==
        "2 .gif, 1 .heic, 1 .mp4, 1 .nef, 1 FIFO ('pipe.jpg'), 1 GIF ('no_ending'), "
        "2 broken links (such as 'broken.jpg'), 1 device ('zero.jpg')");
}

TEST_CASE("first bytes tell formats apart", "[samples]") {
  using namespace std::string_literals;
  CHECK(kind_name("II*\0rest"s) == "TIFF");
  CHECK(kind_name("\0\0\0\x18"
                  "ftypavif"s) == "AVIF");
  CHECK(kind_name("\0\0\0\x18"
                  "ftypheic"s) == "HEIC");
  CHECK(kind_name("\0\0\0\x18"
                  "ftypisom"s) == "MP4");
  CHECK(kind_name("\0\0\0\x0cjP  \r\n\x87\n"s) == "JPEG 2000");
  CHECK(kind_name("\xff\x0a rest") == "JPEG XL");
  CHECK(kind_name("<?xml version='1.0'?>\n<svg>") == "SVG");
  CHECK(kind_name("<?xml version='1.0'?>\n<annotation>").empty());
  CHECK(kind_name(std::string(128, '\0') + "DICM") == "DICOM");
  CHECK(kind_name("").empty());
  CHECK(kind_name("a.jpg 3\n").empty());
}

TEST_CASE("a folder that cannot be read is an I/O error", "[samples]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(find_files(folder.file("absent")), Error);
}
