"""Draws networks at random: a chain of pieces, each of them an operator (or a few) in one of its forms.

Read draw_genes() and grow(), at the end. A network is a function of its genes: a list of (piece, seed) pairs. Leaving out genes gives
a smaller network, which is how a failing one is shrunk.

To add a form: a function with @piece, which takes the network and the name of a value and returns the name of a new one.
"""
import warnings

import numpy as np

from drawn_network import Misfit, Network, needs

PIECES = {}  # name -> (function, how often it is drawn)


def piece(weight=1):
    def register(function):
        PIECES[function.__name__] = (function, weight)
        return function
    return register


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
    operands = [x, net.reals(outputs, inputs, *attributes["kernel_shape"], scale=fan_in ** -0.5)]
    if net.chance(0.7):
        operands.append(net.reals(outputs, scale=0.3))
    if group > 1:
        attributes["group"] = group
    return net.node("Conv", operands, **attributes)


@piece(1)
def conv_transpose(net, x):
    needs(net.rank(x) == 4)
    channels = net.shapes[x][1]
    group = net.pick(1, 1, 1, channels)
    kernel = [net.number(1, 3), net.number(1, 3)]
    operands = [x, net.reals(channels, net.number(1, max(1, 8 // group)), *kernel, scale=channels ** -0.5)]
    outputs = net.constants[-1].dims[1] * group
    if net.chance(0.5):
        operands.append(net.reals(outputs, scale=0.3))
    attributes = {"kernel_shape": kernel, "strides": [net.number(1, 2), net.number(1, 2)], "group": group}
    if net.chance(0.4):
        attributes["pads"] = [net.number(0, k - 1) for k in kernel * 2]
    if net.chance(0.2):
        attributes["output_padding"] = [s - 1 for s in attributes["strides"]]
    return net.node("ConvTranspose", operands, **attributes)


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
    if net.chance(0.5):
        attributes["transB"] = 1
    if net.chance(0.15):
        attributes["alpha"] = 0.5
    if net.chance(0.15):
        attributes["beta"] = 2.0
    weights = net.random.normal(scale=inputs ** -0.5, size=(inputs, outputs)).astype(np.float32)
    operands = [x, net.constant(weights.T.copy() if "transB" in attributes else weights)]
    if net.chance(0.7):
        operands.append(net.reals(*net.pick((outputs,), (1, outputs), (1,), ()), scale=0.5))
    return net.node("Gemm", operands, **attributes)


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
    return net.node(net.pick("Add", "Add", "Add", "Mul", "Sub"), net.pick([x, net.like(x)], [net.like(x), x]))


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
             "Reciprocal": 6, "Sin": 7, "Identity": 1, "Sign": 9}


@piece(3)
def function(net, x):
    op_type = net.pick(*[f for f, since in FUNCTIONS.items() if since <= net.opset])
    if op_type in ("Sqrt", "Reciprocal"):
        x = net.node("Add", [net.node("Abs", [x]), net.constant(np.float32(0.5))])
    if op_type == "Exp":
        x = net.node("Min", [x, net.constant(np.float32(2))])
    attributes = {"alpha": round(float(net.random.uniform(0.05, 0.6)), 3)} if op_type in ("LeakyRelu", "Elu", "Celu") and net.chance(0.6) else {}
    return net.node(op_type, [x], **attributes)


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
        slopes.append((shape[1],) + (1,) * (len(shape) - 2))
    return net.node("PRelu", [x, net.constant((0.25 + 0.2 * net.random.normal(size=net.pick(*slopes))).astype(np.float32))])


@piece(1)
def where(net, x):
    mask = net.constant(net.random.random(net.shapes[x][1:]) < 0.5)
    return net.node("Where", [mask, x, net.pick(net.like(x), net.constant(np.float32(net.random.normal() * 3)))])


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
    if net.opset >= 19 and net.chance(0.5):
        attributes["dilations"] = [net.pick(1, 1, 2) if (k - 1) * 2 < n else 1 for k, n in zip(kernel, net.shapes[x][2:])]
    return net.node("AveragePool", [x], **attributes)


@piece(3)
def max_pool(net, x):
    needs(net.rank(x) in (3, 4, 5))
    attributes = window(net, x, strides=(1, 2, 2, 3), dilated=net.opset >= 10)
    if net.opset >= 10 and net.chance(0.4):
        attributes["ceil_mode"] = net.number(0, 1)
    return net.node("MaxPool", [x], **attributes)


@piece(1)
def global_pool(net, x):
    needs(net.rank(x) >= 3)
    return net.node(net.pick("GlobalAveragePool", "GlobalAveragePool", "GlobalMaxPool"), [x])


@piece(1)
def reduce(net, x):
    op_type = net.pick("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceL2")
    axis = net.pick(*range(1, net.rank(x))) if net.chance(0.7) else -1
    keep = {} if net.chance(0.6) else {"keepdims": net.number(0, 1)}
    by_input = net.opset >= 18 or (op_type == "ReduceSum" and net.opset >= 13)
    x = net.node(op_type, [x, net.integers(axis)], **keep) if by_input else net.node(op_type, [x], axes=[axis], **keep)
    return x if op_type != "ReduceSum" else net.node("Mul", [x, net.constant(np.float32(0.3))])


# ---------------------------------------------------------------- normalization

@piece(2)
def batch_normalization(net, x):
    needs(net.rank(x) >= 3)
    channels = net.shapes[x][1]
    scale = net.constant((1 + 0.3 * net.random.normal(size=channels)).astype(np.float32))
    variance = net.constant((0.5 + net.random.random(channels)).astype(np.float32))
    return net.node("BatchNormalization", [x, scale, net.reals(channels, scale=0.3), net.reals(channels, scale=0.3), variance])


@piece(1)
def normalization(net, x):
    kind = net.pick("InstanceNormalization", "LRN", "LayerNormalization", "Softmax", "LogSoftmax")
    channels = net.shapes[x][1]
    if kind == "InstanceNormalization":
        needs(net.rank(x) >= 3 and np.prod(net.shapes[x][2:]) > 3)
        return net.node(kind, [x, net.reals(channels), net.reals(channels)])
    if kind == "LRN":
        needs(net.rank(x) == 4)
        return net.node(kind, [x], size=net.pick(1, 3, 5))
    if kind == "LayerNormalization":
        needs(net.opset >= 17 and net.shapes[x][-1] > 3)
        return net.node(kind, [x, net.reals(net.shapes[x][-1]), net.reals(net.shapes[x][-1])])
    return net.node(kind, [x], axis=net.pick(-1, 1))


# ---------------------------------------------------------------- what moves elements

@piece(1)
def pad(net, x):
    rank = net.rank(x)
    mode = net.pick("constant", "constant", "reflect", "edge")
    pads = [0] * (2 * rank)
    axes = [a for a in range(1, rank) if net.shapes[x][a] > 2 and (a > 1 or net.chance(0.3)) and net.chance(0.7)]
    needs(axes)
    for axis in axes:
        pads[axis], pads[rank + axis] = net.number(0, 2), net.number(0, 2)
    if net.opset < 11:
        return net.node("Pad", [x], mode=mode, pads=pads, value=net.pick(0.0, -2.5, 7.0)) if mode == "constant" else net.node("Pad", [x], mode=mode, pads=pads)
    value = [net.constant(np.float32(net.pick(0, 0, -2.5, 7)))] if mode == "constant" and net.chance(0.6) else []
    if net.opset >= 18 and net.chance(0.6):
        chosen = list(net.random.permutation(axes))
        written = [pads[a] for a in chosen] + [pads[rank + a] for a in chosen]
        named = [int(a) - (rank if net.chance(0.3) else 0) for a in chosen]
        return net.node("Pad", [x, net.integers(*written), *(value or [""]), net.integers(*named)], mode=mode)
    return net.node("Pad", [x, net.integers(*pads), *value], mode=mode)


@piece(2)
def resize(net, x):
    needs(net.rank(x) == 4 and net.opset >= 11)
    shape, mode = net.shapes[x], net.pick("nearest", "nearest", "nearest", "linear", "cubic")
    attributes = {"mode": mode}
    if net.chance(0.7):
        attributes["coordinate_transformation_mode"] = net.pick("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "tf_crop_and_resize")
    if mode == "nearest" and net.chance(0.7):
        attributes["nearest_mode"] = net.pick("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    crop = attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize"
    roi = ""
    factor = [net.pick(1, 2, 2, 3, 0.5, 1.5) for _ in range(2)]
    extent = [max(1, int(np.floor(n * f))) for n, f in zip(shape[2:], factor)]
    axes = net.opset >= 18 and net.chance(0.5)
    if crop:
        attributes["extrapolation_value"] = net.pick(0.0, -3.0, 5.0)
        window_of = [float(round(net.random.uniform(-0.4, 0.3), 2)) for _ in range(2)], [float(round(net.random.uniform(0.7, 1.4), 2)) for _ in range(2)]
        box = [*window_of[0], *window_of[1]] if axes else [0, 0, *window_of[0], 1, 1, *window_of[1]]
        roi = net.constant(np.array(box, np.float32))
    elif net.opset < 13:
        roi = net.constant(np.zeros(0, np.float32))
    if axes:
        attributes["axes"] = [2, 3] if net.chance(0.6) else [-2, -1]
    if net.chance(0.5):
        scales = factor if axes else [1, 1, *factor]
        return net.node("Resize", [x, roi, net.constant(np.array(scales, np.float32))], **attributes)
    empty = net.constant(np.zeros(0, np.float32)) if net.opset < 13 else ""
    return net.node("Resize", [x, roi, empty, net.integers(*(extent if axes else [*shape[:2], *extent]))], **attributes)


@piece(2)
def concat(net, x):
    rank = net.rank(x)
    axis = net.pick(1, 1, -1, rank - 1)
    def fits(shape):
        return len(shape) == rank and all(a == b for i, (a, b) in enumerate(zip(shape, net.shapes[x])) if i != axis % rank)
    others = [n for n, s in net.shapes.items() if fits(s) and (n == "x" or n.startswith("v"))]
    parts = [x, net.pick(*others)]
    if net.chance(0.3):
        parts.append(net.pick(*others))
    if net.chance(0.15):
        shape = list(net.shapes[x])
        shape[axis % rank] = 1
        parts.append(net.reals(*shape))
    return net.node("Concat", parts, axis=axis)


@piece(1)
def split(net, x):
    axis = net.pick(1, 1, -1)
    extent = net.shapes[x][axis]
    needs(extent >= 2)
    first = net.number(1, extent - 1)
    if net.opset >= 13:
        y = net.node("Split", [x, net.integers(first, extent - first)], outputs=2, axis=axis)
    else:
        y = net.node("Split", [x], outputs=2, axis=axis, split=[first, extent - first])
    return net.pick(y, f"{y}_1")


@piece(2)
def take(net, x):
    """Slice, Gather."""
    axis = net.number(1, net.rank(x) - 1)
    extent = net.shapes[x][axis]
    needs(extent >= 2)
    if net.chance(0.5):
        indices = [net.number(-extent, extent - 1) for _ in range(net.number(1, extent))]
        return net.node("Gather", [x, net.integers(*indices)], axis=axis)
    begin, end = net.number(0, extent - 2), extent
    if net.opset < 10:
        return net.node("Slice", [x], axes=[axis], starts=[begin], ends=[end])
    step = net.pick(1, 1, 2)
    if net.chance(0.2):
        return net.node("Slice", [x, net.integers(-1), net.integers(-extent - 1), net.integers(axis), net.integers(-1)])
    return net.node("Slice", [x, net.integers(begin), net.integers(end), net.integers(axis), net.integers(step)])


@piece(2)
def reorder(net, x):
    """Transpose, Reshape, Flatten, Squeeze, Unsqueeze, DepthToSpace, SpaceToDepth, Expand, Tile."""
    shape, kind = net.shapes[x], net.pick("transpose", "transpose", "reshape", "reshape", "flatten", "unsqueeze", "depth", "space", "tile")
    if kind == "transpose":
        return net.node("Transpose", [x], perm=[0, *(1 + net.random.permutation(len(shape) - 1)).tolist()])
    if kind == "reshape":
        target = net.pick([0, 0, -1], [0, -1], [shape[0], shape[1], -1, 1], [0, -1, shape[-1]])
        needs(len(target) != 3 or len(shape) > 2)
        return net.node("Reshape", [x, net.integers(*target)])
    if kind == "flatten":
        return net.node("Flatten", [x], axis=1)
    if kind == "unsqueeze":
        needs(len(shape) < 5)
        axis = net.number(1, len(shape))
        return net.node("Unsqueeze", [x, net.integers(axis)]) if net.opset >= 13 else net.node("Unsqueeze", [x], axes=[axis])
    if kind == "tile":
        needs(np.prod(shape) < 4000)
        return net.node("Tile", [x, net.integers(1, *[net.number(1, 2) for _ in shape[1:]])])
    needs(len(shape) == 4)
    if kind == "space":
        needs(shape[2] % 2 == 0 and shape[3] % 2 == 0)
        return net.node("SpaceToDepth", [x], blocksize=2)
    needs(shape[1] % 4 == 0)
    return net.node("DepthToSpace", [x], blocksize=2, **({"mode": net.pick("DCR", "CRD")} if net.opset >= 11 else {}))


# ---------------------------------------------------------------- the whole

def draw_genes(seed):
    """The opset, the shape of the input and the pieces of network `seed`."""
    random = np.random.default_rng(seed)
    opset = int(random.choice([9, 11, 12, 13, 13, 15, 17, 17, 18, 19, 20, 21]))
    rank = int(random.choice([4, 4, 4, 4, 4, 3, 5, 2, 3]))
    spatial = {2: 0, 3: 1, 4: 2, 5: 3}[rank]
    batch = "N" if random.random() < 0.25 else 1
    shape = (batch, int(random.choice([1, 3, 4, 8])), *[int(random.integers(4, 7 if rank == 5 else 14)) for _ in range(spatial)])
    if rank == 2:
        shape = (batch, int(random.integers(4, 40)))
    names = list(PIECES)
    weights = np.array([PIECES[n][1] for n in names], float)
    count = int(random.integers(4, 14))
    chosen = random.choice(len(names), size=count, p=weights / weights.sum())
    first = "conv" if rank > 2 else "gemm"
    return opset, shape, [(first, int(random.integers(1 << 30)))] + [(names[i], int(random.integers(1 << 30))) for i in chosen]


def grow(opset, shape, genes):
    """The network of these genes. Pieces that do not fit are left out. Returns the model and the genes that stayed."""
    net, value, kept = Network(opset, shape), "x", []
    for name, seed in genes:
        net.random = np.random.default_rng(seed)
        before = len(net.nodes), len(net.constants), dict(net.shapes), list(net.extra_outputs)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                next_value = PIECES[name][0](net, value)
        except Misfit:
            del net.nodes[before[0]:], net.constants[before[1]:]
            net.shapes, net.extra_outputs = before[2], before[3]
            continue
        value = next_value
        kept.append((name, seed))
        if net.chance(0.05):
            net.extra_outputs.append(value)
    return net.model(value), kept
