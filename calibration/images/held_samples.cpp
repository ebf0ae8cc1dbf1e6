// Sets of samples: adding, comparing, finding gaps.
#include "calibration/images/held_samples.h"

#include <algorithm>

#include "calibration/images/choose_samples.h"

namespace quantize {
namespace {

/// Positions [begin, end) of a list that no held sample has.
struct Gap {
  uint64_t begin = 0, end = 0;
};

std::vector<Gap> gaps_of(const HeldList& list) {
  std::vector<Gap> gaps;
  uint64_t next = 0;
  for (const HeldSample& sample : list.samples) {
    if (sample.position > next) gaps.push_back({next, sample.position});
    next = std::max(next, sample.position + 1);
  }
  if (next < list.chosen) gaps.push_back({next, list.chosen});
  return gaps;
}

/// The shard that has the sample at `position`.
uint64_t shard_of(const HeldList& list, uint64_t position) {
  return ((position + 1) * list.shards - 1) / list.chosen;
}

/// The missing samples of one list, in words.
class Missing {
 public:
  Missing(const HeldList& list, const std::vector<Gap>& gaps) : list_(list) {
    for (const Gap& gap : gaps) add(gap);
  }

  std::string text() const {
    const std::string samples = std::to_string(samples_) + " of " + std::to_string(list_.chosen) + " samples";
    if (!whole_shards_ || list_.shards == 1)
      return samples + (samples_ == 1 ? " is missing" : " are missing");
    std::string text = shards_ == 1 ? "shard " : "shards ";
    for (size_t i = 0; i < named_.size(); ++i) {
      const bool last = i + 1 == named_.size() && named_.size() == shards_;
      if (i > 0) text += last ? " and " : ", ";
      text += std::to_string(named_[i]) + "/" + std::to_string(list_.shards);
    }
    if (shards_ > named_.size()) text += " and " + std::to_string(shards_ - named_.size()) + " others";
    return text + (shards_ == 1 ? " is missing, " : " are missing, ") + samples;
  }

 private:
  void add(const Gap& gap) {
    constexpr size_t kNamed = 4;
    samples_ += gap.end - gap.begin;
    const uint64_t first = shard_of(list_, gap.begin), last = shard_of(list_, gap.end - 1);
    whole_shards_ = whole_shards_ && shard_begin(list_.chosen, first, list_.shards) == gap.begin &&
                    shard_begin(list_.chosen, last + 1, list_.shards) == gap.end;
    // Where there are more shards than samples, those with a sample have one.
    shards_ += std::min(last - first + 1, gap.end - gap.begin);
    for (uint64_t at = gap.begin; at < gap.end && named_.size() < kNamed;) {
      named_.push_back(shard_of(list_, at));
      at = shard_begin(list_.chosen, named_.back() + 1, list_.shards);
    }
  }

  const HeldList& list_;
  uint64_t samples_ = 0, shards_ = 0;
  bool whole_shards_ = true;  // every gap consists of them
  std::vector<uint64_t> named_;
};

}  // namespace

void add_held(HeldSamples& to, const HeldSamples& other) {
  for (const auto& [hash, list] : other) {
    HeldList& sum = to[hash];
    sum.chosen = std::max(sum.chosen, list.chosen);
    sum.shards = std::max(sum.shards, list.shards);
    std::vector<HeldSample> both;
    std::set_union(sum.samples.begin(), sum.samples.end(), list.samples.begin(), list.samples.end(),
                   std::back_inserter(both));
    sum.samples = std::move(both);
    if (gaps_of(sum).empty()) sum.shards = 1;
  }
}

void HeldIndex::add(const HeldSamples& held) {
  for (const auto& [hash, list] : held)
    for (const HeldSample& sample : list.samples)
      if (sample.content != 0) by_content_.insert({sample.content, {count_, hash, sample.name}});
  ++count_;
}

std::map<size_t, Overlap> HeldIndex::overlaps(const HeldSamples& held) const {
  std::map<size_t, Overlap> overlaps;
  size_t samples = 0;
  for (const auto& [hash, list] : held) {
    for (const HeldSample& sample : list.samples) {
      if (sample.content == 0) continue;
      ++samples;
      std::map<size_t, bool> found;  // true: twice, false: alike
      const auto [begin, end] = by_content_.equal_range(sample.content);
      for (auto at = begin; at != end; ++at) {
        const Place& place = at->second;
        if (place.name == sample.name) found[place.number] = true;
        if (place.list != hash) found.try_emplace(place.number, false);
      }
      for (const auto& [number, twice] : found) ++(twice ? overlaps[number].twice : overlaps[number].alike);
    }
  }
  for (auto& [number, overlap] : overlaps) overlap.samples = samples;
  return overlaps;
}

std::string missing_samples(const HeldSamples& held) {
  std::string text;
  for (const auto& [hash, list] : held) {
    const std::vector<Gap> gaps = gaps_of(list);
    if (!gaps.empty()) text += (text.empty() ? "" : "; ") + Missing(list, gaps).text();
  }
  return text;
}

}  // namespace quantize
