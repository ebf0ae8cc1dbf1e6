// Weights as packed codes behind a DequantizeLinear; the layer computes on reals. Where the runtime multiplies by
// blocks of codes itself, a product becomes one MatMulNBits and a table one GatherBlockQuantized.
#include <algorithm>

#include "core/error.h"
#include "core/quantization/candidates.h"
#include "core/quantization/modes/node_writer.h"
#include "core/quantization/modes/store_weights.h"
#include "core/quantization/modes/weight_grids.h"
#include "core/quantization/reasons.h"

namespace quantize {

namespace {

/// The type of codes of so many bits; nullptr: the target has none.
const StoredCodes* codes_of(const TargetProfile& target, int64_t bits) {
  for (const StoredCodes& codes : target.stored_codes)
    if (8 * static_cast<int64_t>(size_of(codes.type)) / packed_per_byte(codes.type) == bits) return &codes;
  return nullptr;
}

std::string bits_of(const TargetProfile& target) {
  std::string text;
  for (const StoredCodes& codes : target.stored_codes)
    text += (text.empty() ? "" : ", ") + std::to_string(8 / packed_per_byte(codes.type));
  return text;
}

/// Bits of a code where no override says any.
int64_t bits_of(const QuantizationScheme& scheme) {
  return scheme.storage.bits != 0 ? scheme.storage.bits : scheme.weights.num_bits;
}

/// Codes that files have in bytes are taken out by operators of this opset.
constexpr StoredCodes kPacked = {DataType::kU8, 18};

std::string unpacking_targets() {
  std::string names;
  for (const TargetProfile* target : all_targets())
    if (target->unpacks_codes) names += (names.empty() ? "" : ", ") + std::string(target->name);
  return names;
}

[[noreturn]] void refuse(const TargetProfile& target, const std::string& what) {
  throw Error(ErrorKind::kInvalidArgument, std::string("target ") + target.name + what);
}

bool has_levels(const StorageType& type) {
  return type.grid == WeightGrid::kCodebook || !form_of(type.grid).levels(type.bits).levels.empty();
}

/// False for blocks of levels, which would be looked up alike, and of a scale that is given.
bool has_such_blocks(const StorageType& type) {
  return type.block == 0 || (!has_levels(type) && !type.scale);
}

/// The storage of weights of so many bits, of which a grid takes what it has a use for.
StorageType storage_of(const QuantizationScheme& scheme, const TargetProfile& target, int64_t bits) {
  const WeightStorage& storage = scheme.storage;
  StorageType type{.codes = kPacked, .bits = bits, .block = scheme.weight_block, .packed = true};
  type.grid = storage.grid == WeightGrid::kLinear && bits == 1 ? WeightGrid::kBinary : storage.grid;
  if (type.grid == WeightGrid::kCodebook) {
    type.group = storage.group;
    type.channel_scales = storage.channel_scales;
  } else {
    const WeightGridForm& form = form_of(type.grid);
    type.bits = std::clamp(bits, form.least_bits, form.most_bits);
    if (type.grid == WeightGrid::kFixed) type.scale = fixed_scale(type.bits, storage.before_point);
    const StoredCodes* codes = has_levels(type) ? nullptr : codes_of(target, type.bits);
    type.packed = codes == nullptr;
    if (codes != nullptr) type.codes = *codes;
  }
  return type;
}

/// The same. Errors: Error(kInvalidArgument) for what there is not, or the target does not read.
StorageType require_storage(const QuantizationScheme& scheme, const TargetProfile& target, int64_t bits) {
  const StorageType type = storage_of(scheme, target, bits);
  if (!has_such_blocks(type))
    throw Error(ErrorKind::kInvalidArgument,
                "weights of a " + name_of(type.grid) + " grid have no blocks; leave out --weight-block");
  if (!type.packed || target.unpacks_codes) return type;
  if (has_levels(type))
    refuse(target, " reads no codes of a " + name_of(type.grid) + "; choose one of " + unpacking_targets() +
                       ", or leave the option out");
  refuse(target, " stores weights in " + bits_of(target) + " bits, not in " + std::to_string(type.bits) +
                     "; give one of these to --weight-bits");
}

void check(const QuantizationScheme& scheme, const TargetProfile& target) {
  if (scheme.weights.dtype != DataType::kS8)
    throw Error(ErrorKind::kInvalidArgument, "mode weight-only stores s8; leave out --weight-type u8");
  if (!target.has_channel_weights())
    refuse(target,
           " has one scale for all weights of a layer, and mode weight-only one per channel or "
           "block; choose another mode, or another target");
  if (!scheme.per_channel_weights && scheme.storage.grid != WeightGrid::kCodebook)
    throw Error(ErrorKind::kInvalidArgument,
                "mode weight-only has a scale per channel or block; leave out --weights per-tensor");
  if (scheme.weight_block != 0 && target.block_opset == 0)
    refuse(target, " reads no blocks of weights; leave out --weight-block");
  const WeightGrid grid = scheme.storage.grid;
  if (grid != WeightGrid::kCodebook && bits_of(scheme) < form_of(grid).least_bits)
    throw Error(ErrorKind::kInvalidArgument, "a " + name_of(grid) + " grid has " +
                                                 std::to_string(form_of(grid).least_bits) +
                                                 " bits or more; give these to --weight-bits");
  require_storage(scheme, target, bits_of(scheme));
}

/// The override of one constant, which may set its bits or keep it in float.
const ValueOverride* override_of(const ModeRequest& request, ValueId weights) {
  const ValueOverride* specific = find_override(request.scheme, request.graph.value(weights).name);
  if (specific == nullptr) return nullptr;
  if (specific->min || specific->max || specific->amax || specific->scale_amax || specific->axis ||
      specific->is_unsigned || specific->narrow_range || specific->symmetric || specific->per_channel)
    throw Error(ErrorKind::kInvalidArgument,
                "override of '" + request.graph.value(weights).name +
                    "': weights that mode weight-only stores take 'num_bits' and 'enabled' alone");
  return specific;
}

/// The operators that MatMulNBits computes, with a bias where they have one.
constexpr std::string_view kProducts[] = {"Gemm", "MatMul"};
/// The operator that GatherBlockQuantized computes.
constexpr std::string_view kTableReader = "Gather";

/// True where ONNX Runtime has an operator that reads the codes: blocks that are a power of two from 16 on, along the
/// rows of one matrix, or of a table of 4 bits.
bool reads_blocks(const ModeRequest& request, const Node& node, const StoredWeights& stored) {
  const int64_t block = stored.block;
  if (!request.target.multiplies_blocks || stored.width != 0 || block < 16 || (block & (block - 1)) != 0)
    return false;
  if (node.op_type == kTableReader) return stored.dtype == DataType::kS4 && stored.codes.shape().size() == 2;
  std::optional<WeightLayout> layout;
  return stored.input == 1 &&
         std::find(std::begin(kProducts), std::end(kProducts), node.op_type) != std::end(kProducts) &&
         !layer_reason(request.graph, node, layout);
}

/// Codes packed from the lowest bits on, column by column, each filled up to whole blocks.
Tensor packed_columns(const Tensor& codes, const StoredWeights& stored, bool by_row) {
  const int64_t bits = stored.bits(), extent = codes.shape()[static_cast<size_t>(stored.axis)];
  const int64_t columns = codes.size() / extent, blocks = (extent + stored.block - 1) / stored.block;
  const int64_t bytes = stored.block * bits / 8, zero = int64_t{1} << (bits - 1);
  Tensor packed(DataType::kU8, {columns, blocks, bytes});
  auto* to = packed.mutable_data<uint8_t>();
  const int8_t* from = codes.data<int8_t>();
  for (int64_t column = 0; column < columns; ++column)
    for (int64_t i = 0; i < blocks * stored.block; ++i) {
      const int64_t place = by_row ? column * extent + i : i * columns + column;
      const int64_t code = (i < extent ? from[place] : 0) + zero, bit = i * bits;
      to[column * blocks * bytes + bit / 8] |= static_cast<uint8_t>(code << (bit % 8));
    }
  return packed;
}

/// The scales as MatMulNBits has them: block after block, column by column.
Tensor scales_by_column(const Tensor& scales, bool by_row) {
  Tensor result(DataType::kF32, {scales.size()});
  const int64_t columns = scales.shape()[by_row ? 0 : 1], blocks = scales.size() / columns;
  for (int64_t column = 0; column < columns; ++column)
    for (int64_t b = 0; b < blocks; ++b)
      result.mutable_data<float>()[column * blocks + b] =
          scales.data<float>()[by_row ? column * blocks + b : b * columns + column];
  return result;
}

void write_product(NodeWriter& writer, const Node& node, const StoredWeights& stored) {
  const bool by_row = stored.axis == 1;
  const Shape& shape = stored.codes.shape();
  const std::string name = writer.name_of(node.inputs[1]);
  Node product;
  product.op_type = "MatMulNBits";
  product.domain = kMicrosoftDomain;
  product.name = node.name;
  product.attributes = {{"K", shape[by_row ? 1 : 0]},
                        {"N", shape[by_row ? 0 : 1]},
                        {"bits", stored.bits()},
                        {"block_size", stored.block}};
  product.inputs = {node.inputs[0],
                    writer.constant(name + "_packed", packed_columns(stored.codes, stored, by_row)),
                    writer.constant(name + "_scale", scales_by_column(stored.scales, by_row))};
  if (node.input(2) != kNoValue)
    product.inputs.insert(product.inputs.end(),
                          {kNoValue, kNoValue, writer.row(node.inputs[2], shape[by_row ? 0 : 1])});
  product.outputs = node.outputs;
  writer.push(std::move(product));
}

void write_table(NodeWriter& writer, const Node& node, const StoredWeights& stored) {
  const std::string name = writer.name_of(node.inputs[0]);
  Node table = node;
  table.op_type = "GatherBlockQuantized";
  table.domain = kMicrosoftDomain;
  table.attributes = {{"gather_axis", 1 - stored.axis},
                      {"quantize_axis", stored.axis},
                      {"block_size", stored.block},
                      {"bits", stored.bits()}};
  table.inputs = {writer.coded(name, stored), node.inputs[1],
                  writer.constant(name + "_scale", stored.scales)};
  writer.push(std::move(table));
}

std::string text_of_storage(const std::vector<StoredWeights>& stored) {
  const StoredWeights& first = stored.front();
  const std::string bits = std::to_string(first.bits()) + (first.bits() == 1 ? " bit" : " bits");
  if (first.grid == WeightGrid::kCodebook)
    return bits + " of " + (first.levels.shape()[0] == 1 ? "one codebook" : "codebooks") +
           (first.scales ? " with scales by channel" : "");
  return bits + (first.grid == WeightGrid::kLinear ? "" : " (" + name_of(first.grid) + ")") +
         (first.block != 0               ? " in blocks of " + std::to_string(first.block)
          : first.scales.shape().empty() ? ""
                                         : " by channel");
}

/// Bytes of a DequantizeLinear, as files have it.
constexpr uint64_t kDequantizeBytes = 200;

/// The weights as the scheme says, but plain bytes where the table of a codebook takes more than it saves.
StoredWeights stored_weights(const ModeRequest& request, const Tensor& weights, const WeightOperand& operand,
                             int64_t bits) {
  StoredWeights stored =
      store_weights(weights, operand, require_storage(request.scheme, request.target, bits));
  const StoredCodes* bytes = codes_of(request.target, 8);
  if (stored.grid != WeightGrid::kCodebook || bytes == nullptr) return stored;
  StoredWeights plain = store_weights(weights, operand, {.codes = *bytes});
  return stored.bytes() + kLookUpBytes < plain.bytes() + kDequantizeBytes ? std::move(stored)
                                                                          : std::move(plain);
}

void plan_bias(const ModeRequest& request, const Node& node, StoredWeights& stored) {
  std::optional<WeightLayout> layout;
  if (quantization_of(request.graph, node) == QuantizationRule::kWeighted && stored.input == 1 &&
      !layer_reason(request.graph, node, layout))
    plan_shift(request, node, *layout, stored);
}

void plan(const ModeRequest& request, const Node& node, PlannedNode& planned) {
  const auto operands = weight_operands(request.graph, node);
  planned.reason = text_of(operands.empty() ? Cause::kNothingToStore : Cause::kWeightsDisabled);
  for (const WeightOperand& operand : operands) {
    const ValueOverride* specific = override_of(request, node.inputs[operand.input]);
    if (specific != nullptr && specific->enabled && !*specific->enabled) continue;
    const int64_t bits =
        specific != nullptr && specific->num_bits ? *specific->num_bits : bits_of(request.scheme);
    const Tensor& weights = *request.graph.constant(node.inputs[operand.input]);
    StoredWeights stored = stored_weights(request, weights, operand, bits);
    if (stored.bytes() >= weights.byte_size()) {
      planned.reason = text_of(Cause::kNotSmaller);
      continue;
    }
    stored.as_product = reads_blocks(request, node, stored);
    plan_bias(request, node, stored);
    planned.stored.push_back(std::move(stored));
  }
  if (!planned.stored.empty()) planned.reason = text_of(Cause::kStored, {text_of_storage(planned.stored)});
}

void write(NodeWriter& writer, const Node& node, const PlannedNode& planned) {
  Node written = writer.corrected(node, planned.stored.front());
  const StoredWeights& first = planned.stored.front();
  if (first.as_product)
    return node.op_type == kTableReader ? write_table(writer, written, first)
                                        : write_product(writer, written, first);
  for (const StoredWeights& stored : planned.stored)
    written.inputs[stored.input] = writer.reals_of(node.inputs[stored.input], stored);
  writer.push(std::move(written));
}

/// DequantizeLinear reads blocks and codes of 4 bits from this opset on; insert_qdq raises it further for 2 bits.
int64_t opset(const QuantizationScheme& scheme) {
  constexpr int64_t kBlocksAndHalfBytes = 21;
  const WeightGrid grid = scheme.storage.grid;
  const int64_t most = grid == WeightGrid::kCodebook ? 8 : form_of(grid).most_bits;
  const bool narrow = (grid != WeightGrid::kCodebook && std::min(bits_of(scheme), most) < 8) ||
                      scheme.weight_block != 0 || asks_for_few_bits(scheme);
  return narrow ? kBlocksAndHalfBytes : grid == WeightGrid::kCodebook ? kPacked.opset : 0;
}

bool takes(const ModeRequest& request, const Node& node) {
  return !weight_operands(request.graph, node).empty();
}

}  // namespace

bool stores_bits(const QuantizationScheme& scheme, const TargetProfile& target, int64_t bits) {
  const StorageType type = storage_of(scheme, target, bits);
  return has_such_blocks(type) && (target.unpacks_codes || !type.packed);
}

const Mode kWeightOnlyMode{.name = "weight-only",
                           .description = "weights as integers, computed on in float",
                           .takes_bits = true,
                           .takes_storage = true,
                           .opset = opset,
                           .check = check,
                           .plan = plan,
                           .write = write,
                           .takes = takes};

}  // namespace quantize
