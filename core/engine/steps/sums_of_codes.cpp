// The fast forms of ConvInteger and MatMulInteger: products of codes whose sums of s32 are the result.
//
//   sum over k of (a - a_zero) * (b - b_zero)  =  sum over k of a * w  -  a_zero * (sum over k of w),   w = b - b_zero
//
// The kernels return reals, which hold sums below 2^24 exactly: longer ones are added up in parts. Read CodeMatrix first.
#include <algorithm>
#include <cstring>
#include <memory>

#include "core/engine/steps/pixel_steps.h"
#include "core/ops/conv.h"

namespace quantize {

namespace {

enum : size_t { kA = 0, kB = 1, kAZero = 2, kBZero = 3 };

/// Numbers of s32 that lie [row][column], each at its stride.
struct Sums {
  int32_t* data;
  size_t row_stride, column_stride;
  int32_t& at(size_t row, size_t column) const { return data[row * row_stride + column * column_stride]; }
};

/// A constant matrix, packed for conv_u8s8.
class CodeMatrix {
 public:
  /// Shapes: weights [columns][depth], b - b_zero.
  CodeMatrix(const KernelTable& kernels, const int8_t* weights, size_t columns, size_t depth)
      : columns_(columns), depth_(depth), totals_(columns, 0) {
    for (size_t i = 0; i < columns * depth; ++i) totals_[i / depth] += weights[i];
    size_t length = depth;
    while (!fits(weights, length)) length = (length + 1) / 2;
    for (size_t begin = 0; begin < depth; begin += length)
      parts_.push_back(pack(kernels, weights, begin, std::min(length, depth - begin)));
  }

  size_t columns() const { return columns_; }

  /// The sums of some rows. Requires: up to 63 bytes behind the rows may be read; `reals` has room for [rows][columns].
  void multiply(const KernelTable& kernels, const uint8_t* rows, size_t count, int32_t zero_point,
                float* reals, const Sums& y) const {
    const int32_t tap_offset = 0;
    ConvU8S8 call;
    call.tap_offsets = &tap_offset;
    call.x_pixel_stride = depth_;
    call.y_pixel_stride = columns_;
    call.rows = 1;
    call.width = count;
    call.channel_end = columns_;
    call.real = reals;
    for (const Part& part : parts_) {
      call.packed = part.packed.bytes();
      call.x = rows + part.begin;
      kernels.conv_u8s8(call);
      add(reals, count, part.begin == 0 ? zero_point : 0, part.begin == 0, y);
    }
  }

 private:
  struct Part {
    size_t begin;
    Tensor packed;
  };

  /// True if no part of so many weights of a column makes a sum that f32 cannot hold.
  bool fits(const int8_t* weights, size_t length) const {
    constexpr int64_t kMost = (int64_t{1} << 24) / 255;
    int64_t positive = 0, negative = 0;
    for (size_t i = 0; i < columns_ * depth_; ++i) {
      if (i % depth_ % length == 0) positive = negative = 0;
      (weights[i] < 0 ? negative : positive) += weights[i];
      if (positive > kMost || negative < -kMost) return false;
    }
    return true;
  }

  Part pack(const KernelTable& kernels, const int8_t* weights, size_t begin, size_t length) const {
    std::vector<int8_t> codes(columns_ * length);
    for (size_t c = 0; c < columns_; ++c)
      std::copy_n(weights + c * depth_ + begin, length, codes.data() + c * length);
    const std::vector<int32_t> none(columns_, 0);
    const std::vector<float> one(columns_, 1.0f);
    const std::vector<uint8_t> low(columns_, 0), high(columns_, 255);
    const ConvWeightsU8S8 source{
        columns_, 1, length, codes.data(), {none.data(), one.data(), none.data(), low.data(), high.data()}};
    Tensor packed(DataType::kU8, {static_cast<int64_t>(kernels.conv_u8s8_bytes(source))});
    kernels.conv_u8s8_pack(source, packed.mutable_bytes());
    return {begin, std::move(packed)};
  }

  /// Sums wrap, as those of the reference do.
  void add(const float* reals, size_t count, int32_t zero_point, bool is_first, const Sums& y) const {
    const auto add_one = [&](size_t r, size_t c) {
      const auto shift = static_cast<uint32_t>(zero_point) * static_cast<uint32_t>(totals_[c]);
      const auto sum = static_cast<uint32_t>(static_cast<int32_t>(reals[r * columns_ + c])) - shift;
      int32_t& to = y.at(r, c);
      to = static_cast<int32_t>(is_first ? sum : static_cast<uint32_t>(to) + sum);
    };
    if (y.column_stride == 1) {
      for (size_t r = 0; r < count; ++r)
        for (size_t c = 0; c < columns_; ++c) add_one(r, c);
    } else {
      for (size_t c = 0; c < columns_; ++c)
        for (size_t r = 0; r < count; ++r) add_one(r, c);
    }
  }

  size_t columns_, depth_;
  std::vector<int32_t> totals_;  // of the weights of a column
  std::vector<Part> parts_;
};

/// b - b_zero of each element, which has the zero point of its channel; nothing if s8 cannot hold one.
template <typename Channel>
std::optional<std::vector<int8_t>> centred_weights(const Tensor& b, const Tensor* zero, Channel channel_of) {
  const auto codes = b.to_vector<int32_t>(),
             zeros = zero == nullptr ? std::vector<int32_t>{0} : zero->to_vector<int32_t>();
  std::vector<int8_t> weights(codes.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    const int32_t weight = codes[i] - zeros[zeros.size() == 1 ? 0 : channel_of(i)];
    if (weight < -128 || weight > 127) return std::nullopt;
    weights[i] = static_cast<int8_t>(weight);
  }
  return weights;
}

/// True if B is a constant, and each zero point one number or a constant with `channels` of them.
bool has_known_weights(const CompileContext& context, int64_t channels) {
  const Node& node = context.node;
  const Tensor *b = context.constant(kB), *zero = context.constant(kBZero);
  const auto one_or = [&](size_t i, int64_t several) {
    const int64_t count = node.input(i) == kNoValue ? 1 : element_count(context.shape(i));
    return count == 1 || count == several;
  };
  return b != nullptr && b->size() != 0 && (node.input(kBZero) == kNoValue || zero != nullptr) &&
         one_or(kAZero, 1) && one_or(kBZero, channels);
}

/// The zero point of A as u8; codes of s8 are read as u8, 128 above.
int32_t zero_point_of(const StepContext& context) {
  const bool is_signed = context.inputs[kA].dtype == DataType::kS8;
  const TensorView zero = context.input(kAZero);
  if (!zero) return is_signed ? 128 : 0;
  return is_signed ? *zero.as<int8_t>() + 128 : *zero.as<uint8_t>();
}

void flip_signs(uint8_t* codes, size_t count) {
  for (size_t i = 0; i < count; ++i) codes[i] ^= 0x80;
}

constexpr size_t kOverread = 64;

constexpr size_t padded(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

struct MatMulStep {
  void run(const StepContext& context) const {
    auto* reals = reinterpret_cast<float*>(context.scratch.data());
    auto* copy = reinterpret_cast<uint8_t*>(context.scratch.data()) + reals_bytes();
    const auto* x = static_cast<const uint8_t*>(context.inputs[kA].data);
    const UnitRange range = units_of(context, blocks(), chunks);
    for (auto block = static_cast<size_t>(range.begin); block < static_cast<size_t>(range.end); ++block) {
      const size_t first = block * block_rows, count = std::min(block_rows, rows - first);
      const uint8_t* from = x + first * depth;
      if (is_signed) {
        std::memcpy(copy, from, count * depth);
        flip_signs(copy, count * depth);
        from = copy;
      }
      matrix.multiply(context.kernels, from, count, zero_point_of(context), reals,
                      {context.outputs[0].as<int32_t>() + first * matrix.columns(), matrix.columns(), 1});
    }
  }

  int64_t blocks() const { return static_cast<int64_t>((rows + block_rows - 1) / block_rows); }
  size_t reals_bytes() const { return padded(block_rows * matrix.columns() * sizeof(float)); }

  CodeMatrix matrix;
  size_t rows, depth, block_rows;
  bool is_signed;
  size_t chunks = 1;
};

StepFunction compile_matmul(CompileContext& context) {
  constexpr size_t kBlockNumbers = 16384;
  const Tensor* b = context.constant(kB);
  if (b == nullptr || b->shape().size() != 2 || context.constant(kA) != nullptr || context.shape(kA).empty())
    return nullptr;
  const auto depth = static_cast<size_t>(b->shape()[0]), columns = static_cast<size_t>(b->shape()[1]);
  if (!has_known_weights(context, b->shape()[1])) return nullptr;
  const auto given = centred_weights(*b, context.constant(kBZero), [&](size_t i) { return i % columns; });
  if (!given) return nullptr;
  std::vector<int8_t> weights(given->size());
  for (size_t i = 0; i < weights.size(); ++i) weights[i % columns * depth + i / columns] = (*given)[i];
  const size_t rows = static_cast<size_t>(element_count(context.shape(kA))) / depth;
  auto step = std::make_shared<MatMulStep>(
      MatMulStep{.matrix = CodeMatrix(context.kernels, weights.data(), columns, depth),
                 .rows = rows,
                 .depth = depth,
                 .block_rows = std::clamp<size_t>(kBlockNumbers / columns, 1, std::max<size_t>(rows, 1)),
                 .is_signed = context.graph.value(context.node.inputs[kA]).dtype == DataType::kS8});
  const auto numbers = static_cast<double>(rows * columns);
  step->chunks = context.chunks =
      context.cut(kCoarseChunks,
                  product_nanoseconds(context.kernels, static_cast<double>(columns * depth),
                                      static_cast<double>(rows), numbers) +
                      numbers,
                  step->blocks());
  context.scratch_bytes = step->reals_bytes() + (step->is_signed ? step->block_rows * depth + kOverread : 0);
  context.weights_packed = true;
  return [step](const StepContext& run) { step->run(run); };
}

/// A product of patches, a block of output positions at a time.
class ConvStep {
 public:
  ConvStep(const CompileContext& context, const std::vector<int8_t>& weights)
      : window_(conv_window(context.node, context.shape(kA), context.shape(kB))),
        images_(context.shape(kA)[0]),
        groups_(context.node.int_attribute("group", 1)),
        channels_(static_cast<size_t>(context.shape(kB)[1])),
        positions_(static_cast<size_t>(window_.out_size())),
        depth_(channels_ * static_cast<size_t>(window_.kernel_size())),
        is_signed_(context.graph.value(context.node.inputs[kA]).dtype == DataType::kS8) {
    constexpr size_t kBlockBytes = 131072, kFewest = 32, kMost = 512;
    block_ = std::min(std::clamp(kBlockBytes / depth_, kFewest, kMost), positions_);
    const size_t columns = static_cast<size_t>(context.shape(kB)[0] / groups_);
    for (int64_t g = 0; g < groups_; ++g)
      matrices_.emplace_back(context.kernels, weights.data() + static_cast<size_t>(g) * columns * depth_,
                             columns, depth_);
  }

  void split(CompileContext& context) {
    const auto patches = static_cast<double>(images_ * groups_) * static_cast<double>(positions_);
    const auto columns = static_cast<double>(matrices_[0].columns()), depth = static_cast<double>(depth_);
    const double gathering = patches * depth / 4;
    chunks_ = context.chunks = context.cut(
        kCoarseChunks,
        product_nanoseconds(context.kernels, columns * depth, patches, patches * columns) + gathering,
        units());
    context.scratch_bytes =
        gathered_bytes() + patch_bytes() + block_ * matrices_[0].columns() * sizeof(float);
  }

  void run(const StepContext& context) const {
    auto* gathered = reinterpret_cast<uint8_t*>(context.scratch.data());
    uint8_t* patches = gathered + gathered_bytes();
    auto* reals = reinterpret_cast<float*>(patches + patch_bytes());
    const int32_t zero_point = zero_point_of(context);
    const UnitRange range = units_of(context, units(), chunks_);
    for (int64_t unit = range.begin; unit < range.end; ++unit) {
      const auto block = static_cast<size_t>(unit % blocks());
      const int64_t part = unit / blocks(), group = part % groups_;  // part: a group of an image
      const size_t first = block * block_, count = std::min(block_, positions_ - first);
      const CodeMatrix& matrix = matrices_[static_cast<size_t>(group)];
      const auto* x = static_cast<const uint8_t*>(context.inputs[kA].data) +
                      static_cast<size_t>(part) * channels_ * static_cast<size_t>(window_.in_size());
      gather(x, first, count, static_cast<uint8_t>(is_signed_ ? zero_point ^ 0x80 : zero_point), gathered);
      if (is_signed_) flip_signs(gathered, depth_ * block_);
      context.kernels.transpose_u8(gathered, depth_, count, block_, patches, depth_);
      int32_t* y =
          context.outputs[0].as<int32_t>() + static_cast<size_t>(part) * matrix.columns() * positions_;
      matrix.multiply(context.kernels, patches, count, zero_point, reals, {y + first, 1, positions_});
    }
  }

 private:
  int64_t blocks() const { return static_cast<int64_t>((positions_ + block_ - 1) / block_); }
  int64_t units() const { return images_ * groups_ * blocks(); }
  size_t gathered_bytes() const { return padded(depth_ * block_); }
  size_t patch_bytes() const { return padded(depth_ * block_ + kOverread); }

  /// [depth][block]: what each weight meets at the positions [first, first + count); `outside` behind the borders.
  void gather(const uint8_t* x, size_t first, size_t count, uint8_t outside, uint8_t* to) const {
    const auto& [d, h, w] = window_.axes;
    for (size_t c = 0; c < channels_; ++c, x += window_.in_size())
      for (int64_t kd = 0; kd < d.kernel; ++kd)
        for (int64_t kh = 0; kh < h.kernel; ++kh)
          for (int64_t kw = 0; kw < w.kernel; ++kw, to += block_)
            gather_tap(x, {kd, kh, kw}, first, count, outside, to);
  }

  struct Tap {
    int64_t d, h, w;
  };
  void gather_tap(const uint8_t* x, const Tap& tap, size_t first, size_t count, uint8_t outside,
                  uint8_t* to) const;

  Window window_;
  int64_t images_, groups_;
  size_t channels_, positions_, depth_;
  bool is_signed_;
  size_t block_ = 0, chunks_ = 1;
  std::vector<CodeMatrix> matrices_;  // one per group
};

void ConvStep::gather_tap(const uint8_t* x, const Tap& tap, size_t first, size_t count, uint8_t outside,
                          uint8_t* to) const {
  const auto& [d, h, w] = window_.axes;
  const auto inside = w.outputs_of(tap.w);
  const auto end = static_cast<int64_t>(first + count);
  for (auto at = static_cast<int64_t>(first); at < end;) {
    const int64_t line = at / w.out, begin = at % w.out, stop = std::min(w.out, begin + end - at);
    const int64_t in_d = d.start(line / h.out) + tap.d * d.dilation,
                  in_h = h.start(line % h.out) + tap.h * h.dilation;
    const bool is_row = in_d >= 0 && in_d < d.in && in_h >= 0 && in_h < h.in;
    const int64_t low = is_row ? std::clamp(inside.first, begin, stop) : stop,
                  high = is_row ? std::clamp(inside.last, low, stop) : stop;
    const uint8_t* row = x + (in_d * h.in + in_h) * w.in + w.start(0) + tap.w * w.dilation;
    std::fill_n(to, low - begin, outside);
    if (w.stride == 1)
      std::copy_n(row + low, high - low, to + (low - begin));
    else
      for (int64_t o = low; o < high; ++o) to[o - begin] = row[o * w.stride];
    std::fill_n(to + (high - begin), stop - high, outside);
    to += stop - begin;
    at += stop - begin;
  }
}

StepFunction compile_conv(CompileContext& context) {
  const Tensor* w = context.constant(kB);
  if (w == nullptr || context.constant(kA) != nullptr || !has_known_weights(context, w->shape()[0]) ||
      element_count(context.output_shape()) == 0)
    return nullptr;
  const auto per_channel = static_cast<size_t>(w->size() / w->shape()[0]);
  const auto weights =
      centred_weights(*w, context.constant(kBZero), [&](size_t i) { return i / per_channel; });
  if (!weights) return nullptr;
  const auto step = std::make_shared<ConvStep>(context, *weights);
  step->split(context);
  context.weights_packed = true;
  return [step](const StepContext& run) { step->run(run); };
}

}  // namespace

void add_sums_of_codes_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "ConvInteger", .domain = "", .compile = compile_conv});
  forms.push_back({.op_type = "MatMulInteger", .domain = "", .compile = compile_matmul});
}

}  // namespace quantize
