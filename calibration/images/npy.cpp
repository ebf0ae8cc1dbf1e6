// The .npy format: magic, version, and a Python dictionary that says what follows. Read NpyArray's
// constructor. Source: numpy's documentation of numpy.lib.format.
#include "calibration/images/npy.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "calibration/images/byte_reader.h"
#include "calibration/images/read_file.h"
#include "core/atomic_file.h"
#include "core/error.h"

namespace quantize {
namespace {

constexpr size_t kMagicSize = 6, kMaxHeader = 65536;
constexpr std::string_view kMagic("\x93NUMPY", kMagicSize);

struct TypeName {
  const char* descr;
  DataType dtype;
};
constexpr TypeName kTypes[] = {
    {"<f4", DataType::kF32}, {"<f8", DataType::kF64}, {"<f2", DataType::kF16}, {"|u1", DataType::kU8},
    {"|i1", DataType::kS8},  {"<u2", DataType::kU16}, {"<i2", DataType::kS16}, {"<u4", DataType::kU32},
    {"<i4", DataType::kS32}, {"<u8", DataType::kU64}, {"<i8", DataType::kS64}, {"|b1", DataType::kBool},
};

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kCalibration, what);
}

/// The text behind "'key':" in the header's dictionary.
std::string_view value_of(std::string_view dictionary, const std::string& key) {
  const size_t found = dictionary.find("'" + key + "'");
  const size_t colon = found == std::string_view::npos ? found : dictionary.find(':', found);
  const size_t begin = colon == std::string_view::npos ? colon : dictionary.find_first_not_of(' ', colon + 1);
  if (begin == std::string_view::npos) refuse("the .npy header lacks '" + key + "'");
  return dictionary.substr(begin);
}

DataType parse_descr(std::string_view value) {
  const size_t end = value.size() > 1 ? value.find(value[0], 1) : std::string_view::npos;
  const std::string_view descr = end == std::string_view::npos ? value : value.substr(1, end - 1);
  for (const TypeName& type : kTypes) {
    if (descr == type.descr) return type.dtype;
  }
  std::string shown(descr.substr(0, 20));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  refuse("the .npy array has the element type " + shown +
         ", which is not supported: save it as float32, little-endian");
}

Shape parse_shape(std::string_view value) {
  const size_t end = value.find(')');
  if (value.empty() || value[0] != '(' || end == std::string_view::npos)
    refuse("the .npy header has no shape");
  Shape shape;
  for (size_t i = 1; i < end; ++i) {
    if (value[i] == ' ' || value[i] == ',') continue;
    int64_t extent = 0;
    const size_t begin = i;
    for (; i < end && std::isdigit(static_cast<unsigned char>(value[i])) != 0; ++i) {
      extent = extent * 10 + (value[i] - '0');
      if (i - begin > 15) refuse("the .npy header has an absurd shape");
    }
    if (i == begin || shape.size() == 32) refuse("the .npy header has a shape that cannot be read");
    shape.push_back(extent);
  }
  return shape;
}

}  // namespace

NpyArray::NpyArray(std::string path, uint64_t offset, uint64_t byte_size, const std::string& header)
    : path_(std::move(path)) {
  if (header.compare(0, kMagicSize, kMagic) != 0) refuse("the file is no .npy array");
  const ByteReader reader({reinterpret_cast<const uint8_t*>(header.data()), header.size()});
  const bool short_form = reader.u8(6) == 1;
  const size_t length = short_form ? reader.u16(8) : reader.u32(8), begin = short_form ? 10 : 12;
  if (reader.u8(6) < 1 || reader.u8(6) > 3) refuse("the .npy format is newer than 3");
  if (header.size() < begin || header.size() - begin < length)
    refuse("the .npy header is cut off or too long");
  const std::string_view dictionary = std::string_view(header).substr(begin, length);
  dtype_ = parse_descr(value_of(dictionary, "descr"));
  shape_ = parse_shape(value_of(dictionary, "shape"));
  if (value_of(dictionary, "fortran_order").substr(0, 4) == "True") {
    refuse("the .npy array is in Fortran order: save numpy.ascontiguousarray of it");
  }
  offset_ = offset + begin + length;
  uint64_t room = (byte_size - begin - length) / size_of(dtype_);
  for (const int64_t extent : shape_) {
    if (extent == 0) refuse("the .npy array has no elements");
    room /= static_cast<uint64_t>(extent);
  }
  if (room == 0) throw_truncated(".npy");
}

NpyArray NpyArray::parse(const std::string& path, const std::vector<uint8_t>& bytes) {
  return with_context([&] { return path; },
                      [&] {
                        std::string unpacked(bytes.begin(), bytes.end());
                        NpyArray array(path, 0, unpacked.size(), unpacked.substr(0, kMaxHeader));
                        array.unpacked_ = std::move(unpacked);
                        return array;
                      });
}

NpyArray NpyArray::open(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return parse(path, read_file(path));
  const uint64_t size = std::filesystem::file_size(path, error);
  std::string header(std::min<uint64_t>(error ? 0 : size, kMaxHeader), '\0');
  if (!error) {
    std::ifstream file(path, std::ios::binary);
    if (!file.read(header.data(), static_cast<std::streamsize>(header.size()))) {
      error = std::error_code(errno, std::generic_category());
    }
  }
  if (error) throw Error(ErrorKind::kIo, "cannot read '" + path + "': " + error.message());
  try {
    return NpyArray(path, 0, size, header);
  } catch (Error& failure) {
    throw failure.add_context(path);
  }
}

Tensor NpyArray::read(uint64_t offset, Shape shape) const {
  Tensor tensor(dtype_, std::move(shape));
  if (!unpacked_.empty()) {
    std::memcpy(tensor.mutable_bytes(), unpacked_.data() + offset, tensor.byte_size());
    return tensor;
  }
  std::ifstream file(path_, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(static_cast<char*>(tensor.mutable_bytes()), static_cast<std::streamsize>(tensor.byte_size()));
  if (!file) throw Error(ErrorKind::kIo, "cannot read '" + path_ + "', which was there before");
  return tensor;
}

Tensor NpyArray::rows(int64_t first, int64_t count) const {
  Shape shape = shape_;
  shape.at(0) = count;
  const int64_t row_bytes = element_count(Dims(shape_).subspan(1)) * static_cast<int64_t>(size_of(dtype_));
  return read(offset_ + static_cast<uint64_t>(first * row_bytes), std::move(shape));
}

Tensor NpyArray::all() const {
  return read(offset_, shape_);
}

void save_npy(const std::string& path, const TensorView& tensor) {
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const TypeName& t) { return t.dtype == tensor.dtype; });
  if (type == std::end(kTypes)) {
    throw Error(ErrorKind::kUnsupported,
                "numpy has no element type for " + std::string(name_of(tensor.dtype)));
  }
  std::string shape;
  for (const int64_t extent : tensor.shape) shape += std::to_string(extent) + ", ";
  if (tensor.shape.size() > 1) shape.resize(shape.size() - 2);
  std::string header =
      std::string("{'descr': '") + type->descr + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  constexpr size_t kPrefix = 10, kAlignment = 64;  // so that the elements start aligned
  header.append(kAlignment - (kPrefix + header.size() + 1) % kAlignment, ' ');
  header += '\n';
  const auto length = static_cast<uint16_t>(header.size());
  AtomicFile file(path);
  file.write(std::string(kMagic) + '\x01' + '\0' + static_cast<char>(length & 0xff) +
             static_cast<char>(length >> 8));
  file.write(header);
  file.write(tensor.data, static_cast<size_t>(tensor.size()) * size_of(tensor.dtype));
  file.commit();
}

std::string npy_file_name(const std::string& value_name) {
  std::string name = value_name;
  for (char& c : name) {
    const bool kept = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
    if (!kept) c = '_';
  }
  return name + ".npy";
}

}  // namespace quantize
