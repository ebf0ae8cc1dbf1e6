"""Draws networks at random: a chain of pieces, each of them an operator (or a few) in one of its forms.

Read draw_genes() and grow(), at the end. A network is a function of its genes: a list of (piece, seed) pairs. Leaving out genes gives
a smaller network, which is how a failing one is shrunk.

To add a form: a function with @piece, which takes the network and the name of a value and returns the name of a new one; here or, for
what moves elements, in drawn_moves.py; since seeds are to keep what they draw, with drawing=2 as in drawn_more.py (operators that few
networks have) and drawn_bodies.py (bodies, local functions, shapes that depend on data, what exporters and optimizers write).
"""
import warnings

import numpy as np

import drawn_moves  # noqa: F401  (its pieces)
import drawn_more  # noqa: F401
import drawn_bodies  # noqa: F401
from drawn_network import PIECES, Misfit, Network, names_and_weights, needs, piece

# ---------------------------------------------------------------- layers with weights

def window(net, x, strides=(1, 1, 1, 2), dilated=True):
    """Attributes of a window over the spatial axes: kernel, strides, dilations, pads."""
    spatial = net.rank(x) - 2
    kernel = [net.number(1, min(3, n)) for n in net.shapes[x][2:]]
    attributes = {"kernel_shape": kernel}
    if net.chance(0.5):
        attributes["strides"] = [net.pick(*strides) for _ in range(spatial)]
    if dilated and net.chance(0.2):
        attributes["dilations"] = [net.number(1, 2) if (k - 1) * 2 < n else 1 for k, n in zip(kernel, net.shapes[x][2:])]
    if net.chance(0.15) and "dilations" not in attributes:
        attributes["auto_pad"] = net.pick("SAME_UPPER", "SAME_LOWER", "VALID")
    elif net.chance(0.6):
        attributes["pads"] = [net.number(0, max(k - 1, 0)) for k in kernel * 2]
    return attributes


@piece(8)
def conv(net, x):
    needs(net.rank(x) in (3, 4, 5))
    channels = net.shapes[x][1]
    group = net.pick(1, 1, 1, channels, *[g for g in (2, 4) if channels % g == 0])
    outputs = group * net.number(1, max(1, 12 // group))
    attributes = window(net, x)
    inputs = channels // group
    fan_in = inputs * int(np.prod(attributes["kernel_shape"]))
    weights = net.random.normal(scale=fan_in ** -0.5, size=(outputs, inputs, *attributes["kernel_shape"])).astype(np.float32)
    per_output = (outputs,) + (1,) * (weights.ndim - 1)
    if net.chance(0.1):  # channels of all sizes
        weights *= np.exp(net.random.normal(scale=1.5, size=per_output)).astype(np.float32)
    if net.chance(0.1):  # channels that were pruned
        weights *= (net.random.random(per_output) < 0.7).astype(np.float32)
    operands = [x, constant_or_made(net, weights)]
    if net.chance(0.7):
        operands.append(net.reals(outputs, scale=net.pick(0.3, 0.3, 0.3, 0, 5)))
    if group > 1:
        attributes["group"] = group
    return net.node("Conv", operands, **attributes)


def constant_or_made(net, weights):
    """The weights as a constant, sometimes as what nodes make of constants."""
    kind = net.pick("constant", "constant", "constant", "constant", "constant", "constant", "identity", "transpose", "product")
    if kind == "identity":
        return net.node("Identity", [net.constant(weights)], hidden=True)
    if kind == "transpose":
        return net.node("Transpose", [net.constant(weights.T.copy())], hidden=True)
    if kind == "product":
        return net.node("Mul", [net.constant(weights), net.constant(np.float32(0.75))], hidden=True)
    return net.constant(weights)


@piece(2)
def conv_transpose(net, x):
    needs(net.rank(x) in (3, 4, 5))
    channels, spatial = net.shapes[x][1], net.rank(x) - 2
    group = net.pick(1, 1, 1, channels, *[g for g in (2, 4) if channels % g == 0])
    kernel = [net.number(1, 3) for _ in range(spatial)]
    operands = [x, net.reals(channels, net.number(1, max(1, 8 // group)), *kernel, scale=(channels / group) ** -0.5)]
    outputs = net.constants[-1].dims[1] * group
    if net.chance(0.5):
        operands.append(net.reals(outputs, scale=0.3))
    attributes = {"kernel_shape": kernel, "strides": [net.number(1, 3) for _ in range(spatial)], "group": group}
    if net.chance(0.15):
        attributes["dilations"] = [net.number(1, 2) for _ in range(spatial)]
    if net.chance(0.15) and "dilations" not in attributes:
        attributes["auto_pad"] = net.pick("SAME_UPPER", "SAME_LOWER", "VALID")
    elif net.chance(0.2):
        attributes["output_shape"] = [n * s + net.number(0, 1) for n, s in zip(net.shapes[x][2:], attributes["strides"])]
    elif net.chance(0.4):
        attributes["pads"] = [net.number(0, k - 1) for k in kernel * 2]
    if net.chance(0.2) and "output_shape" not in attributes:
        attributes["output_padding"] = [net.number(0, s - 1) for s in attributes["strides"]]
    return net.node("ConvTranspose", operands, **attributes)


@piece(1)
def shared_layer(net, x):
    """One layer, or its bias, in two places."""
    needs(net.rank(x) in (3, 4, 5))
    channels, ones = net.shapes[x][1], (1,) * (net.rank(x) - 2)
    weights, bias = net.reals(channels, channels, *ones, scale=channels ** -0.5), net.reals(channels, scale=0.3)
    y = net.node("Conv", [x, weights, bias])
    y = net.node(net.pick("Relu", "Sigmoid", "Neg"), [y])
    other = net.reals(channels, channels, *ones, scale=channels ** -0.5)
    return net.node("Conv", [net.pick(y, x), net.pick(weights, other), net.pick(bias, net.reals(channels))])


@piece(3)
def linear(net, x):
    """MatMul by a constant, with the bias as an Add of every shape that broadcasts the same way."""
    needs(net.rank(x) in (2, 3, 4, 5))
    inputs, outputs = net.shapes[x][-1], net.number(2, 12)
    x = net.node("MatMul", [x, net.reals(inputs, outputs, scale=inputs ** -0.5)])
    if net.chance(0.3):
        return x
    shape = net.pick((outputs,), (1,) * (net.rank(x) - 1) + (outputs,), (), (1,), (1, outputs), net.shapes[x])
    bias = net.reals(*shape, scale=0.5)
    return net.node("Add", net.pick([x, bias], [bias, x]))


@piece(2)
def gemm(net, x):
    needs(net.rank(x) == 2)
    inputs, outputs = net.shapes[x][-1], net.number(2, 12)
    attributes = {}
    rows = net.shapes[x][0]
    if net.input_shape[0] == 1 and net.chance(0.1):
        attributes["transA"] = 1
        rows, inputs = inputs, rows
    if net.chance(0.5):
        attributes["transB"] = 1
    if net.chance(0.15):
        attributes["alpha"] = 0.5
    if net.chance(0.15):
        attributes["beta"] = 2.0
    weights = net.random.normal(scale=inputs ** -0.5, size=(inputs, outputs)).astype(np.float32)
    operands = [x, net.constant(weights.T.copy() if "transB" in attributes else weights)]
    if net.opset < 11 or net.chance(0.7):
        fixed = [(rows, outputs), (rows, 1)] if net.input_shape[0] != "N" else []
        operands.append(net.reals(*net.pick((outputs,), (outputs,), (1, outputs), (1,), (), *fixed), scale=0.5))
    return net.node("Gemm", operands, **attributes)


@piece(1)
def product_by_constant(net, x):
    """MatMul with the constant on the left, with a constant for every matrix, or with a vector."""
    needs(net.rank(x) in (3, 4))
    rows, columns = net.shapes[x][-2:]
    kind = net.pick("left", "left", "left of each", "right of each", "vector")
    if kind == "left":
        return net.node("MatMul", [net.reals(net.number(2, 12), rows, scale=rows ** -0.5), x])
    if kind == "vector":
        return net.node("MatMul", [x, net.reals(columns, scale=columns ** -0.5)])
    each = net.shapes[x][1:-2] if net.rank(x) == 4 else (1,)
    if kind == "left of each":
        return net.node("MatMul", [net.reals(*each, net.number(2, 12), rows, scale=rows ** -0.5), x])
    return net.node("MatMul", [x, net.reals(*each, columns, net.number(2, 12), scale=columns ** -0.5)])


@piece(1)
def product_of_activations(net, x):
    needs(net.rank(x) in (3, 4) and net.shapes[x][-1] <= 64 and net.shapes[x][-2] <= 64)
    order = list(range(net.rank(x)))
    order[-1], order[-2] = order[-2], order[-1]
    other = net.node("Transpose", [net.like(x)], perm=order)
    score = net.node("Mul", [net.node("MatMul", [x, other]), net.constant(np.float32(net.shapes[x][-1] ** -0.5))])
    return net.node("MatMul", [net.node("Softmax", [score], axis=-1), net.like(x)])


# ---------------------------------------------------------------- element by element

def operand_shape(net, x):
    """A shape that broadcasts to that of x: a scalar, ones, one per channel, one per column, everything."""
    shape = net.shapes[x]
    by_channel = (shape[1],) + (1,) * (len(shape) - 2) if len(shape) > 2 else (shape[-1],)
    return net.pick((), (1,), (1,) * len(shape), (1,) * (len(shape) - 1), by_channel, (1,) + by_channel, (shape[-1],), shape)


@piece(3)
def binary_with_constant(net, x):
    shape = operand_shape(net, x)
    op_type = net.pick("Add", "Add", "Mul", "Mul", "Sub", "Div", "Max", "Min", "Pow")
    values = net.random.normal(size=shape)
    if op_type in ("Mul", "Div"):
        values = np.sign(values + 1e-9) * (0.4 + np.abs(values))
    if op_type == "Pow":
        return net.node("Pow", [net.node("Abs", [x]), net.constant(np.float32(net.pick(0.5, 1, 2)) * np.ones(shape, np.float32))])
    operands = [x, net.constant(values.astype(np.float32))]
    return net.node(op_type, operands if op_type == "Div" or net.chance(0.7) else operands[::-1])


@piece(4)
def residual(net, x):
    other = net.like(x)
    if net.chance(0.15):
        other = net.node("Mul", [other, net.constant(np.float32(net.pick(0.02, 0.1, 10)))])
    return net.node(net.pick("Add", "Add", "Add", "Mul", "Add" if other == x else "Sub"), net.pick([x, other], [other, x]))


@piece(1)
def variadic(net, x):
    return net.node(net.pick("Sum", "Mean", "Max", "Min"), [x] + [net.like(x) for _ in range(net.number(0, 2))])


@piece(1)
def gate(net, x):
    """Squeeze and excitation: a factor per channel."""
    needs(net.rank(x) == 4)
    channels = net.shapes[x][1]
    y = net.node("GlobalAveragePool", [x])
    y = net.node("Conv", [y, net.reals(channels, channels, 1, 1, scale=channels ** -0.5)])
    return net.node("Mul", [x, net.node(net.pick("Sigmoid", "HardSigmoid"), [y])])


@piece(6)
def relu_or_clip(net, x):
    if net.chance(0.5):
        return net.node("Relu", [x])
    low, high = sorted(net.random.normal(size=2, scale=1.5).astype(np.float32))
    if net.chance(0.5):
        low, high = np.float32(0), np.float32(abs(high) + 0.5)
    if net.opset < 11:
        return net.node("Clip", [x], min=float(low), max=float(high + 0.1))
    bounds = [net.constant(low), net.constant(np.float32(high + 0.1))]
    if net.chance(0.2):
        bounds = [bounds[0]]
    elif net.chance(0.2):
        bounds = ["", bounds[1]]
    return net.node("Clip", [x, *bounds])


FUNCTIONS = {"LeakyRelu": 6, "Sigmoid": 6, "Tanh": 6, "Elu": 6, "Selu": 6, "HardSigmoid": 6, "Softplus": 1, "Softsign": 1, "Erf": 9, "Abs": 6,
             "Neg": 6, "Exp": 6, "Sqrt": 6, "Celu": 12, "HardSwish": 14, "Mish": 18, "Gelu": 20, "ThresholdedRelu": 10, "Ceil": 6, "Floor": 6,
             "Reciprocal": 6, "Sin": 7, "Identity": 1, "Sign": 9, "Cos": 7, "Log": 6, "Round": 11}


@piece(3)
def function(net, x):
    op_type = net.pick(*[f for f, since in FUNCTIONS.items() if since <= net.opset])
    if op_type in ("Sqrt", "Reciprocal", "Log"):
        x = net.node("Add", [net.node("Abs", [x]), net.constant(np.float32(0.5))])
    if op_type == "Exp":
        x = net.node("Min", [x, net.constant(np.float32(2))])
    attributes = {"alpha": round(float(net.random.uniform(0.05, 0.6)), 3)} if op_type in ("LeakyRelu", "Elu", "Celu") and net.chance(0.6) else {}
    if op_type == "LeakyRelu" and net.chance(0.15):
        attributes["alpha"] = net.pick(0.0, 1.0, 1.5, -0.3)
    if op_type == "HardSigmoid" and net.chance(0.5):
        attributes = {"alpha": net.pick(0.1, 1 / 6, 0.5), "beta": net.pick(0.5, 0.3)}
    if op_type == "Gelu" and net.chance(0.5):
        attributes["approximate"] = "tanh"
    return net.node(op_type, [x], **attributes)


@piece(1)
def identities(net, x):
    """Nodes that do nothing, as exporters leave them; what stands between them may be an output."""
    for _ in range(net.number(1, 3)):
        kind = net.pick("Identity", "Identity", "Dropout", "Cast", "Reshape")
        attributes = {"to": 1} if kind == "Cast" else {}
        x = net.node(kind, [x, net.integers(*[0] * net.rank(x))] if kind == "Reshape" else [x], **attributes)
        if net.chance(0.15):
            net.extra_outputs.append(x)
    return x


@piece(2)
def spelled_function(net, x):
    """Functions as exporters spell them where the opset has no operator for them."""
    kind = net.pick("silu", "hard_swish", "gelu", "swish_beta")
    if kind == "silu":
        return net.node("Mul", [x, net.node("Sigmoid", [x])])
    if kind == "swish_beta":
        return net.node("Mul", [x, net.node("Sigmoid", [net.node("Mul", [x, net.constant(np.float32(1.702))])])])
    if kind == "hard_swish":
        y = net.node("Add", [x, net.constant(np.float32(3))])
        y = net.node("Clip", [y, net.constant(np.float32(0)), net.constant(np.float32(6))]) if net.opset >= 11 else net.node("Clip", [y], min=0.0, max=6.0)
        return net.node("Div", [net.node("Mul", [x, y]), net.constant(np.float32(6))])
    y = net.node("Erf", [net.node("Div", [x, net.constant(np.float32(2 ** 0.5))])])
    y = net.node("Mul", [x, net.node("Add", [y, net.constant(np.float32(1))])])
    return net.node("Mul", [y, net.constant(np.float32(0.5))])


@piece(2)
def prelu(net, x):
    shape = net.shapes[x]
    slopes = [(), (1,), (1,) * (len(shape) - 1)]
    if len(shape) > 2:
        slopes += [(shape[1],) + (1,) * (len(shape) - 2), (1, shape[1]) + (1,) * (len(shape) - 2), shape[1:], (1,) * len(shape)]
    return net.node("PRelu", [x, net.constant((0.25 + 0.2 * net.random.normal(size=net.pick(*slopes))).astype(np.float32))])


@piece(1)
def where(net, x):
    mask = net.constant(net.random.random(net.shapes[x][1:]) < 0.5)
    if net.opset >= 9 and net.chance(0.4):
        mask = net.node(net.pick("Greater", "Less"), [net.like(x), net.constant(np.float32(0.1))])
    return net.node("Where", [mask, x, net.pick(net.like(x), net.constant(np.float32(net.random.normal() * 3)))])


@piece(0)
def image_bytes(net, x):
    """The arithmetic that brings bytes to the range that networks are trained with; stands first or nowhere."""
    net.samples = "bytes"
    channels = net.shapes[x][1]
    shape = net.pick((), (1,), (channels,) + (1,) * (net.rank(x) - 2), (1, channels) + (1,) * (net.rank(x) - 2))
    mean = net.constant(np.full(shape, 120, np.float32) + net.random.normal(size=shape, scale=5).astype(np.float32))
    kind = net.pick("divided", "shifted and divided", "divided and shifted", "normalized")
    if kind == "divided":
        return net.node("Div", [x, net.constant(np.float32(255))])
    if kind == "shifted and divided":
        return net.node("Div", [net.node("Sub", [x, mean]), net.constant(np.full(shape, 58.4, np.float32))])
    if kind == "divided and shifted":
        return net.node("Sub", [net.node("Mul", [x, net.constant(np.float32(1 / 127.5))]), net.constant(np.full(shape, 1, np.float32))])
    needs(net.rank(x) > 2)
    by_channel = [net.constant(np.full(channels, value, np.float32)) for value in (1, 0, 120, 4000)]
    return net.node("BatchNormalization", [x, *by_channel])


# ---------------------------------------------------------------- pools and reductions

@piece(3)
def average_pool(net, x):
    needs(net.rank(x) in (3, 4, 5))
    attributes = window(net, x, strides=(1, 2, 2, 3), dilated=False)
    kernel = attributes["kernel_shape"]
    if net.chance(0.5):
        attributes["count_include_pad"] = net.number(0, 1)
    if net.opset >= 10 and net.chance(0.5):
        attributes["ceil_mode"] = net.number(0, 1)
    if net.opset >= 19 and net.chance(0.5) and "auto_pad" not in attributes:  # which ONNX Runtime takes for not dilated
        attributes["dilations"] = [net.pick(1, 1, 2) if (k - 1) * 2 < n else 1 for k, n in zip(kernel, net.shapes[x][2:])]
    return net.node("AveragePool", [x], **attributes)


@piece(3)
def max_pool(net, x):
    needs(net.rank(x) in (3, 4, 5))
    attributes = window(net, x, strides=(1, 2, 2, 3), dilated=net.opset >= 10)
    if net.opset >= 10 and net.chance(0.4):
        attributes["ceil_mode"] = net.number(0, 1)
    return net.node("MaxPool", [x], outputs=2 if net.chance(0.05) else 1, **attributes)


@piece(1)
def global_pool(net, x):
    needs(net.rank(x) >= 3)
    return net.node(net.pick("GlobalAveragePool", "GlobalAveragePool", "GlobalMaxPool"), [x])


@piece(2)
def reduce(net, x):
    op_type = net.pick("ReduceMean", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceL2", "ReduceL1", "ReduceSumSquare", "ReduceLogSumExp")
    axes = [net.pick(*range(1, net.rank(x))) if net.chance(0.7) else -1]
    if net.chance(0.4):
        axes = list(range(2, net.rank(x))) or axes
    keep = {} if net.chance(0.6) else {"keepdims": net.number(0, 1)}
    by_input = net.opset >= 18 or (op_type == "ReduceSum" and net.opset >= 13)
    x = net.node(op_type, [x, net.integers(*axes)], **keep) if by_input else net.node(op_type, [x], axes=axes, **keep)
    return net.node("Mul", [x, net.constant(np.float32(0.3))]) if op_type in ("ReduceSum", "ReduceL1", "ReduceSumSquare") else x


# ---------------------------------------------------------------- normalization

@piece(2)
def batch_normalization(net, x):
    needs(net.rank(x) >= 3)
    channels = net.shapes[x][1]
    scale = (1 + 0.3 * net.random.normal(size=channels)).astype(np.float32)
    if net.chance(0.15):  # channels that were pruned
        scale *= net.random.random(channels) < 0.6
    scale = net.constant(scale)
    variance = net.constant((0.5 + net.random.random(channels)).astype(np.float32))
    return net.node("BatchNormalization", [x, scale, net.reals(channels, scale=0.3), net.reals(channels, scale=0.3), variance])


@piece(1)
def normalization(net, x):
    kind = net.pick("InstanceNormalization", "LRN", "LayerNormalization", "GroupNormalization", "Softmax", "LogSoftmax")
    channels = net.shapes[x][1]
    if kind == "InstanceNormalization":
        needs(net.rank(x) >= 3 and np.prod(net.shapes[x][2:]) > 3)
        return net.node(kind, [x, net.reals(channels), net.reals(channels)])
    if kind == "GroupNormalization":
        needs(net.opset >= 18 and net.rank(x) >= 3 and channels % 2 == 0 and np.prod(net.shapes[x][2:]) > 3)
        parts = channels if net.opset >= 21 else 2
        return net.node(kind, [x, net.reals(parts), net.reals(parts)], num_groups=2)
    if kind == "LRN":
        needs(net.rank(x) == 4)
        return net.node(kind, [x], size=net.pick(1, 3, 5))
    if kind == "LayerNormalization":
        needs(net.opset >= 17 and net.shapes[x][-1] > 3)
        return net.node(kind, [x, net.reals(net.shapes[x][-1]), net.reals(net.shapes[x][-1])])
    return net.node(kind, [x], axis=net.pick(-1, 1))


# ---------------------------------------------------------------- the whole

SECOND_DRAWING = 1_000_000


def draw_genes(seed):
    """The opset, the shape of the input and the pieces of network `seed`. Seeds from SECOND_DRAWING on are drawn of all pieces and
    opsets; those below keep the ones that there were first, so that a seed that once found a fault draws the same network."""
    random = np.random.default_rng(seed)
    drawing = 2 if seed >= SECOND_DRAWING else 1
    newest = [22, 23, 24, 25, 26] if drawing == 2 else []
    opset = int(random.choice([9, 10, 11, 12, 13, 13, 14, 15, 16, 17, 17, 18, 19, 20, 21, *newest]))
    rank = int(random.choice([4, 4, 4, 4, 4, 3, 5, 2, 3]))
    spatial = {2: 0, 3: 1, 4: 2, 5: 3}[rank]
    batch = [1, 1, 1, 1, 1, 1, 1, "N", "N", "N", 4, 8][random.integers(12)]
    shape = (batch, int(random.choice([1, 3, 4, 8])), *[int(random.integers(4, 7 if rank == 5 else 14)) for _ in range(spatial)])
    if rank == 2:
        shape = (batch, int(random.integers(4, 40)))
    names, weights = names_and_weights(drawing)
    count = int(random.integers(4, 14))
    chosen = random.choice(len(names), size=count, p=weights / weights.sum())
    first = "conv" if rank > 2 else "gemm"
    front = [*["image_bytes"] * (random.random() < 0.12), first]
    return opset, shape, [(name, int(random.integers(1 << 30))) for name in [*front, *[names[i] for i in chosen]]]


def grow(opset, shape, genes):
    """The network of these genes. Pieces that do not fit are left out. Returns the model and the genes that stayed."""
    net, value, kept = Network(opset, shape), "x", []
    for name, seed in genes:
        net.random = np.random.default_rng(seed)
        before = net.state()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                next_value = PIECES[name].make(net, value)
        except Misfit:
            net.restore(before)
            continue
        value = next_value
        kept.append((name, seed))
        if net.chance(0.08):
            net.extra_outputs.append(value)
        net.as_nodes.update(c.name for c in net.constants[before[0][1]:] if net.chance(0.05))
    return net.model(value), kept
