"""Pieces of drawn networks (see drawn_pieces.py) that move, copy or drop elements, and those that interpolate between them."""
import numpy as np

from drawn_network import needs, piece


@piece(1)
def pad(net, x):
    rank = net.rank(x)
    mode = net.pick("constant", "constant", "reflect", "edge", *["wrap"] * (net.opset >= 19))
    pads = [0] * (2 * rank)
    axes = [a for a in range(1, rank) if net.shapes[x][a] > 2 and (a > 1 or net.chance(0.3)) and net.chance(0.7)]
    needs(axes)
    for axis in axes:
        lowest = -1 if net.shapes[x][axis] > 4 and net.chance(0.15) else 0
        pads[axis], pads[rank + axis] = net.number(lowest, 2), net.number(lowest, 2)
    if net.opset < 11:
        return net.node("Pad", [x], mode=mode, pads=pads, value=net.pick(0.0, -2.5, 7.0)) if mode == "constant" else net.node("Pad", [x], mode=mode, pads=pads)
    value = [net.constant(np.float32(net.pick(0, 0, -2.5, 7)))] if mode == "constant" and net.chance(0.6) else []
    if net.opset >= 18 and net.chance(0.6):
        chosen = list(net.random.permutation(axes))
        written = [pads[a] for a in chosen] + [pads[rank + a] for a in chosen]
        named = [int(a) - (rank if net.chance(0.3) else 0) for a in chosen]
        return net.node("Pad", [x, net.integers(*written), *(value or [""]), net.integers(*named)], mode=mode)
    return net.node("Pad", [x, net.integers(*pads), *value], mode=mode)


def resize_attributes(net, mode):
    """Attributes of Resize that go together."""
    attributes = {"mode": mode}
    if net.chance(0.7):
        newer = [*["half_pixel_symmetric"] * (net.opset >= 19), *["tf_half_pixel_for_nn"] * (net.opset < 13 and mode == "nearest")]
        attributes["coordinate_transformation_mode"] = net.pick("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel",
                                                                "tf_crop_and_resize", *newer)
    crop = attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize"
    if attributes.get("coordinate_transformation_mode") == "tf_half_pixel_for_nn":
        attributes["nearest_mode"] = "floor"  # in the other modes the program refuses it
    elif mode == "nearest" and net.chance(0.7):
        attributes["nearest_mode"] = net.pick("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    if mode == "cubic" and net.chance(0.4):
        attributes["cubic_coeff_a"] = net.pick(-0.5, -0.75)
    if mode == "cubic" and not crop and net.chance(0.3):
        attributes["exclude_outside"] = 1
    if mode != "nearest" and net.opset >= 18 and not crop and net.chance(0.25):
        attributes["antialias"] = 1
    if crop:
        attributes["extrapolation_value"] = net.pick(0.0, -3.0, 5.0)
    return attributes


@piece(2)
def resize(net, x):
    rank = net.rank(x)
    needs(rank in (3, 4, 5) and net.opset >= 10)
    shape = net.shapes[x]
    mode = net.pick("nearest", "nearest", "nearest", "linear", *["cubic"] * (rank == 4))
    spatial = range(2, rank)
    factor = [net.pick(1, 2, 2, 3, 0.5, 1.5) for _ in spatial]
    if net.opset == 10:
        shrinks = net.chance(0.5)
        scales = [1, 1, *[min(f, 1) if shrinks else max(f, 1) for f in factor]]
        return net.node("Resize", [x, net.constant(np.array(scales, np.float32))], mode=net.pick("nearest", "linear"))
    attributes = resize_attributes(net, mode)
    extent = [max(1, int(np.floor(n * f))) for n, f in zip(shape[2:], factor)]
    axes = net.opset >= 18 and net.chance(0.5)
    roi = ""
    if "extrapolation_value" in attributes:
        begin = [float(round(net.random.uniform(-0.4, 0.3), 2)) for _ in spatial]
        end = [float(round(net.random.uniform(0.7, 1.4), 2)) for _ in spatial]
        roi = net.constant(np.array([*begin, *end] if axes else [0, 0, *begin, 1, 1, *end], np.float32))
    elif net.opset < 13:
        roi = net.constant(np.zeros(0, np.float32))
    if axes:
        attributes["axes"] = [a if net.chance(0.6) else a - rank for a in spatial]
    if net.chance(0.5):
        scales = factor if axes else [1, 1, *factor]
        return net.node("Resize", [x, roi, net.constant(np.array(scales, np.float32))], **attributes)
    if axes and net.chance(0.25):
        attributes["keep_aspect_ratio_policy"] = net.pick("not_larger", "not_smaller")
        attributes["axes"] = list(spatial)  # ONNX Runtime computes other sizes for negative axes than it infers
    empty = net.constant(np.zeros(0, np.float32)) if net.opset < 13 else ""
    if net.chance(0.2) and not axes:
        y = [*shape[:2], *extent]
        return net.node("Resize", [x, roi, empty, extent_behind_channels(net, x, extent)], shape=y, **attributes)
    return net.node("Resize", [x, roi, empty, net.integers(*(extent if axes else [*shape[:2], *extent]))], **attributes)


def extent_behind_channels(net, x, extent):
    """The shape (batch, channels, *extent) as exporters compute it: the first two are read of x."""
    shape = net.node("Shape", [x])
    if net.opset < 10:
        front = net.node("Slice", [shape], axes=[0], starts=[0], ends=[2])
    else:
        front = net.node("Slice", [shape, net.integers(0), net.integers(2), net.integers(0)])
    return net.node("Concat", [front, net.integers(*extent)], axis=0)


@piece(1)
def view(net, x):
    """x.view(x.size(0), -1), x.view(x.size(0), x.size(1), -1) as PyTorch writes them."""
    shape, kept = net.shapes[x], net.number(1, min(2, net.rank(x) - 1))
    parts = []
    for axis in range(kept):
        extent = net.node("Gather", [net.node("Shape", [x]), net.constant(np.int64(axis))], axis=0)
        by_input = [extent, net.integers(0)] if net.opset >= 13 else [extent]
        parts.append(net.node("Unsqueeze", by_input, **({} if net.opset >= 13 else {"axes": [0]})))
    target = net.node("Concat", [*parts, net.integers(-1)], axis=0)
    return net.node("Reshape", [x, target], shape=(*shape[:kept], int(np.prod(shape[kept:]))))


@piece(2)
def concat(net, x):
    rank = net.rank(x)
    axis = net.pick(1, 1, -1, rank - 1)
    def fits(shape):
        return len(shape) == rank and all(a == b for i, (a, b) in enumerate(zip(shape, net.shapes[x])) if i != axis % rank)
    others = [n for n, s in net.shapes.items() if fits(s) and (n == "x" or n.startswith("v"))]
    parts = [x, net.pick(*others)]
    if net.chance(0.2):
        parts[1] = net.node("Mul", [parts[1], net.constant(np.float32(net.pick(0.02, 0.1, 10)))])
    if net.chance(0.3):
        parts.reverse()
    if net.chance(0.3):
        parts.append(net.pick(*others))
    if net.chance(0.15):
        shape = list(net.shapes[x])
        shape[axis % rank] = 1
        parts.append(net.reals(*shape))
    return net.node("Concat", parts, axis=axis)


@piece(1)
def split(net, x):
    """One part goes on, another may be joined to it; some are read by nobody."""
    axis = net.pick(1, 1, -1)
    extent = net.shapes[x][axis]
    needs(extent >= 2)
    count = net.number(2, min(3, extent))
    inner = sorted(net.random.choice(np.arange(1, extent), count - 1, replace=False).tolist())
    sizes = [end - begin for begin, end in zip([0, *inner], [*inner, extent])]
    if net.opset >= 18 and net.chance(0.4):
        y = net.node("Split", [x], outputs=count, axis=axis, num_outputs=count)
    elif extent % count == 0 and net.opset < 18 and net.chance(0.3):
        y = net.node("Split", [x], outputs=count, axis=axis)
    elif net.opset >= 13:
        y = net.node("Split", [x, net.integers(*sizes)], outputs=count, axis=axis)
    else:
        y = net.node("Split", [x], outputs=count, axis=axis, split=sizes)
    parts = [y, *[f"{y}_{i}" for i in range(1, count)]]
    return net.node("Concat", parts[::-1], axis=axis) if net.chance(0.3) else net.pick(*parts)


@piece(2)
def take(net, x):
    """Slice, Gather, GatherElements."""
    axis = net.number(1, net.rank(x) - 1)
    extent = net.shapes[x][axis]
    needs(extent >= 2)
    if net.chance(0.1) and net.rank(x) > 2:
        return net.node("Gather", [x, net.constant(np.int64(net.number(-extent, extent - 1)))], axis=axis)
    if net.chance(0.1) and net.opset >= 11 and net.input_shape[0] != "N":
        return net.node("GatherElements", [x, net.constant(net.random.integers(0, extent, net.shapes[x]))], axis=axis)
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
    shape, kind = net.shapes[x], net.pick("transpose", "transpose", "reshape", "reshape", "flatten", "unsqueeze", "squeeze", "depth", "space", "tile", "expand")
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
    if kind == "squeeze":
        ones = [a for a in range(1, len(shape)) if shape[a] == 1]
        needs(ones and len(shape) > 2)
        return net.node("Squeeze", [x, net.integers(ones[0])]) if net.opset >= 13 else net.node("Squeeze", [x], axes=[ones[0]])
    if kind == "expand":
        return net.node("Expand", [x, net.integers(*[net.number(2, 3) if d == 1 and i else 1 for i, d in enumerate(shape)])])
    if kind == "tile":
        needs(np.prod(shape) < 4000)
        return net.node("Tile", [x, net.integers(1, *[net.number(1, 2) for _ in shape[1:]])])
    needs(len(shape) == 4)
    if kind == "space":
        needs(shape[2] % 2 == 0 and shape[3] % 2 == 0)
        return net.node("SpaceToDepth", [x], blocksize=2)
    needs(shape[1] % 4 == 0)
    return net.node("DepthToSpace", [x], blocksize=2, **({"mode": net.pick("DCR", "CRD")} if net.opset >= 11 else {}))
