// Telling pictures that are read from those that are not, and from everything else.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace quantize {

/// How a file among the samples can be used.
enum class FileKind {
  kImage,          // a picture of a format that is read
  kTensor,         // .npy, .npz or .pb
  kUnreadPicture,  // a picture or video of a format that is not read
  kOther,
};

/// The images that are read, for messages.
constexpr const char* kReadFormats = "JPEG, PNG, BMP, PPM, PGM or WebP";

/// The first bytes of a file that first_bytes_kind needs.
constexpr size_t kKindBytes = 512;

/// The kind of a file, and its name in a count of files: its ending in small letters (".gif"), or the
/// format's name ("GIF") where its name has none of the endings of pictures.
struct FileFinding {
  FileKind kind = FileKind::kOther;
  std::string name;
};

/// The ending of a file's name in small letters, with its dot: ".jpg". Empty without one.
std::string ending_of(const std::filesystem::path& path);
/// True if the name is that of a tensor file.
bool is_tensor_name(const std::filesystem::path& path);

/// The kind that the first bytes tell: one of the formats that are read, one of those that are not, or
/// kOther.
FileFinding first_bytes_kind(std::span<const uint8_t> bytes);

/// The kind of a regular file. Endings of images and tensors are believed; under every other name the first
/// bytes say whether it is an image all the same. A file that cannot be opened is what its ending says.
FileFinding find_kind(const std::filesystem::path& path);

}  // namespace quantize
