"""Pieces of drawn networks (see drawn_pieces.py) of operators that few networks have: recurrent ones, samplers of images, choices by
index, sums along an axis, rarer pools, norms and functions. Seeds of the second drawing on draw them."""
import functools

import numpy as np
from onnx import TensorProto

from drawn_network import needs, piece

more = functools.partial(piece, drawing=2)


def with_axes(net, op_type, x, axes, **attributes):
    """Unsqueeze, Squeeze or a reduction, whose axes became an input at an opset of its own."""
    since = 13 if op_type in ("Unsqueeze", "Squeeze", "ReduceSum") else 18
    if net.opset >= since:
        return net.node(op_type, [x, net.integers(*axes)], **attributes)
    return net.node(op_type, [x], axes=list(axes), **attributes)


def fixed_batch(net):
    """Constants of the input's batch fit no other one."""
    return net.input_shape[0] != "N"


# ---------------------------------------------------------------- recurrent layers

@more(3)
def recurrent(net, x):
    """LSTM, GRU and RNN along the last axis, which moves to the front and back, as exporters write it."""
    needs(net.rank(x) in (3, 4))
    if net.rank(x) == 4:
        x = net.node("Reshape", [x, net.integers(0, -1, net.shapes[x][3])])
    batch, inputs, length = net.shapes[x]
    needs(inputs <= 64)
    kind = net.pick("LSTM", "LSTM", "GRU", "GRU", "RNN")
    gates, hidden = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind], net.number(2, 8)
    direction = net.pick("forward", "forward", "bidirectional", "reverse")
    ways = 2 if direction == "bidirectional" else 1
    attributes = {"hidden_size": hidden, **({"direction": direction} if direction != "forward" or net.chance(0.3) else {})}
    if kind == "GRU" and net.chance(0.6):
        attributes["linear_before_reset"] = 1
    if net.chance(0.1):
        attributes["clip"] = 1.5
    if net.chance(0.15):
        attributes["activations"] = {"LSTM": ["HardSigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Relu"], "RNN": ["Relu"]}[kind] * ways
    operands = [net.node("Transpose", [x], perm=[2, 0, 1]), net.reals(ways, gates * hidden, inputs, scale=inputs ** -0.5),
                net.reals(ways, gates * hidden, hidden, scale=0.7 * hidden ** -0.5)]
    operands.append(net.reals(ways, 2 * gates * hidden, scale=0.3) if net.chance(0.8) else "")
    if fixed_batch(net) and net.chance(0.35):
        lengths = net.constant(net.random.integers(1, length + 1, batch).astype(np.int32)) if net.chance(0.4) else ""
        operands += [lengths, net.reals(ways, batch, hidden)]
        if kind == "LSTM" and net.chance(0.6):
            operands.append(net.reals(ways, batch, hidden))
            operands += [net.reals(ways, 3 * hidden, scale=0.3)] * net.chance(0.3)
    if net.chance(0.3):
        y = net.node(kind, operands, outputs=2, **attributes)
        return net.node("Reshape", [net.node("Transpose", [f"{y}_1"], perm=[1, 0, 2]), net.integers(0, -1)])
    y = net.node(kind, operands, outputs=net.number(1, 2), **attributes)
    if ways == 1 and net.chance(0.6):
        return net.node("Transpose", [with_axes(net, "Squeeze", y, [1])], perm=[1, 2, 0])
    return net.node("Reshape", [net.node("Transpose", [y], perm=[2, 1, 3, 0]), net.integers(0, ways * hidden, length)])


# ---------------------------------------------------------------- samplers of images

def sampling_grid(net, x):
    """Where GridSample reads: constants, what a convolution says, or an affine map."""
    batch, spatial = net.shapes[x][0], net.rank(x) - 2
    kind = net.pick("constant", "computed", *["affine"] * (net.opset >= 20))
    extent = [net.number(2, 8) for _ in range(spatial)]
    if kind == "computed":
        channels = net.shapes[x][1]
        flow = net.node("Conv", [x, net.reals(spatial, channels, *[1] * spatial, scale=channels ** -0.5)])
        return net.node("Transpose", [net.node("Tanh", [flow])], perm=[0, *range(2, spatial + 2), 1])
    needs(fixed_batch(net))
    if kind == "constant":
        return net.constant(net.random.uniform(-1.3, 1.3, size=(batch, *extent, spatial)).astype(np.float32))
    theta = np.eye(spatial, spatial + 1) + 0.2 * net.random.normal(size=(batch, spatial, spatial + 1))
    size = net.integers(batch, net.shapes[x][1], *extent)
    return net.node("AffineGrid", [net.constant(theta.astype(np.float32)), size], align_corners=net.number(0, 1), hidden=True)


@more(2)
def grid_sample(net, x):
    needs(net.opset >= 16 and net.rank(x) in (4, *[5] * (net.opset >= 20)))
    modes = ("linear", "linear", "nearest", *["cubic"] * (net.rank(x) == 4)) if net.opset >= 20 else ("bilinear", "bilinear", "nearest", "bicubic")
    attributes = {"mode": net.pick(*modes), "padding_mode": net.pick("zeros", "border", "reflection"), "align_corners": net.number(0, 1)}
    return net.node("GridSample", [x, sampling_grid(net, x)], **attributes)


@more(2)
def regions(net, x):
    """RoiAlign and MaxRoiPool of constant boxes; each box is one row of the batch, or their mean is."""
    needs(net.rank(x) == 4 and net.input_shape[0] == 1 and net.shapes[x][0] == 1 and net.opset >= 10)
    height, width = net.shapes[x][2:]
    count, scale = net.number(1, 4), net.pick(1.0, 0.5, 0.25)
    corner = net.random.uniform(-0.1, 0.6, size=(count, 2))
    boxes = np.concatenate([corner, corner + net.random.uniform(0.1, 0.5, size=(count, 2))], 1) * np.array([width, height] * 2) / scale
    size = [net.number(1, 4), net.number(1, 4)]
    if net.chance(0.2):
        rois = net.constant(np.concatenate([np.zeros((count, 1)), boxes], 1).round().astype(np.float32))
        y = net.node("MaxRoiPool", [x, rois], pooled_shape=size, spatial_scale=scale)
    else:
        attributes = {"mode": net.pick("avg", "avg", "max"), "output_height": size[0], "output_width": size[1], "spatial_scale": scale,
                      "sampling_ratio": net.number(0, 3)}
        if net.opset >= 16:
            attributes["coordinate_transformation_mode"] = net.pick("half_pixel", "output_half_pixel")
        y = net.node("RoiAlign", [x, net.constant(boxes.astype(np.float32)), net.constant(np.zeros(count, np.int64))], **attributes)
    return with_axes(net, "ReduceMean", y, [0], keepdims=1) if net.chance(0.6) else y


@more(1)
def deform_conv(net, x):
    needs(net.rank(x) == 4 and net.opset >= 19)
    channels, (height, width) = net.shapes[x][1], net.shapes[x][2:]
    needs(height >= 3 and width >= 3)
    outputs, parts = net.number(1, 6), net.pick(1, *[2] * (channels % 2 == 0))
    offset = net.node("Conv", [x, net.reals(parts * 18, channels, 3, 3, scale=0.3 * (9 * channels) ** -0.5)], pads=[1] * 4)
    operands = [x, net.reals(outputs, channels, 3, 3, scale=(9 * channels) ** -0.5), offset]
    operands.append(net.reals(outputs, scale=0.3) if net.chance(0.5) else "")
    if net.chance(0.5):
        mask = net.node("Conv", [x, net.reals(parts * 9, channels, 3, 3, scale=(9 * channels) ** -0.5)], pads=[1] * 4)
        operands.append(net.node("Sigmoid", [mask]))
    return net.node("DeformConv", operands, kernel_shape=[3, 3], pads=[1] * 4, offset_group=parts)


@more(1)
def columns_to_image(net, x):
    """Col2Im, as torch's Fold is exported."""
    needs(net.rank(x) == 3 and net.opset >= 18)
    blocks = [b for b in ((1, 2), (2, 1), (2, 2), (1, 1)) if net.shapes[x][1] % (b[0] * b[1]) == 0]
    block, length = net.pick(*blocks), net.shapes[x][2]
    rows = net.pick(*[r for r in range(1, length + 1) if length % r == 0])
    image = net.integers(rows + block[0] - 1, length // rows + block[1] - 1)
    shape = (net.shapes[x][0], net.shapes[x][1] // (block[0] * block[1]), rows + block[0] - 1, length // rows + block[1] - 1)
    return net.node("Col2Im", [x, image, net.integers(*block)], shape=shape)


# ---------------------------------------------------------------- choices by index

@more(3)
def top_k(net, x):
    """The largest of an axis, or another value's elements at their places; k is a constant or computed of the extent."""
    axis = net.number(1, net.rank(x) - 1)
    extent = net.shapes[x][axis]
    needs(extent >= 2)
    k, sort = net.number(1, extent), {"largest": net.number(0, 1)} if net.opset >= 11 and net.chance(0.4) else {}
    if net.opset < 10:
        y = net.node("TopK", [x], outputs=2, axis=axis, k=k)
    elif net.opset >= 12 and net.chance(0.4):
        length = net.node("Gather", [net.node("Shape", [x]), net.integers(axis)], axis=0)
        shape = (*net.shapes[x][:axis], k, *net.shapes[x][axis + 1:])
        y = net.node("TopK", [x, net.node("Min", [length, net.integers(k)])], outputs=2, shape=shape, axis=axis, **sort)
        net.hidden[f"{y}_1"] = TensorProto.INT64, shape
    else:
        y = net.node("TopK", [x, net.integers(k)], outputs=2, axis=axis, **sort)
    if net.chance(0.5) or net.opset < 11:
        return y
    return net.node("GatherElements", [net.like(x), f"{y}_1"], axis=axis)


@more(2)
def gather_nd(net, x):
    needs(net.opset >= 11 and fixed_batch(net) and net.rank(x) in (3, 4))
    shape, batched = net.shapes[x], net.opset >= 12 and net.chance(0.6)
    first = 1 if batched else 0
    depth = net.number(1, net.rank(x) - 1 - first)
    front = (shape[0],) if batched else ()
    rows = [net.random.integers(-n, n, size=(*front, 5, 1)) for n in shape[first:first + depth]]
    y = net.node("GatherND", [x, net.constant(np.concatenate(rows, -1))], **({"batch_dims": 1} if batched else {}))
    return y if batched else with_axes(net, "Unsqueeze", y, [0])


@more(3)
def scatter(net, x):
    """ScatterND and ScatterElements of constants or of another value's elements; no place is written twice but where that is a sum."""
    needs(net.opset >= 11 and fixed_batch(net) and net.rank(x) <= 4)
    shape, other = net.shapes[x], net.like(x)
    kinds = ["none", "none", "none", *["add", "mul"] * (net.opset >= 16), *["max", "min"] * (net.opset >= 18)]
    kind = net.pick(*kinds)
    attributes = {} if kind == "none" else {"reduction": kind}
    if net.chance(0.4):
        axis = net.number(1, len(shape) - 1)
        count = net.number(1, shape[axis])
        order = net.random.random(shape).argsort(axis).take(range(count), axis).astype(np.int64)
        updates = net.reals(*order.shape) if net.chance(0.4) else net.node("GatherElements", [other, net.constant(order)], axis=axis)
        return net.node("ScatterElements", [x, net.constant(order), updates], axis=axis, **attributes)
    depth = net.number(1, len(shape))
    places = np.stack(np.unravel_index(net.random.permutation(int(np.prod(shape[:depth])))[:net.number(1, 6)], shape[:depth]), -1)
    if net.chance(0.2):
        places = places.reshape(1, *places.shape)
    indices = net.constant(places.astype(np.int64))
    updates = net.reals(*places.shape[:-1], *shape[depth:])
    if net.chance(0.6):
        updates = net.node("GatherND", [other, indices], hidden=True)
    return net.node("ScatterND", [x, indices, updates], **attributes)


@more(1)
def one_hot(net, x):
    """OneHot of the largest of each row, in f32 or through integers."""
    axis = net.number(1, net.rank(x) - 1)
    index = net.node("ArgMax", [x], axis=axis, keepdims=0)
    depth, values = net.constant(np.int64(net.shapes[x][axis])), net.constant(np.array([-0.5, 1.5], np.float32))
    place = net.pick(axis, net.rank(x) - 1)
    shape = list(net.shapes[x][:axis] + net.shapes[x][axis + 1:])
    shape.insert(place, net.shapes[x][axis])
    y = net.node("OneHot", [index, depth, values], axis=net.pick(place, place - net.rank(x)), shape=shape)
    return net.node("Mul", [net.like(x), y]) if place == axis else y


@more(2)
def reorder_by_data(net, x):
    """ReverseSequence, Compress, CenterCropPad, a roll as Swin has it."""
    shape = net.shapes[x]
    kind = net.pick("reverse", "compress", "crop", "roll")
    axis = net.number(1, len(shape) - 1)
    if kind == "reverse":
        needs(net.opset >= 10 and fixed_batch(net) and len(shape) >= 2)
        lengths = net.constant(net.random.integers(1, shape[1] + 1, shape[0]).astype(np.int64))
        return net.node("ReverseSequence", [x, lengths], batch_axis=0, time_axis=1)
    if kind == "compress":
        kept = net.random.random(shape[axis]) < 0.6
        needs(kept.any())
        extent = (*shape[:axis], int(kept.sum()), *shape[axis + 1:])
        return net.node("Compress", [x, net.constant(kept)], axis=axis, shape=extent)
    if kind == "crop":
        needs(net.opset >= 18)
        axes = sorted(net.random.choice(np.arange(1, len(shape)), net.number(1, len(shape) - 1), replace=False).tolist())
        return net.node("CenterCropPad", [x, net.integers(*[net.number(max(1, shape[a] - 3), shape[a] + 2) for a in axes])], axes=axes)
    needs(net.opset >= 10 and shape[axis] >= 2)
    cut = net.number(1, shape[axis] - 1)
    parts = [net.node("Slice", [x, net.integers(b), net.integers(e), net.integers(axis)]) for b, e in ((cut, 2 ** 62), (0, cut))]
    return net.node("Concat", parts, axis=axis)


# ---------------------------------------------------------------- products and sums

EINSUMS = {2: ["nc,cd->nd", "nc,dc->nd", "nc,nc->nc", "nc,nd->ncd"],
           3: ["ncl,cd->nld", "ncl,nml->ncm", "ncl,ndl->nlcd", "ncl->nlc", "ncl,ncl->nc", "...l,lm->...m"],
           4: ["nchw,cd->ndhw", "nchw,nchv->nchwv", "nchw->nhwc", "nchw,nqhw->ncq", "nchw,wv->nchv", "nchw,nchw->nch", "nchw->nc"]}


@more(3)
def einsum(net, x):
    needs(net.opset >= 12 and net.rank(x) in EINSUMS)
    equation = net.pick(*EINSUMS[net.rank(x)])
    terms = equation.split("->")[0].split(",")
    letters = terms[0] if "..." not in terms[0] else "." * (net.rank(x) - 1) + terms[0][-1]
    extent = dict(zip(letters, net.shapes[x]))
    operands = [x]
    if len(terms) == 2 and terms[1].startswith("n"):
        operands.append(net.like(x))
    elif len(terms) == 2:
        operands.append(net.reals(*[extent.setdefault(c, net.number(2, 6)) for c in terms[1]], scale=extent[terms[1][0]] ** -0.5))
    other = net.shapes[operands[-1]] if len(operands) == 2 and operands[1] in net.shapes else ()
    extent.update(zip(terms[-1], other))
    result = equation.split("->")[1]
    shape = (*net.shapes[x][:-1], extent["m"]) if "..." in result else [extent[c] for c in result]
    needs(np.prod(shape) < 20_000)
    return net.node("Einsum", operands, equation=equation, shape=shape)


@more(2)
def along_axis(net, x):
    """CumSum and Trilu."""
    if net.opset >= 14 and net.rank(x) >= 3 and net.chance(0.5):
        k = [net.constant(np.int64(net.number(-2, 2)))] if net.chance(0.6) else []
        return net.node("Trilu", [x, *k], upper=net.number(0, 1))
    needs(net.opset >= 11)
    axis = net.constant(np.array(net.number(1, net.rank(x) - 1), net.pick(np.int64, np.int32)))
    y = net.node("CumSum", [x, axis], exclusive=net.number(0, 1), reverse=net.number(0, 1))
    return net.node("Mul", [y, net.constant(np.float32(0.3))])


@more(2)
def attention(net, x):
    """Attention of opset 23 with heads that are read of the last axis or of the second, with its options."""
    needs(net.opset >= 23 and net.rank(x) in (3, 4) and net.shapes[x][-1] <= 32 and net.shapes[x][-2] <= 32)
    attributes = {"is_causal": 1} if net.chance(0.3) else {}
    heads = {}
    if net.rank(x) == 3:
        count = net.pick(*[h for h in (1, 2, 4) if net.shapes[x][2] % h == 0])
        heads = {"q_num_heads": count, "kv_num_heads": count}
    if net.chance(0.2):
        attributes["softcap"] = 2.0
    if net.chance(0.2):
        attributes["scale"] = 0.4
    length = net.shapes[x][-2]
    mask = [net.reals(length, length)] if net.chance(0.3) else []
    return net.node("Attention", [x, net.like(x), net.like(x), *mask], **attributes, **heads)


# ---------------------------------------------------------------- pools, norms, functions

@more(2)
def rare_pool(net, x):
    """LpPool, GlobalLpPool, MaxUnpool behind its pool."""
    needs(net.rank(x) in (3, 4))
    spatial = net.rank(x) - 2
    kind = net.pick("lp", "global", "unpool", "unpool")
    if kind == "global":
        return net.node("GlobalLpPool", [x], p=net.number(1, 3))
    kernel = [min(2, n) for n in net.shapes[x][2:]]
    if kind == "lp":
        attributes = {"kernel_shape": kernel, "strides": [net.number(1, 2) for _ in range(spatial)], "p": net.number(1, 3)}
        if net.chance(0.4):
            attributes["pads"] = [net.number(0, k - 1) for k in kernel * 2]
        if net.opset >= 18 and net.chance(0.3):
            attributes["ceil_mode"] = 1
        return net.node("LpPool", [x], **attributes)
    needs(all(n % k == 0 for n, k in zip(net.shapes[x][2:], kernel)))  # else ONNX Runtime counts places in another shape than ONNX
    y = net.node("MaxPool", [x], outputs=2, kernel_shape=kernel, strides=kernel)
    size = [net.integers(*net.shapes[x])] if fixed_batch(net) and net.chance(0.4) else []
    return net.node("MaxUnpool", [y, f"{y}_1", *size], kernel_shape=kernel, strides=kernel, **({"shape": net.shapes[x]} if size else {}))


@more(2)
def rare_norm(net, x):
    shape = net.shapes[x]
    kind = net.pick("MeanVarianceNormalization", "LpNormalization", "RMSNormalization", "LayerNormalization", "spelled", "spelled")
    if kind == "MeanVarianceNormalization":
        axes = net.pick([a for a in range(2, len(shape))], [a for a in range(1, len(shape))], [1])
        needs(axes and np.prod([shape[a] for a in axes]) > 3)
        return net.node(kind, [x], axes=axes)
    if kind == "LpNormalization":
        return net.node(kind, [x], axis=net.pick(1, -1), p=net.number(1, 2))
    axis = net.number(1, len(shape) - 1)
    needs(np.prod(shape[axis:]) > 3)
    scale = net.constant((1 + 0.3 * net.random.normal(size=shape[axis:])).astype(np.float32))
    if kind == "RMSNormalization":
        needs(net.opset >= 23)
        return net.node(kind, [x, scale], axis=net.pick(axis, axis - len(shape)))
    if kind == "LayerNormalization":
        needs(net.opset >= 17)
        bias = [net.reals(*shape[axis:])] if net.chance(0.6) else []
        return net.node(kind, [x, scale, *bias], axis=net.pick(axis, axis - len(shape)), epsilon=1e-6)
    return spelled_norm(net, x)


def spelled_norm(net, x):
    """Normalization along the last axis as exporters spell it without an operator."""
    needs(net.shapes[x][-1] > 3)
    centred = net.node("Sub", [x, with_axes(net, "ReduceMean", x, [-1], keepdims=1)])
    square = net.node("Pow", [centred, net.constant(np.float32(2))]) if net.chance(0.7) else net.node("Mul", [centred, centred])
    variance = with_axes(net, "ReduceMean", square, [-1], keepdims=1)
    deviation = net.node("Sqrt", [net.node("Add", [variance, net.constant(np.float32(1e-5))])])
    y = net.node("Div", [centred, deviation])
    y = net.node("Mul", [y, net.reals(net.shapes[x][-1])])
    return net.node("Add", [y, net.reals(net.shapes[x][-1])]) if net.chance(0.7) else y


MORE_FUNCTIONS = {"Mish": 18, "Shrink": 9, "Hardmax": 1, "Swish": 24, "Tan": 7, "Atan": 7, "Sinh": 9, "Cosh": 9, "Asinh": 9, "Acosh": 9,
                  "Asin": 7, "Acos": 7, "Atanh": 9, "Celu": 12, "Gelu": 20}


@more(3)
def more_functions(net, x):
    op_type = net.pick(*[f for f, since in MORE_FUNCTIONS.items() if since <= net.opset])
    attributes = {}
    if op_type in ("Tan", "Asin", "Acos", "Atanh", "Sinh", "Cosh"):
        x = net.node("Mul", [net.node("Tanh", [x]), net.constant(np.float32(0.9))])
    if op_type == "Acosh":
        x = net.node("Add", [net.node("Abs", [x]), net.constant(np.float32(1.2))])
    if op_type == "Shrink":
        attributes = {"lambd": net.pick(0.5, 0.1), "bias": net.pick(0.0, 0.3)}
    if op_type == "Hardmax":
        attributes = {"axis": net.pick(-1, 1)}
    if op_type == "Swish" and net.chance(0.5):
        attributes = {"alpha": 1.5}
    return net.node(op_type, [x], **attributes)


@more(2)
def logic(net, x):
    """Masks of comparisons, joined by logic, that choose or multiply; classes through integers."""
    zero, other = net.constant(np.float32(0)), net.like(x)
    kind = net.pick("masks", "equal", "integers", "finite", "remainder")
    if kind == "masks":
        names = ["Greater", "Less", *["GreaterOrEqual", "LessOrEqual"] * (net.opset >= 12)]
        mask = net.node(net.pick("And", "Or", "Xor"), [net.node(net.pick(*names), [v, zero]) for v in (x, other)])
        mask = net.node("Not", [mask]) if net.chance(0.5) else mask
        return net.node("Where", [mask, x, other]) if net.chance(0.5) else net.node("Mul", [x, net.node("Cast", [mask], to=1)])
    if kind == "equal":
        needs(net.opset >= 11)
        largest = with_axes(net, "ReduceMax", x, [1], keepdims=1)
        return net.node("Where", [net.node("Equal", [x, largest]), other, zero])
    if kind == "integers":
        whole = net.node("Cast", [net.node("Mul", [x, net.constant(np.float32(20))])], to=net.pick(TensorProto.INT32, TensorProto.INT64))
        as_integer = np.int32 if net.hidden[whole][0] == TensorProto.INT32 else np.int64
        whole = net.node(net.pick("Add", "Mul", "Sub", "Div"), [whole, net.constant(as_integer(3))])
        return net.node("Mul", [net.node("Cast", [whole], to=1), net.constant(np.float32(0.05))])
    if kind == "finite":
        needs(net.opset >= 10)
        broken = net.node("IsNaN", [x]) if net.chance(0.5) else net.node("IsInf", [x])
        return net.node("Where", [broken, zero, x])
    needs(net.opset >= 10)
    return net.node("Mod", [x, net.constant(np.float32(1.5))], fmod=1)


@more(1)
def upsample(net, x):
    needs(net.opset == 9 and net.rank(x) == 4)
    scales = np.array([1, 1, net.pick(1, 2, 3), net.pick(1, 2, 1.5)], np.float32)
    return net.node("Upsample", [x, net.constant(scales)], mode=net.pick("nearest", "linear"))
