// .npz: a zip archive of .npy files. Read open_npz(). Source: PKWARE's APPNOTE 6.3 (zip, zip64); RFC 1951
// (deflate).
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include <zlib.h>

#include "calibration/images/byte_reader.h"
#include "calibration/images/npy.h"
#include "core/error.h"

namespace quantize {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50, kIn64 = 0xffffffff;
constexpr uint64_t kMaxUnpacked = uint64_t{1} << 34;  // 16 GiB

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kCalibration, what);
}

/// A file read piece by piece; every piece is checked against its size.
class Archive {
 public:
  explicit Archive(const std::string& path) : file_(path, std::ios::binary | std::ios::ate) {
    if (!file_) {
      throw Error(ErrorKind::kIo,
                  "cannot read '" + path + "': " + std::error_code(errno, std::generic_category()).message());
    }
    size_ = static_cast<uint64_t>(file_.tellg());
  }

  uint64_t size() const { return size_; }

  std::vector<uint8_t> read(uint64_t offset, uint64_t count) {
    if (offset > size_ || size_ - offset < count) refuse("the .npz archive is cut off");
    std::vector<uint8_t> bytes(count);
    file_.seekg(static_cast<std::streamoff>(offset));
    if (!file_.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(count))) {
      refuse("the .npz archive cannot be read");
    }
    return bytes;
  }

 private:
  std::ifstream file_;
  uint64_t size_ = 0;
};

struct Directory {
  uint64_t offset = 0, size = 0;
};

/// Finds the central directory from the record at the end of the archive.
Directory find_directory(Archive& archive) {
  constexpr uint64_t kEndSize = 22, kMaxComment = 65535, kLocatorSize = 20;
  const uint64_t tail_size = std::min(archive.size(), kEndSize + kMaxComment + kLocatorSize);
  const std::vector<uint8_t> bytes = archive.read(archive.size() - tail_size, tail_size);
  const ByteReader tail(bytes);
  for (size_t at = bytes.size() < kEndSize ? 0 : bytes.size() - kEndSize + 1; at-- > 0;) {
    if (tail.u32(at) != kEnd) continue;
    const Directory directory{tail.u32(at + 16), tail.u32(at + 12)};
    if (at < kLocatorSize || tail.u32(at - kLocatorSize) != kEnd64Locator) return directory;
    const std::vector<uint8_t> end64 = archive.read(tail.u64(at - kLocatorSize + 8), 56);
    const ByteReader record(end64);
    if (record.u32(0) != kEnd64) break;
    return {record.u64(48), record.u64(40)};
  }
  refuse("the file is no .npz archive, or cut off");
}

struct Entry {
  std::string name;
  uint32_t method = 0;
  uint64_t packed_size = 0, size = 0, local_header = 0;
};

/// Replaces the numbers that did not fit in 32 bits by those in the zip64 field of the entry's extra data.
void read_zip64(const ByteReader& extra, size_t begin, size_t end, Entry& entry) {
  for (size_t at = begin; at + 4 <= end; at += 4 + extra.u16(at + 2)) {
    if (extra.u16(at) != 1) continue;
    size_t field = at + 4;
    for (uint64_t* number : {&entry.size, &entry.packed_size, &entry.local_header}) {
      if (*number != kIn64) continue;
      *number = extra.u64(field);
      field += 8;
    }
    return;
  }
}

std::vector<Entry> read_directory(Archive& archive) {
  const Directory directory = find_directory(archive);
  const std::vector<uint8_t> bytes = archive.read(directory.offset, directory.size);
  const ByteReader reader(bytes);
  std::vector<Entry> entries;
  for (size_t at = 0; at < bytes.size();) {
    if (reader.u32(at) != kCentralHeader) refuse("the .npz archive has a damaged directory");
    Entry entry{"", reader.u16(at + 10), reader.u32(at + 20), reader.u32(at + 24), reader.u32(at + 42)};
    const size_t name = at + 46, extra = name + reader.u16(at + 28), comment = extra + reader.u16(at + 30);
    if (comment > bytes.size()) refuse("the .npz archive has a damaged directory");
    entry.name.assign(bytes.begin() + static_cast<ptrdiff_t>(name),
                      bytes.begin() + static_cast<ptrdiff_t>(extra));
    read_zip64(reader, extra, comment, entry);
    entries.push_back(std::move(entry));
    at = comment + reader.u16(at + 32);
  }
  return entries;
}

std::string inflate_all(const std::vector<uint8_t>& packed, uint64_t size) {
  // Deflate expands at most 1032-fold, so a larger claim is a lie that must not take memory.
  if (size > kMaxUnpacked || size / 1032 > packed.size() + 1)
    refuse("the .npz archive claims an absurd size");
  std::string unpacked(size, '\0');
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw Error(ErrorKind::kInternal, "zlib cannot start");
  size_t taken = 0, made = 0;
  int status = Z_OK;
  while (status == Z_OK) {  // zlib counts in 32 bits
    constexpr size_t kPiece = size_t{1} << 30;
    const size_t in = std::min(packed.size() - taken, kPiece), out = std::min(unpacked.size() - made, kPiece);
    stream.next_in = const_cast<Bytef*>(packed.data() + taken);
    stream.avail_in = static_cast<uInt>(in);
    stream.next_out = reinterpret_cast<Bytef*>(unpacked.data() + made);
    stream.avail_out = static_cast<uInt>(out);
    status = inflate(&stream, Z_NO_FLUSH);
    taken += in - stream.avail_in;
    made += out - stream.avail_out;
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END || made != size) refuse("the .npz archive has damaged compressed data");
  return unpacked;
}

/// Where an entry's bytes begin: its own header repeats name and extra data, at other lengths than the
/// directory.
uint64_t data_offset(Archive& archive, const Entry& entry) {
  const std::vector<uint8_t> bytes = archive.read(entry.local_header, 30);
  const ByteReader header(bytes);
  if (header.u32(0) != kLocalHeader) refuse("the .npz archive has a damaged directory");
  return entry.local_header + 30 + header.u16(26) + header.u16(28);
}

}  // namespace

std::map<std::string, NpyArray> open_npz(const std::string& path) {
  constexpr uint32_t kStored = 0, kDeflated = 8;
  constexpr uint64_t kMaxHeader = 65536;
  constexpr std::string_view kSuffix = ".npy";
  std::map<std::string, NpyArray> arrays;
  try {
    Archive archive(path);
    for (const Entry& entry : read_directory(archive)) {
      if (!entry.name.ends_with(kSuffix)) continue;
      const uint64_t offset = data_offset(archive, entry);
      std::string unpacked;
      if (entry.method == kDeflated) {
        unpacked = inflate_all(archive.read(offset, entry.packed_size), entry.size);
      } else if (entry.method != kStored) {
        refuse("the .npz archive is compressed by method " + std::to_string(entry.method) +
               ": use numpy.savez or savez_compressed");
      } else if (offset > archive.size() || archive.size() - offset < entry.size) {
        refuse("the .npz archive is cut off");
      }
      std::string header = unpacked.substr(0, kMaxHeader);
      if (entry.method == kStored) {
        const std::vector<uint8_t> bytes = archive.read(offset, std::min(entry.size, kMaxHeader));
        header.assign(bytes.begin(), bytes.end());
      }
      NpyArray array(path, entry.method == kStored ? offset : 0, entry.size, header);
      array.unpacked_ = std::move(unpacked);
      arrays.insert_or_assign(entry.name.substr(0, entry.name.size() - kSuffix.size()), std::move(array));
    }
  } catch (Error& failure) {
    throw failure.add_context(path);
  }
  return arrays;
}

}  // namespace quantize
