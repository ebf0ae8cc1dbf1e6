// Adding tables, and telling whether two of them may be added.
#include "calibration/statistics/statistics_table.h"

#include <algorithm>

#include "calibration/images/hash.h"
#include "core/error.h"
#include "core/fusion/constant_doubts.h"

namespace quantize {

namespace {

void hash_tensor(Hash& hash, const Tensor& tensor) {
  hash.add_number(static_cast<uint64_t>(tensor.dtype()));
  hash.add_number(tensor.shape().size());
  for (int64_t extent : tensor.shape()) hash.add_number(static_cast<uint64_t>(extent));
  hash.add_bytes(tensor.bytes(), tensor.byte_size());
}

void hash_graph(Hash& hash, const Graph& graph);

struct AttributeHasher {
  Hash& hash;

  void operator()(int64_t value) const { hash.add_number(static_cast<uint64_t>(value)); }
  void operator()(float value) const { hash.add_bytes(&value, sizeof value); }
  void operator()(const std::string& value) const { hash.add_text(value); }
  void operator()(const Tensor& value) const { hash_tensor(hash, value); }
  template <typename T>
  void operator()(const std::vector<T>& values) const {
    hash.add_number(values.size());
    for (const T& value : values) (*this)(value);
  }
  void operator()(const Body& body) const { hash_graph(hash, *body); }
};

void hash_graph(Hash& hash, const Graph& graph) {
  const auto add_value = [&](ValueId id) {
    hash.add_text(id == kNoValue ? "" : graph.value(id).name);
    const Tensor* constant = graph.constant(id);
    if (constant != nullptr) hash_tensor(hash, *constant);
  };
  const auto add_values = [&](const std::vector<ValueId>& ids) {
    hash.add_number(ids.size());
    for (ValueId id : ids) add_value(id);
  };
  for (const auto& [domain, version] : graph.info.opsets) {
    hash.add_text(domain);
    hash.add_number(static_cast<uint64_t>(version));
  }
  add_values(graph.inputs);
  add_values(graph.outputs);
  for (const Node& node : graph.nodes) {
    hash.add_text(node.domain);
    hash.add_text(node.op_type);
    add_values(node.inputs);
    add_values(node.outputs);
    for (const auto& [key, attribute] : node.attributes) {
      hash.add_text(key);
      hash.add_number(attribute.index());
      std::visit(AttributeHasher{hash}, attribute);
    }
  }
}

}  // namespace

std::string fingerprint(const Graph& graph) {
  Hash hash;
  hash_graph(hash, graph);
  return hash.hexadecimal();
}

std::string name_of_preprocessing(const std::string& preprocessing) {
  return preprocessing.empty() ? "none (tensors)" : preprocessing;
}

std::vector<std::string> doubts_about_constants(const Graph& model, const StatisticsTable& table) {
  const bool overflows = std::any_of(table.values.begin(), table.values.end(),
                                     [](const auto& value) { return value.second.non_finite != 0; });
  return doubts_about_constants(model, overflows);
}

void check_origin(const StatisticsTable& table, const std::string& model, const std::string& preprocessing) {
  if (table.model != model)
    throw Error(ErrorKind::kCalibration, "these statistics are of another model (its fingerprint is " +
                                             table.model + ", not " + model + "); calibrate this one");
  if (table.preprocessing != preprocessing)
    throw Error(ErrorKind::kCalibration, "these statistics were made with another preprocessing, " +
                                             name_of_preprocessing(table.preprocessing) + " instead of " +
                                             name_of_preprocessing(preprocessing) +
                                             "; calibrate again or ask for the same");
}

void StatisticsTable::add(const StatisticsTable& other) {
  check_origin(*this, other.model, other.preprocessing);
  // In any order the same: "given" stands before "guessed", too.
  preprocessing_origin = std::min(preprocessing_origin, other.preprocessing_origin);
  samples += other.samples;
  add_held(held, other.held);
  for (const auto& [name, statistics] : other.values) values[name].add(statistics);
  for (const auto& [name, statistics] : other.taps) taps[name].add(statistics);
}

}  // namespace quantize
