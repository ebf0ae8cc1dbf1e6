// The statistics file, little-endian throughout:
//
//   "quantize statistics\n"  version u32  table  checksum u64 of all bytes before
//
// The table's fields follow each other as Encoder writes them: counts and sizes as LEB128 numbers, text with
// its size before it, floats and sums by their bits. Read encode_statistics() and decode_statistics() side by
// side.
#include "calibration/statistics/statistics_file.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "calibration/images/choose_samples.h"
#include "calibration/images/hash.h"
#include "calibration/images/read_file.h"
#include "core/atomic_file.h"
#include "core/error.h"

namespace quantize {

namespace {

constexpr std::string_view kMagic = "quantize statistics\n";
constexpr uint32_t kVersion = 5;
constexpr size_t kSumBytes = 16, kChannelBytes = 8 + kSumBytes;
constexpr size_t kListBytes = 11, kHeldBytes = 17, kExtremesBytes = 9;  // at least
constexpr uint64_t kMaxRank = 64;
constexpr uint64_t kMaxElements = ExactSum::kMaxTerms << 32;  // summarize() takes fewer than 2^32 per sample

class Encoder {
 public:
  std::string bytes;

  void fixed(uint64_t number, size_t size) {
    for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(number >> (8 * i) & 255);
  }
  void number(uint64_t number) {
    for (; number >= 128; number >>= 7) bytes += static_cast<char>(number % 128 + 128);
    bytes += static_cast<char>(number);
  }
  void text(const std::string& text) {
    number(text.size());
    bytes += text;
  }
  void real(float value) { fixed(std::bit_cast<uint32_t>(value), 4); }
  void sum(const ExactSum& sum) {
    fixed(sum.low, 8);
    fixed(static_cast<uint64_t>(sum.high), 8);
  }
  void sums(const std::vector<ExactSum>& sums) {
    number(sums.size());
    for (const ExactSum& each : sums) sum(each);
  }

  void side(const std::vector<uint64_t>& counts) {
    size_t used = counts.size();
    while (used > 0 && counts[used - 1] == 0) --used;
    number(used);
    for (size_t k = 0; k < used; ++k) number(counts[k]);
  }

  void recent(const RecentExtremes& recent) {
    number(recent.samples.size());
    uint64_t position = 0;
    for (const SampleExtremes& sample : recent.samples) {
      number(sample.position - position);
      real(sample.min);
      real(sample.max);
      position = sample.position;
    }
  }

  void value(const TensorStatistics& value) {
    number(value.non_finite);
    number(value.samples);
    if (value.samples == 0) return;
    real(value.min);
    real(value.max);
    sum(value.min_sum);
    sum(value.max_sum);
    recent(value.recent);
    number(value.histogram.zeros);
    side(value.histogram.positive);
    side(value.histogram.negative);
    number(value.channels_vary ? 1 : 0);
    number(value.channel_axis);
    number(value.channels.size());
    for (const ChannelStatistics& channel : value.channels) {
      real(channel.min);
      real(channel.max);
      sum(channel.mean_sum);
    }
  }

  void held(const HeldList& list) {
    number(list.chosen);
    number(list.shards);
    number(list.samples.size());
    uint64_t position = 0;
    for (const HeldSample& sample : list.samples) {
      number(sample.position - position);
      fixed(sample.name, 8);
      fixed(sample.content, 8);
      position = sample.position;
    }
  }

  void taps(const TapStatistics& taps) {
    number(taps.samples);
    if (taps.samples == 0) return;
    number(taps.taps);
    sums(taps.mean_sums);
  }
};

/// Reads what Encoder writes. Nothing is believed before it is checked.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }

  static void require(bool holds) {
    if (!holds)
      throw Error(ErrorKind::kCalibration, "the statistics file is damaged; calibrate again or copy it anew");
  }

  std::string_view take(size_t size) {
    require(size <= rest_.size());
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  uint64_t fixed(size_t size) {
    uint64_t number = 0;
    const std::string_view bytes = take(size);
    for (size_t i = 0; i < size; ++i) number |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    return number;
  }
  uint64_t number(uint64_t limit) {
    uint64_t number = 0;
    for (int shift = 0;; shift += 7) {
      const uint64_t byte = fixed(1);
      require(shift < 63);
      number |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    require(number <= limit);
    return number;
  }
  /// How many items follow, each of at least `bytes_each`: no more than the rest of the file can hold.
  size_t count(size_t bytes_each) { return number(rest_.size() / bytes_each); }
  std::string text() { return std::string(take(count(1))); }
  float real() {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(fixed(4)));
    require(std::abs(value) < static_cast<float>(ExactSum::kLimit));
    return value;
  }
  ExactSum sum() {
    ExactSum sum;
    sum.low = fixed(8);
    sum.high = static_cast<int64_t>(fixed(8));
    require(std::abs(sum.value()) <= ExactSum::kLimit * static_cast<double>(ExactSum::kMaxTerms));
    return sum;
  }

  std::vector<uint64_t> side() {
    std::vector<uint64_t> counts(count(1));
    require(counts.size() <= Histogram::kBins);
    for (uint64_t& each : counts) each = number(kMaxElements);
    require(counts.empty() || counts.back() != 0);
    if (!counts.empty()) counts.resize(Histogram::kBins);
    return counts;
  }

  /// Of statistics that hold all else before them.
  RecentExtremes recent(const TensorStatistics& value) {
    RecentExtremes recent;
    recent.samples.resize(count(kExtremesBytes));
    require(recent.samples.size() == std::min<uint64_t>(value.samples, RecentExtremes::kMost));
    uint64_t position = 0;
    for (size_t i = 0; i < recent.samples.size(); ++i) {
      position += number(kMaxShards);
      recent.samples[i] = {position, real(), real()};
      const SampleExtremes& sample = recent.samples[i];
      require(value.min <= sample.min && sample.min <= sample.max && sample.max <= value.max);
      require(i == 0 || !(sample < recent.samples[i - 1]));
    }
    return recent;
  }

  TensorStatistics value() {
    TensorStatistics value;
    value.non_finite = number(kMaxElements);
    value.samples = number(ExactSum::kMaxTerms);
    if (value.samples == 0) return value;
    value.min = real();
    value.max = real();
    require(value.min <= value.max);
    value.min_sum = sum();
    value.max_sum = sum();
    value.recent = recent(value);
    value.histogram.exponent = Histogram::exponent_for(std::max(-value.min, value.max));
    value.histogram.zeros = number(kMaxElements);
    value.histogram.positive = side();
    value.histogram.negative = side();
    require(value.histogram.total() <= kMaxElements && value.histogram.total() >= value.samples);
    value.channels_vary = number(1) == 1;
    value.channel_axis = static_cast<uint32_t>(number(kMaxRank - 1));
    value.channels.resize(count(kChannelBytes));
    require(!value.channels_vary || value.channels.empty());
    require(value.channel_axis == 0 || !value.channels.empty());
    for (ChannelStatistics& channel : value.channels) {
      channel.min = real();
      channel.max = real();
      require(value.min <= channel.min && channel.min <= channel.max && channel.max <= value.max);
      channel.mean_sum = sum();
    }
    return value;
  }

  HeldList held() {
    HeldList list;
    list.chosen = number(kMaxShards);
    list.shards = number(kMaxShards);
    require(list.shards != 0);
    list.samples.resize(count(kHeldBytes));
    uint64_t position = 0;
    for (size_t i = 0; i < list.samples.size(); ++i) {
      position += number(kMaxShards);
      list.samples[i] = {position, fixed(8), fixed(8)};
      require(position < list.chosen && (i == 0 || list.samples[i - 1] < list.samples[i]));
    }
    return list;
  }

  HeldSamples held_samples() {
    HeldSamples held;
    for (size_t left = count(kListBytes); left > 0; --left) {
      const uint64_t hash = fixed(8);
      require(held.empty() || held.rbegin()->first < hash);
      held.emplace_hint(held.end(), hash, this->held());
    }
    return held;
  }

  TapStatistics taps() {
    TapStatistics taps;
    taps.samples = number(ExactSum::kMaxTerms);
    if (taps.samples == 0) return taps;
    taps.taps = number(rest_.size());
    taps.mean_sums.resize(count(kSumBytes));
    require(taps.taps != 0 && taps.mean_sums.size() % taps.taps == 0);
    for (ExactSum& each : taps.mean_sums) each = sum();
    return taps;
  }

  /// A map whose keys stand in ascending order.
  template <typename T>
  std::map<std::string, T> map(T (Decoder::*item)()) {
    std::map<std::string, T> result;
    for (size_t left = count(2); left > 0; --left) {
      std::string name = text();
      require(result.empty() || result.rbegin()->first < name);
      result.emplace_hint(result.end(), std::move(name), (this->*item)());
    }
    return result;
  }

 private:
  std::string_view rest_;
};

uint64_t checksum_of(std::string_view bytes) {
  Hash hash;
  hash.add_text(bytes);
  return hash.value();
}

}  // namespace

std::string encode_statistics(const StatisticsTable& table) {
  Encoder out;
  out.bytes = kMagic;
  out.fixed(kVersion, 4);
  out.text(table.model);
  out.text(table.preprocessing);
  out.text(table.preprocessing_origin);
  out.number(table.samples);
  out.number(table.held.size());
  for (const auto& [hash, list] : table.held) {
    out.fixed(hash, 8);
    out.held(list);
  }
  out.number(table.values.size());
  for (const auto& [name, value] : table.values) {
    out.text(name);
    out.value(value);
  }
  out.number(table.taps.size());
  for (const auto& [name, taps] : table.taps) {
    out.text(name);
    out.taps(taps);
  }
  out.fixed(checksum_of(out.bytes), 8);
  return std::move(out.bytes);
}

StatisticsTable decode_statistics(std::string_view bytes) {
  if (!bytes.starts_with(kMagic))
    throw Error(ErrorKind::kCalibration,
                "this is no statistics file; give one that 'quantize calibrate' wrote");
  Decoder in(bytes.substr(kMagic.size()));
  if (const uint64_t version = in.fixed(4); version != kVersion)
    throw Error(ErrorKind::kCalibration, "the statistics are of version " + std::to_string(version) +
                                             " and this program reads version " + std::to_string(kVersion) +
                                             "; calibrate again");
  Decoder::require(bytes.size() >= 8);
  Decoder::require(Decoder(bytes.substr(bytes.size() - 8)).fixed(8) ==
                   checksum_of(bytes.substr(0, bytes.size() - 8)));
  StatisticsTable table;
  table.model = in.text();
  table.preprocessing = in.text();
  table.preprocessing_origin = in.text();
  table.samples = in.number(ExactSum::kMaxTerms);
  table.held = in.held_samples();
  table.values = in.map(&Decoder::value);
  table.taps = in.map(&Decoder::taps);
  in.fixed(8);
  Decoder::require(in.at_end());
  return table;
}

void save_statistics(const StatisticsTable& table, const std::string& path) {
  AtomicFile file(path);
  file.write(encode_statistics(table));
  file.commit();
}

StatisticsTable load_statistics(const std::string& path) {
  const std::vector<uint8_t> bytes = read_file(path);
  return with_context([&] { return path; },
                      [&] {
                        return decode_statistics({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
                      });
}

}  // namespace quantize
