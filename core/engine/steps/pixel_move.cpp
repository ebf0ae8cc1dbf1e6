// Concat, QLinearConcat, Split and DepthToSpace, which only move pixels. Inputs of the output's scale are written in
// place by whoever computes them; the others are copied, code by code through a table where the scales differ.
#include "core/engine/steps/pixel_move.h"

#include <cstring>

#include "core/engine/steps/pixel_steps.h"
#include "core/integer/integer_formulas.h"
#include "core/integer/quantized_operand.h"
#include "core/ops/support/operands.h"
#include "core/quant_params.h"

namespace quantize {

namespace {

bool is_along_channels(const Node& node) {
  const int64_t axis = node.int_attribute("axis", 0);
  return axis == 1 || axis == -3;
}

/// One image among the inputs of a concatenation and where it stands among the output's channels.
struct Piece {
  size_t input;
  Storage x;
  size_t offset;
  std::shared_ptr<const std::vector<uint8_t>> table;  // nothing: codes stay
};

/// Copies the pieces that are not where they belong already.
StepFunction copy_pieces(CompileContext& context, std::vector<Piece> pieces) {
  const Storage y = context.storage_of(context.node.outputs[0]);
  std::erase_if(pieces, [&](const Piece& piece) {
    return piece.x.root == y.root && piece.x.offset == y.offset + piece.offset;
  });
  const size_t chunks =
      pieces.empty()
          ? 1
          : context.cut(kFineChunks, static_cast<double>(y.rows() * y.width * y.channels) / 8, y.rows());
  context.chunks = chunks;
  return [y, chunks, pieces = std::move(pieces)](const StepContext& run) {
    const UnitRange rows = units_of(run, y.rows(), chunks);
    auto* y_data = static_cast<uint8_t*>(run.outputs[0].data);
    for (const Piece& piece : pieces) {
      const auto* x_data = static_cast<const uint8_t*>(run.inputs[piece.input].data);
      if (piece.table) {
        look_up_rows(run.kernels, {x_data, piece.x}, {y_data + piece.offset, y}, piece.table->data(), rows);
        continue;
      }
      for_each_run(rows, piece.x, false, [&](const PixelRun& at) {
        std::memcpy(y_data + piece.offset + at.at(y), x_data + at.at(piece.x), at.bytes);
      });
    }
    if (!pieces.empty()) fill_border(y, y_data, rows.begin, rows.end);
  };
}

/// DepthToSpace: the channels of an input pixel are those of the pixels of a block, one after the other.
struct SpreadPixels {
  void run(const StepContext& context) const;

  Storage x, y;
  int64_t block;
  size_t chunks;  // of the input's rows
};

void SpreadPixels::run(const StepContext& context) const {
  const UnitRange rows = units_of(context, x.rows(), chunks);
  const auto bytes = static_cast<size_t>(y.channels);
  auto* y_data = static_cast<uint8_t*>(context.outputs[0].data);
  for (int64_t r = rows.begin; r < rows.end; ++r)
    for (int64_t i = 0; i < block; ++i) {
      const uint8_t* from = static_cast<const uint8_t*>(context.inputs[0].data) + x.row_offset(r) +
                            static_cast<size_t>(i * block) * bytes;
      uint8_t* to = y_data + y.row_offset(r * block + i);
      for (int64_t p = 0; p < x.width; ++p, from += x.pixel_stride)
        for (int64_t j = 0; j < block; ++j, to += y.pixel_stride)
          std::memcpy(to, from + static_cast<size_t>(j) * bytes, bytes);
    }
  fill_border(y, y_data, rows.begin * block, rows.end * block);
}

/// Row-major tensors: runs of bytes of each input in turns.
struct RowPiece {
  size_t input, bytes;  // of one run
  std::vector<uint8_t> table;
};

constexpr size_t kFirstTriple = 2;  // of QLinearConcat's inputs: after the output's scale and zero point

bool same_params(const Graph& graph, const Node& node, size_t a, size_t b) {
  const ScalarParams x = scalar_params(graph, node, a), y = scalar_params(graph, node, b);
  return x.scale == y.scale && x.zero_point == y.zero_point;
}

/// Concatenation of row-major u8 tensors along any axis.
StepFunction compile_concat_rows(CompileContext& context) {
  const Graph& graph = context.graph;
  const Node& node = context.node;
  const Shape& y = context.output_shape();
  if (!is_plain_u8(graph, node)) return nullptr;
  const auto axis = static_cast<size_t>(normalize_axis(node.int_attribute("axis", 0), y.size()));
  const auto outer = static_cast<size_t>(extent_product(y, 0, axis));
  std::vector<RowPiece> pieces;
  for (size_t i = kFirstTriple; i < node.inputs.size(); i += 3) {
    const Value& x = graph.value(node.inputs[i]);
    pieces.push_back({i, static_cast<size_t>(extent_product(*x.shape, axis, x.shape->size())), {}});
    if (!same_params(graph, node, i + 1, 0))
      pieces.back().table =
          requantize_table(scalar_params(graph, node, i + 1), scalar_params(graph, node, 0));
  }
  const auto pitch = static_cast<size_t>(extent_product(y, axis, y.size()));
  return [pieces = std::move(pieces), outer, pitch](const StepContext& run) {
    auto* to = static_cast<uint8_t*>(run.outputs[0].data);
    for (const RowPiece& piece : pieces) {
      const auto* from = static_cast<const uint8_t*>(run.inputs[piece.input].data);
      if (!piece.table.empty())
        run.kernels.table_u8({from, to, outer, piece.bytes, piece.bytes, pitch, piece.table.data()});
      else
        for (size_t o = 0; o < outer && piece.bytes != 0; ++o)
          std::memcpy(to + o * pitch, from + o * piece.bytes, piece.bytes);
      to += piece.bytes;
    }
  };
}

bool takes_pixel_depth_to_space(const Graph& graph, const Node& node) {
  return is_u8_image(graph, node.inputs[0]) && is_u8_image(graph, node.outputs[0]) &&
         node.string_attribute("mode", "DCR") == "DCR";
}

StepFunction compile_pixel_depth_to_space(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return nullptr;
  SpreadPixels spread{context.storage_of(context.node.inputs[0]), context.storage_of(context.node.outputs[0]),
                      context.node.int_attribute("blocksize", 1), 1};
  const Storage& x = spread.x;
  spread.chunks = context.chunks =
      context.cut(kFineChunks, static_cast<double>(x.rows() * x.width * x.channels) / 8, x.rows());
  return [spread](const StepContext& run) { spread.run(run); };
}

bool takes_pixel_concat(const Graph& graph, const Node& node) {
  return is_along_channels(node) && is_u8_image(graph, node.outputs[0]) &&
         std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](ValueId id) { return is_u8_image(graph, id); });
}

bool joins_concat(const Graph&, const Node&, size_t) {
  return true;
}

bool takes_pixel_qlinear_concat(const Graph& graph, const Node& node) {
  const auto operands = slots_of(node).operands;
  return is_along_channels(node) && is_plain_u8(graph, node) && is_u8_image(graph, node.outputs[0]) &&
         std::all_of(operands.begin(), operands.end(), [&](const CodeOperand& operand) {
           return is_u8_image(graph, node.inputs[operand.codes]);
         });
}

bool joins_qlinear_concat(const Graph& graph, const Node& node, size_t input) {
  return input >= kFirstTriple && (input - kFirstTriple) % 3 == 0 && same_params(graph, node, input + 1, 0);
}

StepFunction compile_concat(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return nullptr;
  std::vector<Piece> pieces;
  size_t offset = 0;
  for (size_t i = 0; i < context.node.inputs.size(); ++i) {
    pieces.push_back({i, context.storage_of(context.node.inputs[i]), offset, nullptr});
    offset += static_cast<size_t>(pieces.back().x.channels);
  }
  return copy_pieces(context, std::move(pieces));
}

StepFunction compile_qlinear_concat(CompileContext& context) {
  if (!context.is_pixels(context.node.outputs[0])) return compile_concat_rows(context);
  const ScalarParams y = scalar_params(context.graph, context.node, 0);
  std::vector<Piece> pieces;
  size_t offset = 0;
  for (size_t i = kFirstTriple; i < context.node.inputs.size(); i += 3) {
    pieces.push_back({i, context.storage_of(context.node.inputs[i]), offset, nullptr});
    offset += static_cast<size_t>(pieces.back().x.channels);
    if (!same_params(context.graph, context.node, i + 1, 0))
      pieces.back().table = std::make_shared<const std::vector<uint8_t>>(
          requantize_table(scalar_params(context.graph, context.node, i + 1), y));
  }
  return copy_pieces(context, std::move(pieces));
}

bool takes_pixel_split(const Graph& graph, const Node& node) {
  return is_along_channels(node) && is_u8_image(graph, node.inputs[0]) &&
         std::all_of(node.outputs.begin(), node.outputs.end(),
                     [&](ValueId id) { return is_u8_image(graph, id); });
}

StepFunction compile_split(CompileContext& context) {
  if (!context.is_pixels(context.node.inputs[0])) return nullptr;
  return [](const StepContext&) {};  // the outputs are where they belong
}

}  // namespace

StepFunction gather_pixels(CompileContext& context, std::vector<int64_t> rows, std::vector<int64_t> columns) {
  const Storage x = context.storage_of(context.node.inputs[0]),
                y = context.storage_of(context.node.outputs[0]);
  const size_t chunks =
      context.cut(kFineChunks, static_cast<double>(y.rows() * y.width * y.channels) / 8, y.rows());
  context.chunks = chunks;
  return [x, y, chunks, rows = std::move(rows), columns = std::move(columns)](const StepContext& run) {
    const UnitRange range = units_of(run, y.rows(), chunks);
    auto* y_data = static_cast<uint8_t*>(run.outputs[0].data);
    for (int64_t r = range.begin; r < range.end; ++r) {
      const uint8_t* from = static_cast<const uint8_t*>(run.inputs[0].data) +
                            x.row_offset(r / y.height * x.height + rows[static_cast<size_t>(r % y.height)]);
      uint8_t* to = y_data + y.row_offset(r);
      for (int64_t column : columns) {
        std::memcpy(to, from + static_cast<size_t>(column) * x.pixel_stride, static_cast<size_t>(y.channels));
        to += y.pixel_stride;
      }
    }
    fill_border(y, y_data, range.begin, range.end);
  };
}

void add_pixel_move_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "Concat",
                   .domain = "",
                   .compile = compile_concat,
                   .pixels = {.takes = takes_pixel_concat, .joins = joins_concat}});
  forms.push_back({.op_type = "DepthToSpace",
                   .domain = "",
                   .compile = compile_pixel_depth_to_space,
                   .pixels = {.takes = takes_pixel_depth_to_space}});
  forms.push_back({.op_type = "QLinearConcat",
                   .domain = "com.microsoft",
                   .compile = compile_qlinear_concat,
                   .pixels = {.takes = takes_pixel_qlinear_concat, .joins = joins_qlinear_concat}});
  forms.push_back({.op_type = "Split",
                   .domain = "",
                   .compile = compile_split,
                   .pixels = {.takes = takes_pixel_split, .splits = true}});
}

}  // namespace quantize
