// The user's request. Plain data, filled by cli from the options.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/quant_params.h"

namespace quantize {

/// `--overrides`, after the QuantDescriptor of pytorch-quantization: for one value, whatever is set wins.
struct ValueOverride {
  std::optional<float> min, max, amax, scale_amax;
  std::optional<int> num_bits;
  std::optional<bool> is_unsigned, narrow_range, enabled;
  std::optional<bool> symmetric;    // of activations
  std::optional<bool> per_channel;  // of weights
  std::optional<int64_t> axis;
  std::optional<std::string> method;
  /// A scale that is known from elsewhere; nothing else is set beside it. It is taken as it is where the type that is
  /// asked for has it, else as the range that it holds.
  std::optional<QuantParams> known;

  friend bool operator==(const ValueOverride&, const ValueOverride&) = default;
};

/// How biases make up for rounded weights.
enum class BiasCorrection {
  kOff,
  kClosedForm,  // takes back what rounding the weights does to each layer's mean
  kMeasured,    // then what the quantized network is measured to do, where there are samples
};

/// How weights become codes.
enum class WeightRounding {
  kNearest,
  kFitted,  // for the least error of what the layer computes, where there are samples
};

/// Whether channels of one tensor are brought to one size (equalize_channels).
enum class Equalization {
  kOff,
  kTried,  // where a search finds that it helps
  kOn,
};

/// The reals, up to a scale, that the codes of stored weights stand for.
enum class WeightGrid {
  kLinear,       // steps of one size
  kCodebook,     // levels that are fitted to the weights
  kPowersOfTwo,  // and 0
  kTernary,      // -1, 0 and 1
  kBinary,       // -1 and 1
  kFixed,        // steps of a power of two that is given
};

/// How a mode stores weights that it computes on as reals.
struct WeightStorage {
  WeightGrid grid = WeightGrid::kLinear;
  int64_t bits = 0;             // 0: those of QuantizationScheme::weights
  int64_t group = 0;            // output channels that share a codebook; 0: all
  bool channel_scales = false;  // a codebook is of weights that are divided by a scale per output channel
  int64_t before_point = 0;     // bits of kFixed
};

/// The mode of the nodes that an expression names.
struct ModeRule {
  std::string mode;   // of all_modes()
  std::string nodes;  // ECMAScript, searched in their names
};

/// The bits of the activations of the nodes that an expression names.
struct BitsRule {
  int bits = 8;       // 8 or 16
  std::string nodes;  // ECMAScript, searched in their names
};

/// The part of a network that a rule is for. All that is set must hold.
struct RuleSelector {
  enum class Kind { kNodes, kValues, kActivations, kWeights };
  Kind of = Kind::kNodes;
  std::optional<std::string> regex;     // ECMAScript, searched in the name
  std::optional<std::string> glob;      // of the whole name: '*' is any text, '?' any character
  std::vector<std::string> op_types;    // one of these, as the model's file has them
  std::optional<std::string> from, to;  // nodes or values; nodes on a path between, both included
  bool may_be_empty = false;
};

/// Wishes for a part of a network. Later rules win; options for single nodes and values win over rules.
struct Rule {
  std::string text;  // as it was written, for messages
  RuleSelector selects;
  std::optional<std::string> mode;     // of nodes: one of all_modes(), "" for that of all nodes
  ValueOverride activations, weights;  // of what selected nodes compute and read; of selected values
};

/// The choices of the user, for all values and for single ones. Plain data; decided before any sample is
/// read.
struct QuantizationScheme {
  std::string method = "mse";  // activation calibrator
  double percentile = 99.99;   // of that calibrator
  BiasCorrection bias_correction = BiasCorrection::kMeasured;
  WeightRounding weight_rounding = WeightRounding::kNearest;
  Equalization equalization = Equalization::kOff;
  std::set<std::string> without = {};  // steps that a search leaves out, by name
  /// The largest share of noise that rounding a value may cause in the layers behind it (RoundingNoise).
  /// Values that exceed it stay in float. 0.01 is 20 dB; 1 quantizes all.
  double max_noise = 0.01;
  bool per_channel_weights = true;
  bool integer_input = false;  // the model is to take codes for its images
  QuantType activations{.dtype = DataType::kU8};
  QuantType weights{.dtype = DataType::kS8, .num_bits = 8, .symmetric = true, .narrow_range = true};
  std::optional<QuantType> activations16 = {};  // those of 16 bits; nothing: the target has none
  int activation_bits = 8;                      // of all nodes: 8 or 16
  std::vector<BitsRule> bits_rules = {};        // of single nodes; later rules win
  bool keeps_16_bits = false;                   // known scales of 16 bits stay such (keeps_16_bits)
  bool may_take_16 = false;                     // a search may give nodes 16 bits so that a bound holds
  std::string mode = "static";                  // of all nodes: one of all_modes()
  std::vector<ModeRule> mode_rules = {};        // of single nodes; later rules win
  std::vector<Rule> rules = {};  // of a recipe; apply_rules makes node_modes and overrides of them
  std::map<std::string, std::string> node_modes = {};  // by node name, where no mode rule names it
  /// Weights that share a scale along their inputs, where a mode stores weights; 0: all of an output channel.
  int64_t weight_block = 0;
  WeightStorage storage = {};
  DataType rest = DataType::kF32;                       // of nodes that are not integer: f32, f16 or bf16
  std::vector<std::string> include, exclude;            // ECMAScript regular expressions over node names
  std::vector<std::string> op_types, exclude_op_types;  // of the model's file; empty: all
  /// By node name: the operator that the file has, where preparing it has made another of it.
  std::map<std::string, std::string> source_op_types = {};
  /// Nodes that the file does not have: preparing has put them in to change shapes.
  std::set<std::string> added_nodes = {};
  std::map<std::string, ValueOverride> overrides;  // by value name
  /// Nodes, by name, that a search has put back into float because quantizing them costs too much.
  std::set<std::string> float_nodes;
  /// Nodes, by name, to which a search has given activations of 16 bits.
  std::set<std::string> nodes16 = {};
};

/// The scheme's override of one value, or nullptr.
const ValueOverride* find_override(const QuantizationScheme& scheme, const std::string& value);

/// True if an override wants something of the value, beside a known scale, that is not wanted of `other` too: the two
/// cannot have the same codes.
bool has_own_wish(const QuantizationScheme& scheme, const std::string& value, const std::string& other);

/// True if an override sets an end of the value's range.
bool sets_range(const ValueOverride& specific);

/// Puts all that `later` sets over it. An amax takes the place of both ends.
void merge_override(ValueOverride& specific, const ValueOverride& later);

/// The type of one activation: the scheme's, changed by num_bits, is_unsigned, symmetric and narrow_range of its
/// override.
QuantType activation_type(const QuantizationScheme& scheme, const std::string& value);

/// The same for codes of 8 or of 16 bits, whatever the override says of that.
/// Errors: Error(kInternal) for 16 bits that the scheme does not have.
QuantType activation_type(const QuantizationScheme& scheme, const std::string& value, int bits);

/// The bits that an override asks for: 8 or 16; nothing: it leaves the choice to others.
std::optional<int> overridden_bits(const QuantizationScheme& scheme, const std::string& value);

/// True if the user asks for weights of fewer bits than 8 for some of them: by an override, or a rule.
bool asks_for_few_bits(const QuantizationScheme& scheme);

/// True if the user asks for activations of 16 bits of some node or value.
bool asks_for_16_bits(const QuantizationScheme& scheme);

/// True if a plan could hold a value in 16 bits.
bool may_have_16_bits(const QuantizationScheme& scheme);

/// A measured range as an override changes it, in this order: amax makes it [-amax, amax], or [0, amax] if
/// nothing negative was measured; min and max replace its ends; scale_amax multiplies both; it is widened to
/// hold 0. Errors: Error(kInvalidArgument) if the result is not finite, or has no extent although the
/// override sets it.
Range overridden_range(Range measured, const ValueOverride& specific);

}  // namespace quantize
