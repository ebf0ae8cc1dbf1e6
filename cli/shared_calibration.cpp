// Read calibrate_shared() at the end, then SharedCalibration::run().
#include "cli/shared_calibration.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "calibration/images/batches.h"
#include "calibration/images/check_samples.h"
#include "calibration/statistics/statistics_file.h"
#include "cli/text.h"

namespace quantize {

namespace fs = std::filesystem;

namespace {

/// Plain JSON, whose binary form (CBOR) keeps every number and byte.
using Cbor = nlohmann::json;

std::string packed(const Cbor& value) {
  std::string bytes;
  Cbor::to_cbor(value, bytes);
  return bytes;
}

Cbor unpacked(const std::string& bytes) {
  return bytes.empty() ? Cbor::array() : Cbor::from_cbor(bytes);
}

std::string join_lists(const std::string& first, const std::string& second) {
  Cbor list = unpacked(first);
  for (Cbor& item : unpacked(second)) list.push_back(std::move(item));
  return packed(list);
}

/// Statistics of some parts, and what is to be said of their samples.
struct Portion {
  StatisticsTable table;
  uint64_t runs = 0;  // of the network: batches with a sample
  std::map<size_t, SampleFacts> facts;
  std::vector<BadImage> bad;

  void add(Portion other) {
    if (table.model.empty())
      table = std::move(other.table);
    else if (!other.table.model.empty())
      table.add(other.table);
    runs += other.runs;
    facts.merge(other.facts);
    bad.insert(bad.end(), other.bad.begin(), other.bad.end());
  }
};

std::string encode(const Portion& portion) {
  Cbor facts = Cbor::array(), bad = Cbor::array();
  for (const auto& [i, each] : portion.facts) {
    Cbor sizes = Cbor::array();
    for (const SampleFacts::Size& size : each.sizes) sizes.push_back({size.largest, size.root_mean_square});
    facts.push_back({i, each.inputs_hash, each.outputs_hash, each.blank, std::move(sizes)});
  }
  for (const BadImage& each : portion.bad) bad.push_back({each.sample, each.name, each.reason});
  const bool has_table = !portion.table.model.empty();
  return packed({has_table ? encode_statistics(portion.table) : "", portion.runs, facts, bad});
}

Portion decode_portion(const std::string& bytes) {
  const Cbor list = unpacked(bytes);
  Portion portion;
  const auto& table = list[0].get_ref<const std::string&>();
  if (!table.empty()) portion.table = decode_statistics(table);
  portion.runs = list[1];
  for (const Cbor& each : list[2]) {
    SampleFacts facts{each[1], each[2], each[3], {}};
    for (const Cbor& size : each[4]) facts.sizes.push_back({size[0], size[1]});
    portion.facts[each[0]] = std::move(facts);
  }
  for (const Cbor& each : list[3]) portion.bad.push_back({each[0], each[1], each[2]});
  return portion;
}

std::string add_portions(const std::string& first, const std::string& second) {
  Portion sum = decode_portion(first);
  sum.add(decode_portion(second));
  return encode(sum);
}

/// Values that few samples make not finite, by a fault of these samples.
std::set<std::string> overflowing_values(const Portion& all) {
  std::set<std::string> names;
  for (const auto& [name, value] : all.table.values)
    if (value.non_finite != 0 && is_rare_overflow(all.runs - value.samples, all.runs)) names.insert(name);
  return names;
}

bool has_any(const StatisticsTable& table, const std::set<std::string>& overflowing) {
  return std::any_of(overflowing.begin(), overflowing.end(), [&](const std::string& name) {
    const auto found = table.values.find(name);
    return found != table.values.end() && found->second.non_finite != 0;
  });
}

class SharedCalibration {
 public:
  SharedCalibration(const Graph& model, Samples& samples, const EngineOptions& engine, const Sharing& sharing,
                    Console& console)
      : model_(model),
        source_(samples.source),
        samples_(samples),
        engine_(engine),
        sharing_(sharing),
        team_(*sharing.team),
        console_(console),
        batch_(static_cast<size_t>(fixed_batch(model))),
        parts_(std::min(sharing.shards == 0 ? team_.size() : sharing.shards,
                        (source_.count() + batch_ - 1) / batch_)),
        fingerprint_(fingerprint(model)) {}

  Portion run(FloatOutputs* outputs) {
    team_.meet("calibration", packed({fingerprint_, source_.list_hash(), source_.fingerprint(), parts_}));
    make_folder();
    const std::vector<size_t> left = left_parts();
    count_mine(left);
    for (size_t k = team_.rank(); k < left.size(); k += team_.size()) run_part(left[k], nullptr, outputs);
    for (;;) {
      const Portion all = sum();
      const std::set<std::string> overflowing = shared(overflowing_values(all));
      if (overflowing.empty()) return all;
      for (const auto& [part, table] : tables_)
        if (has_any(table, overflowing)) run_part(part, &overflowing, outputs);
    }
  }

  bool found_finished() const { return found_finished_; }

 private:
  SampleRange range_of(size_t part) const { return range_of_part(source_.count(), batch_, part, parts_); }

  std::string file_of(size_t part) const {
    return (fs::path(sharing_.folder) /
            ("shard-" + std::to_string(part) + "-of-" + std::to_string(parts_) + ".stats"))
        .string();
  }

  /// Errors: Error(kIo) if it cannot be written to.
  void make_folder() const {
    if (sharing_.folder.empty()) return;
    std::error_code error;
    fs::create_directories(sharing_.folder, error);
    if (!fs::is_directory(sharing_.folder))
      throw Error(ErrorKind::kIo,
                  "'" + sharing_.folder + "' of --shard-dir is no folder and cannot be made one");
    check_writable(file_of(team_.rank()), {});
  }

  /// Parts that no file has: each member looks for every size()-th of all, and everybody gets the list.
  std::vector<size_t> left_parts() {
    Cbor left = Cbor::array();
    for (size_t part = team_.rank(); part < parts_; part += team_.size())
      if (!take_finished(part)) left.push_back(part);
    team_.meet("finished shards", "");
    Cbor all = unpacked(team_.share(team_.sum(packed(left), join_lists)));
    std::vector<size_t> parts = all;
    std::sort(parts.begin(), parts.end());
    found_finished_ = parts.size() != parts_;
    if (!sharing_.folder.empty())
      console_.explain(std::to_string(parts_ - parts.size()) + " of " + format_plural(parts_, "shard") +
                       " taken from '" + sharing_.folder + "'");
    return parts;
  }

  /// Images that could not be used are read again, which tells why; if one can, the file is out of date.
  bool take_finished(size_t part) {
    if (sharing_.folder.empty()) return false;
    std::string reason;
    std::optional<StatisticsTable> table =
        finished_part(file_of(part), fingerprint_, source_, range_of(part), reason);
    if (!table) {
      if (!reason.empty()) console_.explain("'" + file_of(part) + "' is made again: " + reason);
      return false;
    }
    for (const HeldSample& sample : table->held.at(source_.list_hash()).samples)
      if (sample.content == 0 && source_.load(sample.position - source_.first())) return false;
    tables_[part] = std::move(*table);
    return true;
  }

  void count_mine(const std::vector<size_t>& left) {
    for (size_t k = team_.rank(); k < left.size(); k += team_.size()) {
      const SampleRange range = range_of(left[k]);
      mine_ += (range.end - range.begin + batch_ - 1) / batch_;
    }
  }

  void run_part(size_t part, const std::set<std::string>* overflowing, FloatOutputs* outputs) {
    Progress progress = console_.progress(team_.size() == 1 ? "calibrating" : "calibrating (rank 0)");
    EngineOptions engine = engine_;
    if (engine.threads == 0) engine.threads = team_.threads();
    SampleCensus census(static_cast<int64_t>(batch_), source_.count());
    size_t last = 0;
    CalibratedPart wanted{.range = range_of(part), .is_part = true, .census = &census, .outputs = outputs};
    wanted.progress = [&](size_t done, size_t) {
      team_.check();
      progress.update(done_ + done, mine_);
      last = done;
    };
    wanted.rejects = overflowing != nullptr;
    wanted.overflowing = overflowing;
    StatisticsTable table = calibrate(model_, source_, engine, wanted);
    done_ += last;
    if (samples_.preprocessing) table.preprocessing_origin = origin_json(*samples_.preprocessing);
    if (!sharing_.folder.empty()) save_statistics(table, file_of(part));
    tables_[part] = std::move(table);
    facts_[part] = census.facts();
  }

  /// Batches of one part in which a sample could be used.
  uint64_t runs_of(const StatisticsTable& table) const {
    std::set<uint64_t> batches;
    for (const auto& [hash, list] : table.held)
      for (const HeldSample& sample : list.samples)
        if (sample.content != 0) batches.insert((sample.position - source_.first()) / batch_);
    return batches.size();
  }

  Portion sum() {
    Portion own;
    for (const auto& [part, table] : tables_) own.add({table, runs_of(table), facts_[part], {}});
    own.bad = source_.bad_images();
    team_.meet("statistics", "");
    const std::string all = team_.sum(encode(own), add_portions);
    return team_.leads() ? decode_portion(all) : Portion{};
  }

  std::set<std::string> shared(const std::set<std::string>& of_leader) {
    return unpacked(team_.share(packed(of_leader)));
  }

  const Graph& model_;
  SampleSource& source_;
  const Samples& samples_;
  const EngineOptions& engine_;
  const Sharing& sharing_;
  Team& team_;
  Console& console_;
  const size_t batch_, parts_;
  const std::string fingerprint_;
  std::map<size_t, StatisticsTable> tables_;  // of the parts of this member
  std::map<size_t, std::map<size_t, SampleFacts>> facts_;
  size_t done_ = 0, mine_ = 0;  // runs of this member
  bool found_finished_ = false;
};

}  // namespace

std::optional<StatisticsTable> finished_part(const std::string& file, const std::string& model,
                                             const SampleSource& source, const SampleRange& range,
                                             std::string& reason) {
  if (!fs::exists(file)) return std::nullopt;
  try {
    StatisticsTable table = load_statistics(file);
    check_origin(table, model, source.fingerprint());
    check_samples(table.held, source, range);
    if (table.held.size() == 1) return table;
    reason = "it has samples of other folders, too";
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kCalibration) throw;
    reason = error.what();
  }
  return std::nullopt;
}

StatisticsTable calibrate_shared(const Graph& model, Samples& samples, const EngineOptions& engine,
                                 const Sharing& sharing, Console& console, FloatOutputs* outputs) {
  SharedCalibration calibration(model, samples, engine, sharing, console);
  Portion all = calibration.run(outputs);
  if (!sharing.team->leads()) return {};
  for (const BadImage& bad : all.bad) samples.source.reject(bad.sample, bad.reason);
  warn_of_bad_images(samples.source, console.diagnostics);
  SampleCensus census;
  census.add(all.facts);
  if (!calibration.found_finished())
    for (std::string& warning : census.warnings([&](size_t i) { return samples.source.name(i); }))
      console.diagnostics.warn(std::move(warning));
  return std::move(all.table);
}

}  // namespace quantize
