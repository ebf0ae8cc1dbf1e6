// DFT: the discrete Fourier transform along an axis, and back. STFT: that of windows of a signal.
#include <algorithm>
#include <bit>
#include <cmath>
#include <complex>
#include <span>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

using Complex = std::complex<double>;
using Line = std::vector<Complex>;

constexpr double kPi = 3.14159265358979323846;
constexpr int64_t kLongest = int64_t{1} << 20;
constexpr size_t kShort = 32;  // odd lengths that the formula itself transforms

void transform(const Complex* x, size_t stride, std::span<Complex> y, double sign);

/// Of any length, as a convolution with e^(pi i k^2 / N), whose length is a power of two. Source: Bluestein (1970).
void transform_by_chirp(const Complex* x, size_t stride, std::span<Complex> y, double sign) {
  const size_t n = y.size(), length = std::bit_ceil(2 * n - 1);
  const auto chirp = [&](size_t k) {
    return std::polar(1.0, sign * kPi * static_cast<double>(k * k % (2 * n)) / static_cast<double>(n));
  };
  Line terms(length), a(length), b(length);
  for (size_t k = 0; k < n; ++k) terms[k] = x[k * stride] * chirp(k);
  transform(terms.data(), 1, a, -1);
  std::fill(terms.begin(), terms.end(), Complex());
  for (size_t k = 0; k < n; ++k) terms[k] = terms[(length - k) % length] = std::conj(chirp(k));
  transform(terms.data(), 1, b, -1);
  for (size_t k = 0; k < length; ++k) a[k] *= b[k];
  transform(a.data(), 1, b, 1);
  for (size_t k = 0; k < n; ++k) y[k] = b[k] * chirp(k) / static_cast<double>(length);
}

/// y[k] = sum of x[stride n] * e^(sign * 2 pi i k n / N), N the length of y: halves as long as N is even.
/// N is at least 1; x and y do not overlap.
void transform(const Complex* x, size_t stride, std::span<Complex> y, double sign) {
  const size_t n = y.size();
  const auto turn = [&](size_t k) {
    return std::polar(1.0, sign * 2 * kPi * static_cast<double>(k) / static_cast<double>(n));
  };
  if (n == 1) {
    y[0] = x[0];
  } else if (n % 2 == 0) {
    const std::span<Complex> even = y.first(n / 2), odd = y.last(n / 2);
    transform(x, 2 * stride, even, sign);
    transform(x + stride, 2 * stride, odd, sign);
    for (size_t k = 0; k < n / 2; ++k) {
      const Complex turned = odd[k] * turn(k);
      odd[k] = even[k] - turned;
      even[k] += turned;
    }
  } else if (n > kShort) {
    transform_by_chirp(x, stride, y, sign);
  } else {
    std::fill(y.begin(), y.end(), Complex());
    for (size_t k = 0; k < n; ++k)
      for (size_t i = 0; i < n; ++i) y[k] += x[i * stride] * turn(k * i % n);
  }
}

Line transformed(const Line& x, double sign) {
  Line y(x.size());
  transform(x.data(), 1, y, sign);
  return y;
}

/// How a DFT reads and writes one line.
struct Options {
  bool inverse, onesided;

  bool makes_reals() const { return inverse && onesided; }
  int64_t default_length(int64_t extent) const { return makes_reals() ? 2 * (extent - 1) : extent; }
  int64_t outputs(int64_t length) const { return onesided && !inverse ? length / 2 + 1 : length; }
};

Options options_of(const Node& node) {
  return {node.int_attribute("inverse", 0) != 0, node.int_attribute("onesided", 0) != 0};
}

int64_t checked_length(int64_t length) {
  require(length >= 1 && length <= kLongest, "a transform of length " + std::to_string(length) +
                                                 " is outside [1, " + std::to_string(kLongest) + "]");
  return length;
}

/// The axis of the signal, as far as it is known: an attribute up to opset 19, an input after. The last axis holds
/// real and imaginary parts.
size_t signal_axis(int64_t axis, size_t rank) {
  const auto normal = static_cast<size_t>(normalize_axis(axis, rank));
  require(rank >= 2 && normal + 1 < rank, "the axis of a DFT is that of real and imaginary parts");
  return normal;
}

void infer(InferContext& context) {
  require_type(context, 0, kFloatTypes);
  for (size_t i = 1; i < 3; ++i) require_type(context, i, kIndexTypes);
  const Options options = options_of(context.node);
  auto y = context.shape(0);
  if (y) {
    require(!y->empty() && (compatible(y->back(), 1) || compatible(y->back(), 2)),
            "an input of shape " + to_string(*y) + " has no real and imaginary parts");
    const auto length = only_integer(context, 1), given = only_integer(context, 2);
    const bool has_axis = context.opset < 20 || !context.has_input(2) || given;
    if (!has_axis) {
      y = Shape(y->size(), kUnknownDim);
    } else {
      const int64_t axis = context.opset < 20 ? context.node.int_attribute("axis", 1) : given.value_or(-2);
      int64_t& extent = (*y)[signal_axis(axis, y->size())];
      if (context.has_input(1))
        extent = length ? options.outputs(checked_length(*length)) : kUnknownDim;
      else if (extent != kUnknownDim)
        extent = options.outputs(checked_length(options.default_length(extent)));
    }
    y->back() = options.makes_reals() ? 1 : 2;
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

/// One line as the transform takes it: cut off or followed by zeros; for reals the conjugates of the first half behind it.
Line completed(Line line, const Options& options, size_t length) {
  if (!options.makes_reals()) {
    line.resize(length);
    return line;
  }
  line.resize(length / 2 + 1);
  line[0] = line[0].real();
  line.resize(length);
  if (length % 2 == 0) line[length / 2] = line[length / 2].real();
  for (size_t k = 1; k <= (length - 1) / 2; ++k) line[length - k] = std::conj(line[k]);
  return line;
}

template <typename T>
void transform_lines(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const MutableTensorView& y = context.outputs[0];
  const Options options = options_of(context.node);
  const int64_t given = context.opset < 20 ? context.node.int_attribute("axis", 1)
                        : context.input(2) ? only_integer(context.inputs[2])
                                           : -2;
  const size_t axis = signal_axis(given, x.shape.size());
  const int64_t in = x.shape[axis], out = y.shape[axis], parts = x.shape.back(), made = y.shape.back();
  const int64_t length =
      checked_length(context.input(1) ? only_integer(context.inputs[1]) : options.default_length(in));
  const int64_t inner = extent_product(x.shape, axis + 1, x.shape.size() - 1),
                outer = extent_product(x.shape, 0, axis);
  for (int64_t column = 0; column < outer * inner; ++column) {
    const auto place = [&](int64_t extent, int64_t i) {
      return (column / inner * extent + i) * inner + column % inner;
    };
    Line line;
    for (int64_t i = 0; i < in; ++i) {
      const T* from = x.as<T>() + place(in, i) * parts;
      line.emplace_back(from[0], parts == 2 ? from[1] : T(0));
    }
    line = transformed(completed(std::move(line), options, static_cast<size_t>(length)),
                       options.inverse ? 1 : -1);
    const double scale = options.inverse ? 1 / static_cast<double>(length) : 1;
    for (int64_t i = 0; i < out; ++i) {
      T* to = y.as<T>() + place(out, i) * made;
      to[0] = static_cast<T>(line[static_cast<size_t>(i)].real() * scale);
      if (made == 2) to[1] = static_cast<T>(line[static_cast<size_t>(i)].imag() * scale);
    }
  }
}

void evaluate(const EvaluateContext& context) {
  visit_float(context.inputs[0].dtype, [&]<typename T>() { transform_lines<T>(context); });
}

/// Inputs of STFT by position. signal [batch, length, 1 or 2].
enum Input : size_t { kSignal, kStep, kWindow, kFrame };

/// Frames of `length` elements, `step` apart.
struct Frames {
  int64_t step, length, count;
};

Frames frames_of(int64_t signal, int64_t step, int64_t length) {
  require(step >= 1, "the step of STFT is " + std::to_string(step));
  require(checked_length(length) <= signal, "a frame of STFT is longer than the signal");
  return {step, length, (signal - length) / step + 1};
}

void infer_short(InferContext& context) {
  require_type(context, kSignal, kFloatTypes);
  require_type(context, kStep, kIndexTypes);
  require_same_type(context, kSignal, kWindow);
  require_type(context, kFrame, kIndexTypes);
  const auto x = context.shape(kSignal), window = context.shape(kWindow);
  const auto step = only_integer(context, kStep), frame = only_integer(context, kFrame);
  require(!x || x->size() == 3, "the signal of STFT has not three axes");
  require_vector(context, kWindow, frame.value_or(kUnknownDim));
  std::optional<int64_t> length = frame;
  if (!context.has_input(kFrame) && context.has_input(kWindow))
    length = window ? std::optional(window->at(0)) : std::nullopt;
  else if (!context.has_input(kFrame) && x)
    length = (*x)[1];
  Shape y{x ? (*x)[0] : kUnknownDim, kUnknownDim, kUnknownDim, 2};
  if (length && *length != kUnknownDim && step && x && (*x)[1] != kUnknownDim) {
    const Frames frames = frames_of((*x)[1], *step, *length);
    y[1] = frames.count;
    y[2] = context.node.int_attribute("onesided", 1) != 0 ? frames.length / 2 + 1 : frames.length;
  }
  context.set_output(0, context.input(kSignal).dtype, y);
}

template <typename T>
void transform_frames(const EvaluateContext& context) {
  const TensorView& x = context.inputs[kSignal];
  const MutableTensorView& y = context.outputs[0];
  const TensorView window = context.input(kWindow), frame = context.input(kFrame);
  const int64_t length = frame ? only_integer(frame) : window ? window.size() : x.shape[1];
  const Frames frames = frames_of(x.shape[1], only_integer(context.inputs[kStep]), length);
  const int64_t parts = x.shape[2];
  T* to = y.as<T>();
  for (int64_t b = 0; b < x.shape[0]; ++b)
    for (int64_t f = 0; f < frames.count; ++f) {
      Line line;
      for (int64_t i = 0; i < frames.length; ++i) {
        const T* from = x.as<T>() + (b * x.shape[1] + f * frames.step + i) * parts;
        const T weight = window ? window.as<T>()[i] : T(1);
        line.emplace_back(from[0] * weight, parts == 2 ? from[1] * weight : T(0));
      }
      line = transformed(line, -1);
      for (int64_t i = 0; i < y.shape[2]; ++i) {
        *to++ = static_cast<T>(line[static_cast<size_t>(i)].real());
        *to++ = static_cast<T>(line[static_cast<size_t>(i)].imag());
      }
    }
}

void evaluate_short(const EvaluateContext& context) {
  visit_float(context.inputs[kSignal].dtype, [&]<typename T>() { transform_frames<T>(context); });
}

}  // namespace

void add_dft(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "DFT",
                 .domain = "",
                 .min_opset = 17,
                 .max_opset = kNewestOpset,
                 .max_inputs = 3,
                 .infer = infer,
                 .evaluate = evaluate});
  ops.push_back({.op_type = "STFT",
                 .domain = "",
                 .min_opset = 17,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 4,
                 .infer = infer_short,
                 .evaluate = evaluate_short});
}

}  // namespace quantize
