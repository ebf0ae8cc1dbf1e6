// The wishes of one runtime for a quantized model. Data: a runtime is one file under targets/ and one line in
// targets/all_targets.cpp. Read TargetProfile first.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/fusion/chain.h"
#include "core/graph.h"
#include "core/quant_params.h"
#include "core/quantization/plan.h"

namespace quantize {

/// A property of nodes, and its words for lists. The default: every node has it.
struct NodeTest {
  bool (*holds)(const Graph& graph, const Node& node) = nullptr;
  const char* words = "";

  bool operator()(const Graph& graph, const Node& node) const {
    return holds == nullptr || holds(graph, node);
  }
};

/// Element types that the runtime multiplies.
struct TypePair {
  DataType activation, weight;
  /// True if it wants the zero point of activations in the middle of the codes.
  bool symmetric = false;
};

/// The result of an integer operator, which decides where QuantizeLinear stands.
enum class OutputForm {
  kCodes,         // codes: QuantizeLinear stands behind it
  kCodesOrReals,  // codes where QuantizeLinear stands behind it, else reals
  kReals,         // reals: QuantizeLinear stands in front of the operators that read them
};

/// Whether an operator that computes has one scale for its inputs and its output. (An operator that moves
/// elements always has.)
enum class ScaleSharing {
  kNone,        // each its own
  kWhereAlone,  // its own for an input that others read too; the other inputs take the output's
  kAlways,      // one for all; where that cannot be, the operator stays float
};

/// An operator that the runtime computes on 8-bit integers: DequantizeLinear stands in front of it. Of several
/// entries for one operator the first that fits a node holds.
struct IntegerOperator {
  const char* op_type;
  OutputForm output = OutputForm::kCodes;
  ScaleSharing scales = ScaleSharing::kNone;
  NodeTest fits = {};
  /// The types that it multiplies; empty: those of the runtime.
  std::span<const TypePair> type_pairs = {};
  /// True if its weights, if it has any, may have a scale per output channel.
  bool channel_weights = true;

  /// True for a layer: Conv, ConvTranspose, Gemm, MatMul.
  bool has_weights() const;
};

/// An operator whose result has the same scale and zero point in every network.
struct FixedOutput {
  const char* op_type;
  float scale;
  int32_t zero_point;
  DataType codes;
};

/// The scales that a runtime takes.
enum class ScaleGrid {
  kAny,
  kPowersOfTwo,  // products by them are shifts
};

/// A float operator that the runtime computes on codes by itself, where DequantizeLinear stands before all
/// its computed inputs and QuantizeLinear behind it.
struct UnaskedFusion {
  const char* op_type;
  /// True if it does so although an input is a constant of reals, which it rounds too; false: then it does
  /// not.
  bool rounds_constants = false;
};

/// A form of an operator that the runtime computes wrongly or refuses where it turns images to another layout.
struct MislaidForm {
  const char* op_type;
  NodeTest when;
};

/// A part of a chain that a runtime may apply to the reals of an integer operator before it rounds them. Without
/// kClamp, what feeds a clamp that the range does not imply is computed in float.
struct Fusion {
  ChainPart part;
  NodeTest behind = {};                // the operators that do so
  std::optional<DataType> codes = {};  // the type of all codes that take part; nothing: any
};

/// Activations with a scale per channel (axis 1): what may write and what may read them, and their type.
struct ChannelScales {
  NodeTest writes, reads;
  DataType codes = DataType::kU8;
};

/// Activations of 16 bits, which are multiplied by the same weights as those of 8.
struct SixteenBits {
  /// False: the runtime reads QuantizeLinear and DequantizeLinear of 16 bits, and computes in float in between.
  bool in_integers = true;
  bool symmetric = false;                     // it wants zero points in the middle of the codes
  std::span<const char* const> without = {};  // integer operators that it has for 8 bits alone
  std::span<const char* const> moves = {};    // operators that run on such codes whatever `in_integers` says

  /// True if an integer operator of 8 bits may stand between such codes, too.
  bool takes(const Node& node) const;
  /// True if it then runs on them.
  bool runs_on_codes(const Node& node) const;
};

/// The price of a multiply-accumulate, in such of 8-bit activations. A search weighs layers by it; the order
/// decides more than the numbers, which no clock has measured.
struct MacCosts {
  double sixteen_bits = 2, real = 8;
};

/// How the runtime takes the bias of an operator that has an input for it.
enum class BiasForm {
  kCodes,         // s32 of scale x_scale * w_scale, behind DequantizeLinear
  kReals,         // f32
  kRealsOrCodes,  // either; written as f32
};

/// A layer that the runtime computes on codes of ranges that each run takes from its own numbers.
struct DynamicOperator {
  const char* op_type;
  DynamicForm form;
};

/// Codes of constants that the runtime reads behind DequantizeLinear, from an opset on.
struct StoredCodes {
  DataType type;
  int64_t opset;
};

/// Per channel, by every runtime.
inline constexpr StoredCodes kBytes[] = {{DataType::kS8, 13}};

/// Opsets of a model, both ends included.
struct OpsetRange {
  int64_t lowest, highest;
};

/// One runtime. Spans and strings live as long as the program.
struct TargetProfile {
  const char* name;
  const char* description;                     // for help texts
  std::span<const IntegerOperator> operators;  // all others are computed in float
  std::span<const TypePair> type_pairs;        // the first is taken where the user asks for none
  OpsetRange opsets;
  BiasForm bias = BiasForm::kCodes;
  ScaleGrid grid = ScaleGrid::kAny;  // of the scales of activations and weights
  /// True if the results of the network are to be codes, too, whatever computes them.
  bool rounds_results = false;
  std::span<const FixedOutput> fixed_outputs = {};
  std::span<const Fusion> fusions = {};
  const ChannelScales* channel_scales = nullptr;  // nullptr: one scale per activation
  const SixteenBits* sixteen_bits = nullptr;      // nullptr: it has activations of 8 bits alone
  MacCosts costs = {};
  /// Operators that are computed in float only behind a shield (insert_qdq).
  std::span<const UnaskedFusion> unasked_fusions = {};
  bool fuses_unasked = false;  // these are its own; else those of ONNX Runtime, which may read the file, too
  bool takes_codes = false;    // QLinearConv and other operators of codes, beside Q and DQ
  /// The ways to keep sums whole on x86-64 processors without VNNI, where it cuts those of two products of u8 by s8 to
  /// 16 bits; nullptr: it cuts none.
  const char* without_vnni = nullptr;
  /// Operators that move elements, in front of which it puts a QuantizeLinear that stands behind them.
  std::span<const char* const> moves_over = {};
  /// Operators whose result is the same of 8-bit codes as of reals: it takes the DequantizeLinear in front away.
  std::span<const char* const> compares_codes = {};
  /// Such a node stays float, behind a barrier (insert_qdq).
  std::span<const MislaidForm> mislaid = {};
  std::span<const DataType> rest_types = {};  // of 16 bits, in which it computes what is not integer
  /// Layers that mode dynamic takes; all others stay float there.
  std::span<const DynamicOperator> dynamic_operators = {};
  const char* instead_of_dynamic = "";  // where there are none: why, and the choice that is left
  std::span<const StoredCodes> stored_codes = kBytes;
  /// True if the weights of layers on integers may be constants of s4 behind DequantizeLinear (opset 21), too.
  bool multiplies_s4 = false;
  /// True if it unpacks codes of any bits from bytes before it runs, by BitShift, BitwiseAnd and Gather.
  bool unpacks_codes = false;
  /// The first opset whose DequantizeLinear the runtime reads in blocks; 0: none.
  int64_t block_opset = 0;
  /// True if it reads such blocks itself: MatMulNBits, GatherBlockQuantized of com.microsoft.
  bool multiplies_blocks = false;

  /// The entry for this node, or nullptr: the runtime computes it in float.
  const IntegerOperator* find(const Graph& graph, const Node& node) const;
  const UnaskedFusion* find_unasked(const Node& node) const;
  /// The entry of `fixed_outputs` for this node and type of codes, or nullptr.
  const FixedOutput* find_fixed(const Node& node, DataType codes) const;
  /// True if some operator's weights may have a scale per output channel.
  bool has_channel_weights() const;
  /// True for an operator of `moves_over`.
  bool moves_over_node(const Node& node) const;
  /// True for an operator of `compares_codes`.
  bool compares_codes_in(const Node& node) const;
  /// True for a form of `mislaid`.
  bool mislays(const Graph& graph, const Node& node) const;
  /// The entry for a part behind this integer node, or nullptr: the runtime rounds before it.
  const Fusion* find_fusion(ChainPart part, const Graph& graph, const Node& node) const;
  /// True if some integer operator applies the part.
  bool fuses(ChainPart part) const;
  /// The parts of a chain behind this integer node that the runtime applies before it rounds; a clamp always may
  /// stand there, since the range can imply it.
  ChainRules chain_rules(const Graph& graph, const Node& node) const;
  /// The entry for these types, of all operators or of one; nullptr: it does not multiply them. Activations of 16 bits
  /// have the entry of those of 8, if the runtime has them.
  const TypePair* find_types(DataType activation, DataType weight, const IntegerOperator* by = nullptr) const;
  /// The first entry with these types; nothing: any. Errors: Error(kInvalidArgument) listing what there is.
  const TypePair& choose_types(std::optional<DataType> activation, std::optional<DataType> weight) const;
};

/// Every target. Defined in targets/all_targets.cpp: the one line to add.
std::span<const TargetProfile* const> all_targets();

/// Errors: Error(kInvalidArgument) listing the names there are.
const TargetProfile& find_target(const std::string& name);

}  // namespace quantize
