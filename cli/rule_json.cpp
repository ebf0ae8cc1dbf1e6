// Keys of a rule: those of RuleSelector, then wishes by what it is for.
#include "cli/rule_json.h"

#include <algorithm>
#include <iterator>

#include "cli/command.h"
#include "cli/option_checks.h"
#include "cli/scheme_options.h"
#include "cli/text.h"
#include "core/error.h"
#include "core/near_names.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/node_selection.h"

namespace quantize {

namespace {

using JsonValue = nlohmann::json;
constexpr size_t kLongestText = 1000;

[[noreturn]] void reject(const std::string& key, const std::string& wanted) {
  throw Error(ErrorKind::kInvalidArgument, "\"" + key + "\" must be " + wanted);
}

std::string text(const std::string& key, const JsonValue& value) {
  if (!value.is_string() || value.get_ref<const std::string&>().empty() ||
      value.get_ref<const std::string&>().size() > kLongestText)
    reject(key, "a text of 1 to " + std::to_string(kLongestText) + " characters");
  return value.get<std::string>();
}

bool boolean(const std::string& key, const JsonValue& value) {
  if (!value.is_boolean()) reject(key, "true or false");
  return value.get<bool>();
}

std::vector<std::string> texts(const std::string& key, const JsonValue& value) {
  if (!value.is_array()) return {text(key, value)};
  if (value.empty()) reject(key, "a text or a list of texts, not an empty one");
  std::vector<std::string> list;
  for (const JsonValue& item : value) list.push_back(text(key, item));
  return list;
}

constexpr std::pair<const char*, RuleSelector::Kind> kKinds[] = {
    {"nodes", RuleSelector::Kind::kNodes},
    {"values", RuleSelector::Kind::kValues},
    {"activations", RuleSelector::Kind::kActivations},
    {"weights", RuleSelector::Kind::kWeights}};

RuleSelector::Kind kind(const std::string& key, const JsonValue& value) {
  std::vector<std::string> names;
  for (const auto& [name, is] : kKinds) {
    if (value.is_string() && value.get<std::string>() == name) return is;
    names.emplace_back(name);
  }
  reject(key, "one of " + join(names, ", "));
}

struct Criterion {
  const char* key;
  void (*take)(RuleSelector& selector, const std::string& key, const JsonValue& value);
};
constexpr Criterion kCriteria[] = {
    {"of", [](RuleSelector& s, const std::string& key, const JsonValue& value) { s.of = kind(key, value); }},
    {"regex", [](RuleSelector& s, const std::string& key,
                 const JsonValue& value) { compile_selector("\"regex\"", *(s.regex = text(key, value))); }},
    {"glob",
     [](RuleSelector& s, const std::string& key, const JsonValue& value) { s.glob = text(key, value); }},
    {"op_type",
     [](RuleSelector& s, const std::string& key, const JsonValue& value) { s.op_types = texts(key, value); }},
    {"from",
     [](RuleSelector& s, const std::string& key, const JsonValue& value) { s.from = text(key, value); }},
    {"to", [](RuleSelector& s, const std::string& key, const JsonValue& value) { s.to = text(key, value); }},
    {"optional", [](RuleSelector& s, const std::string& key,
                    const JsonValue& value) { s.may_be_empty = boolean(key, value); }},
};

/// A wish of a rule for nodes that is an override of its weights or of what it computes.
struct NodeWish {
  const char* key;
  ValueOverride Rule::*of;
  const char* override_key;
};
constexpr NodeWish kNodeWishes[] = {
    {"bits", &Rule::weights, "num_bits"},
    {"per_channel", &Rule::weights, "per_channel"},
    {"activation_bits", &Rule::activations, "num_bits"},
    {"method", &Rule::activations, "method"},
    {"symmetric", &Rule::activations, "symmetric"},
    {"unsigned", &Rule::activations, "unsigned"},
};

[[noreturn]] void refuse_key(const std::string& key, bool for_nodes) {
  std::vector<std::string> keys;
  for (const Criterion& criterion : kCriteria) keys.emplace_back(criterion.key);
  if (for_nodes) {
    keys.insert(keys.end(), {"mode", "enabled"});
    for (const NodeWish& wish : kNodeWishes) keys.emplace_back(wish.key);
  } else {
    keys.emplace_back("bits");
    for (const std::string& name : override_keys()) keys.push_back(name);
  }
  const std::vector<std::string> near = near_names(key, keys, 1);
  throw Error(ErrorKind::kInvalidArgument,
              std::string("a rule for ") + (for_nodes ? "nodes" : "values") + " has no key \"" + key +
                  "\"; " +
                  (near.empty() ? "there are " + join(keys, ", ") : "did you mean \"" + near[0] + "\"?"));
}

void set_mode(Rule& rule, const std::string& name) {
  if (rule.mode && *rule.mode != name)
    throw Error(ErrorKind::kInvalidArgument,
                "\"mode\" and \"enabled\" contradict each other; leave out one of them");
  rule.mode = name;
}

void take_node_wish(Rule& rule, const std::string& key, const JsonValue& value) {
  if (key == "mode") return set_mode(rule, find_mode(text(key, value)).name);
  if (key == "enabled") {  // true beside a mode adds nothing
    if (!boolean(key, value))
      set_mode(rule, "float");
    else if (!rule.mode)
      rule.mode = "";
    return;
  }
  const auto found = std::find_if(std::begin(kNodeWishes), std::end(kNodeWishes),
                                  [&](const NodeWish& wish) { return key == wish.key; });
  if (found == std::end(kNodeWishes)) refuse_key(key, true);
  with_context([&] { return "\"" + key + "\""; },
               [&] { set_override(rule.*found->of, found->override_key, value); });
}

void take_value_wish(Rule& rule, const std::string& key, const JsonValue& value) {
  const std::string name = key == "bits" ? "num_bits" : key;
  const std::vector<std::string> known = override_keys();
  if (std::find(known.begin(), known.end(), name) == known.end()) refuse_key(key, false);
  set_override(rule.activations, name, value);
  rule.weights = rule.activations;
}

}  // namespace

Rule parse_rule(const JsonValue& json) {
  if (!json.is_object()) throw Error(ErrorKind::kInvalidArgument, "it is not a JSON object");
  Rule rule;
  rule.text = json.dump();
  std::vector<std::pair<std::string, JsonValue>> wishes;
  for (const auto& [key, value] : json.items()) {
    const auto found =
        std::find_if(std::begin(kCriteria), std::end(kCriteria),
                     [&, &key = key](const Criterion& criterion) { return key == criterion.key; });
    if (found == std::end(kCriteria))
      wishes.emplace_back(key, value);
    else
      found->take(rule.selects, key, value);
  }
  const bool for_nodes = rule.selects.of == RuleSelector::Kind::kNodes;
  std::stable_partition(wishes.begin(), wishes.end(), [](const auto& wish) { return wish.first == "mode"; });
  for (const auto& [key, value] : wishes) (for_nodes ? take_node_wish : take_value_wish)(rule, key, value);
  const RuleSelector& selects = rule.selects;
  if (!selects.regex && !selects.glob && selects.op_types.empty() && !selects.from && !selects.to)
    throw Error(ErrorKind::kInvalidArgument,
                "it selects nothing; give \"regex\", \"glob\", \"op_type\", \"from\" or \"to\"");
  if (wishes.empty())
    throw Error(ErrorKind::kInvalidArgument,
                "it asks for nothing; give \"mode\", \"enabled\", \"bits\" or another wish");
  return rule;
}

}  // namespace quantize
