// Everything that quantization will do to a graph, decided before the graph is touched. Plain data: printed
// as JSON by cli, carried out by insert_qdq.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/graph.h"
#include "core/integer/exact_sums.h"
#include "core/quant_params.h"
#include "core/quantization/scheme.h"
#include "core/range_table.h"

namespace quantize {

/// Codes that are made of another value than the one they are planned for: those of `value` by `params`.
struct MadeOf {
  ValueId value = kNoValue;
  QuantParams params;
};

/// One activation.
struct PlannedValue {
  /// How it is held in integers; nothing: it stays float.
  std::optional<QuantParams> params;
  Range range;                // what params hold
  ValueId source = kNoValue;  // the value whose range and params it shares; itself if it has its own
  /// Set if the codes are the bytes of an image (read_pixels): what computes the value is not needed then.
  std::optional<MadeOf> made_of = {};
  /// Where the range comes from, or why the value stays float.
  std::string reason;
  std::vector<RangeCandidate> candidates = {};  // what the range was compared with, itself included
  /// True if a shield stands before its rounding: the runtime would else compute on codes what is to be
  /// computed in float (TargetProfile::unasked_fusions).
  bool shielded = false;
  bool is_fixed = false;  // the target says the scale, whatever the range: TargetProfile::fixed_outputs
};

/// The operator that adds the bias of a layer, and its form.
enum class BiasPlace {
  kCodes,   // the operator, as s32 codes
  kReals,   // the operator, as reals
  kBehind,  // an Add behind it, as reals
};

/// The weights and the bias of an integer Conv, ConvTranspose, Gemm or MatMul.
struct PlannedWeights {
  QuantParams params;
  /// The codes, if they are not simply the nearest ones.
  std::optional<Tensor> codes = {};
  /// Real numbers, one per output channel, bias correction included; empty: no bias, or an Add behind that
  /// adds it is left as it is.
  std::vector<double> bias = {};
  /// The part of the bias that corrects it, in real units; empty: none.
  std::vector<double> shift = {};
  BiasPlace bias_place = BiasPlace::kCodes;
  /// For kBehind: the Add that adds it in place of its own constant; kNoNode: one has to be added.
  NodeId bias_add = kNoNode;
};

/// Constant weights as codes whose scales need no range of an activation. real = level(code) * scale.
struct StoredWeights {
  size_t input = 0;  // of the node
  WeightGrid grid = WeightGrid::kLinear;
  DataType dtype = DataType::kS8;  // of the codes in a file
  int64_t width = 0;               // not 0: files have codes of so many bits in bytes (pack_bits)
  Tensor codes;  // s8, whatever `dtype`, or u8 where there are levels; of the constant's shape
  /// f32 [groups, levels], of `group` extents along `axis` each; none: codes stand for themselves.
  Tensor levels = {};
  int64_t group = 0;
  /// f32: one per extent along `axis`, or of the constant's shape but for ceil(axis / block); a scalar for all; with
  /// levels also none.
  Tensor scales;
  int64_t axis = 0;
  int64_t block = 0;   // codes of one scale along `axis`; 0: all that share an extent of it
  int64_t opset = 0;   // the first whose DequantizeLinear reads such codes
  double sqnr_db = 0;  // of the weights
  /// The shift of the bias that takes their rounding back, one per output channel; empty: none.
  std::vector<double> shift = {};
  bool as_product = false;  // the node becomes one operator that reads codes in blocks

  int64_t bits() const;
  /// Bytes of codes, levels and scales in a file.
  uint64_t bytes() const;
};

struct Mode;  // core/quantization/modes/mode.h

/// How a layer is computed on codes of ranges that each run takes from its own numbers.
enum class DynamicForm {
  kProduct,  // DynamicQuantizeLinear, MatMulInteger, and a Mul by both scales
  kConv,     // the same with ConvInteger
  kLstm,     // DynamicQuantizeLSTM of com.microsoft
};

/// Where a node is computed once the graph is quantized.
enum class Placement {
  kFloat,     // computes on reals
  kInteger,   // computes on integers
  kAbsorbed,  // removed: a clamp that its output implies, or what PlannedValue::made_of replaces
  kDynamic,   // computes on integers of ranges that each run takes from its own numbers
  kFused,     // part of a function or addition that the integer node before it applies before it rounds
};

/// The decision about one node, and its reason.
struct PlannedNode {
  Placement placement = Placement::kFloat;
  std::string reason;
  uint64_t macs = 0;
  std::optional<PlannedWeights> weights;
  int activation_bits = 8;  // of an integer node and its chain: 8 or 16
  bool in_float = false;    // the runtime computes it in float between its codes of 16 bits
  /// Activations that it reads in codes of its own bits, where they are held in others.
  std::map<ValueId, QuantParams> converted = {};
  const Mode* mode = nullptr;              // never nullptr in a finished plan
  std::optional<DynamicForm> dynamic;      // of a node that is placed so
  bool narrow = false;                     // a float node that is computed in QuantizationPlan::rest
  std::string wide_reason = {};            // why it is not, if the rest is of 16 bits; "" for others
  std::vector<StoredWeights> stored = {};  // by the node's mode; empty: it is written as it is
  /// The next node that is computed together with this integer node, so that the tail's output is quantized
  /// in place of the node's own: a Relu or Clip (absorbed, or kept if the range does not imply it), the last
  /// node of a function, or an Add, which may have a tail, too.
  NodeId tail = kNoNode;
  /// True for an integer node behind which no QuantizeLinear stands, and for the chain that it computes: their readers
  /// round what they read.
  bool returns_reals = false;
  /// True if a barrier stands before it: TargetProfile::mislaid.
  bool behind_barrier = false;
};

/// Per value and per node of the graph it was made for, by id.
struct QuantizationPlan {
  std::string target;
  DataType rest = DataType::kF32;  // of float nodes, but for those with a wide_reason
  /// The runtime computes in float what feeds a Relu or Clip that stays: ChainPart::kClamp is no fusion of it.
  bool floats_kept_clamps = false;
  std::vector<PlannedValue> values;
  std::vector<PlannedNode> nodes;
  std::vector<std::string> warnings;
};

/// A graph and what is to be done to it: one value, so that a plan is never read against another graph.
/// Always holds: the plan was made for exactly this graph.
struct PlannedModel {
  Graph graph;
  QuantizationPlan plan;
};

/// The value that holds what an integer node computes: its first output, or that of its last tail.
ValueId planned_output(const Graph& graph, const QuantizationPlan& plan, NodeId node);

/// The parameters by which a node reads an activation. Requires: it reads it as codes.
const QuantParams& params_read_by(const QuantizationPlan& plan, const PlannedNode& node, ValueId activation);

/// The codes of a layer's weights as planned.
Tensor weight_codes(const PlannedWeights& planned, const Tensor& weights);

/// The bound of the sums that a layer's integer kernel adds up. A bias that an Add behind adds is no part of
/// them. Nothing bounds those of activations of 16 bits: runtimes that have them add up in more than 32 bits.
/// Shapes: weights as `layout` says. Requires: `input` as bias_scale.
SumBound bound_of_sums(const PlannedWeights& planned, const Tensor& weights, const WeightLayout& layout,
                       const QuantParams& input);

/// The reason for which the runtime computes a node in float: the node's own, or the kept Relu or Clip behind
/// it (floats_kept_clamps). Nothing: the node computes on integers.
std::optional<std::string> float_reason(const PlannedModel& planned, NodeId node);

/// The summary of a plan, for reports.
struct PlanSummary {
  struct Count {
    size_t integer = 0, sixteen = 0;  // on activations of 8 and of 16 bits; absorbed nodes count, too
    size_t floating = 0;
    std::map<std::string, size_t> reasons;  // of the float ones: reason -> how many
  };
  std::map<std::string, Count> by_op_type;  // of the source, without what preparing has put in to reshape
  size_t kept_clamps = 0;                   // that keep the layer before them in float
  uint64_t macs = 0, integer_macs = 0, macs16 = 0;  // integer_macs: of activations of 8 bits
  /// The nodes that a mode without ranges has made smaller, by its name, and their weights.
  struct Stored {
    size_t nodes = 0;
    uint64_t weights = 0, bytes = 0;     // codes, levels and scales
    std::map<int64_t, size_t> operands;  // by their bits
  };
  std::map<std::string, Stored> by_mode;
  /// Where the rest is of 16 bits: the nodes that are, and by operator the others, with the reasons.
  size_t narrow = 0;
  std::map<std::string, Count> wide;  // `floating` and `reasons` alone
};
PlanSummary summarize(const PlannedModel& planned, const QuantizationScheme& scheme = {});

/// A reason without the names that it quotes: the same for all nodes that stay float for one cause.
std::string cause_of(const std::string& reason);

/// Why nothing is left in integers: the reason that most float nodes share, whatever values it names. Nothing
/// if some multiplication is in integers or, in a graph without any, some node.
std::optional<std::string> why_all_float(const PlanSummary& summary);

}  // namespace quantize
