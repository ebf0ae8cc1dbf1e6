// The formats of pictures: endings and first bytes. Read find_kind() at the end.
#include "calibration/images/file_kind.h"

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "calibration/images/decode_image.h"

namespace quantize {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kImageEndings[] = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".webp"};
constexpr std::string_view kTensorEndings[] = {".npy", ".npz", ".pb"};

/// Endings of pictures and videos that are not read.
constexpr std::string_view kUnreadEndings[] = {
    ".tif", ".tiff", ".gif",  ".heic", ".heif", ".avif", ".jp2",  ".j2k",  ".j2c", ".jpc",  ".jpf",
    ".jpx", ".jxl",  ".jxr",  ".svg",  ".svgz", ".psd",  ".xcf",  ".exr",  ".hdr", ".ico",  ".cur",
    ".tga", ".dds",  ".pcx",  ".pbm",  ".pnm",  ".pam",  ".pfm",  ".qoi",  ".bpg", ".dcm",  ".ras",
    ".xbm", ".xpm",  ".icns", ".dng",  ".nef",  ".nrw",  ".cr2",  ".cr3",  ".crw", ".arw",  ".srf",
    ".sr2", ".orf",  ".rw2",  ".raf",  ".pef",  ".srw",  ".x3f",  ".3fr",  ".iiq", ".erf",  ".kdc",
    ".mrw", ".rwl",  ".mp4",  ".m4v",  ".mov",  ".avi",  ".mkv",  ".webm", ".mpg", ".mpeg", ".wmv",
    ".flv", ".3gp",  ".ogv",  ".m2ts", ".mts",  ".y4m",  ".h264", ".h265",
};

/// First bytes of formats that are not read; the first that fits counts.
struct Magic {
  std::string_view name;
  size_t at;
  std::string_view bytes;
};
constexpr Magic kUnreadMagic[] = {
    {"TIFF", 0, "II*\0"sv},
    {"TIFF", 0, "MM\0*"sv},
    {"TIFF", 0, "II+\0"sv},
    {"TIFF", 0, "MM\0+"sv},
    {"GIF", 0, "GIF87a"},
    {"GIF", 0, "GIF89a"},
    {"AVIF", 4, "ftypavif"},
    {"AVIF", 4, "ftypavis"},
    {"HEIC", 4, "ftyphei"},
    {"HEIC", 4, "ftyphev"},
    {"HEIC", 4, "ftypmif1"},
    {"HEIC", 4, "ftypmsf1"},
    {"camera raw", 4, "ftypcrx"},
    {"MP4", 4, "ftyp"},
    {"JPEG 2000", 0, "\0\0\0\x0cjP  \r\n\x87\n"sv},
    {"JPEG 2000", 0, "\xff\x4f\xff\x51"},
    {"JPEG XL", 0, "\0\0\0\x0cJXL \r\n\x87\n"sv},
    {"JPEG XL", 0, "\xff\x0a"},
    {"JPEG XR", 0, "II\xbc"},
    {"camera raw", 0, "IIRO"},
    {"camera raw", 0, "IIRS"},
    {"camera raw", 0, "IIU\0"sv},
    {"camera raw", 0, "FUJIFILMCCD-RAW"},
    {"camera raw", 0, "FOVb"},
    {"SVG", 0, "<svg"},
    {"PSD", 0, "8BPS"},
    {"XCF", 0, "gimp xcf"},
    {"EXR", 0, "\x76\x2f\x31\x01"},
    {"HDR", 0, "#?RADIANCE"},
    {"icon", 0, "\0\0\1\0"sv},
    {"DDS", 0, "DDS "},
    {"QOI", 0, "qoif"},
    {"BPG", 0, "BPG\xfb"},
    {"DICOM", 128, "DICM"},
    {"AVI", 8, "AVI LIST"},
    {"Matroska", 0, "\x1a\x45\xdf\xa3"},
    {"MPEG", 0, "\0\0\1\xba"sv},
    {"MPEG", 0, "\0\0\1\xb3"sv},
    {"FLV", 0, "FLV\1"},
    {"Y4M", 0, "YUV4MPEG2 "},
};

template <size_t n>
bool is_one_of(std::string_view ending, const std::string_view (&list)[n]) {
  return std::find(list, list + n, ending) != list + n;
}

std::vector<uint8_t> first_bytes(const std::filesystem::path& path) {
  std::vector<uint8_t> bytes(kKindBytes);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return bytes;
}

}  // namespace

std::string ending_of(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return ending;
}

bool is_tensor_name(const std::filesystem::path& path) {
  return is_one_of(ending_of(path), kTensorEndings);
}

FileFinding first_bytes_kind(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (is_readable_image(bytes)) return {FileKind::kImage, ""};
  for (const Magic& magic : kUnreadMagic)
    if (text.size() > magic.at && text.substr(magic.at).starts_with(magic.bytes))
      return {FileKind::kUnreadPicture, std::string(magic.name)};
  if (text.starts_with("<?xml") && text.find("<svg") != text.npos) return {FileKind::kUnreadPicture, "SVG"};
  return {};
}

FileFinding find_kind(const std::filesystem::path& path) {
  const std::string ending = ending_of(path);
  if (is_one_of(ending, kImageEndings)) return {FileKind::kImage, ending};
  if (is_tensor_name(path)) return {FileKind::kTensor, ending};
  FileFinding finding = first_bytes_kind(first_bytes(path));
  const bool unread = finding.kind != FileKind::kImage && is_one_of(ending, kUnreadEndings);
  return unread ? FileFinding{FileKind::kUnreadPicture, ending} : finding;
}

}  // namespace quantize
