"""Detectors for networks.py, whole: backbone, heads, decoding of boxes, choice of the best, NonMaxSuppression. The first output is what
the heads say, which has the same shape for every image; the last are the boxes that stay."""
import numpy as np
from onnx import TensorProto, helper

from network_builder import Net
from network_list import network
from networks_attention import heads_of, mlp, tokens_of, weigh
from networks_classification import inverted, resnet_trunk

ZERO = helper.make_tensor("value", TensorProto.INT64, [1], [0])


def gather(net, x, index, axis=0):
    return net.op("Gather", x, index if isinstance(index, str) else net.constant(np.array(index, np.int64)), axis=axis)


def where_true(net, mask):
    """torch.where(mask)[0]: NonZero, Transpose, and a Squeeze of the one axis."""
    return net.squeeze(net.transpose(net.op("NonZero", mask), 1, 0), 1)


def keep_boxes(net, boxes, scores, overlap=0.5, most=20):
    """torchvision's nms as it is exported: NonMaxSuppression of one class, its third column, the best of what stays."""
    kept = net.op("NonMaxSuppression", net.unsqueeze(boxes, 0), net.unsqueeze(net.unsqueeze(scores, 0), 0), net.ints(1000),
                  net.constant(np.array([overlap], np.float32)))
    kept = net.squeeze(gather(net, kept, [2], 1), 1)
    return net.cut(kept, 0, 0, most)


def batched_nms(net, boxes, scores, classes, overlap=0.5, most=20):
    """An If: no boxes, no work; else boxes of different classes are moved apart first."""
    count = net.op("Size", scores)
    some = net.op("Greater", count, net.constant(np.int64(0)))

    def work():
        far = net.op("Add", net.op("ReduceMax", boxes, keepdims=0), 1.0)
        moved = net.op("Add", boxes, net.unsqueeze(net.op("Mul", net.op("Cast", classes, to=TensorProto.FLOAT), far), 1))
        return [keep_boxes(net, moved, scores, overlap, most)]
    then = net.body("some_boxes", work)
    other = net.body("no_box", lambda: [net.op("Cast", net.cut(scores, 0, 0, 0), to=TensorProto.INT64)])
    return net.op("If", some, then_branch=then, else_branch=other)


def anchors(sizes, scales=(0.15, 0.35), image=64):
    """Boxes around every pixel of every map: corners."""
    rows = []
    for h, w in sizes:
        y, x = (np.stack(np.meshgrid(np.arange(h), np.arange(w), indexing="ij")) + 0.5) * image / np.array([h, w]).reshape(2, 1, 1)
        for scale in scales:
            half = image * scale / 2 * (1 + 8 / h)
            rows.append(np.stack([x - half, y - half, x + half, y + half], -1).reshape(-1, 1, 4))
    per_map = [np.concatenate(rows[i:i + len(scales)], 1).reshape(-1, 4) for i in range(0, len(rows), len(scales))]
    return [m.astype(np.float32) for m in per_map]


def decode(net, deltas, boxes):
    """Boxes of offsets to anchors, as torchvision's BoxCoder: both are rows of four numbers."""
    b = [gather(net, boxes, i, 1) for i in range(4)]
    width, height = net.op("Sub", b[2], b[0]), net.op("Sub", b[3], b[1])
    cx, cy = net.op("Add", b[0], net.op("Mul", width, 0.5)), net.op("Add", b[1], net.op("Mul", height, 0.5))
    d = [gather(net, deltas, i, 1) for i in range(4)]
    dw, dh = (net.op("Clip", net.op("Div", v, 5.0), "", net.scalar(4.135)) for v in d[2:])
    x, y = (net.op("Add", net.op("Mul", net.op("Div", v, 10.0), size), c) for v, size, c in ((d[0], width, cx), (d[1], height, cy)))
    halves = [net.op("Mul", net.op("Mul", net.op("Exp", v), size), 0.5) for v, size in ((dw, width), (dh, height))]
    corners = [net.op("Sub", x, halves[0]), net.op("Sub", y, halves[1]), net.op("Add", x, halves[0]), net.op("Add", y, halves[1])]
    return net.concat(*[net.unsqueeze(v, 1) for v in corners], axis=1)


def clipped(net, boxes, image=64.0):
    low, high = net.scalar(0), net.scalar(image)
    return net.op("Clip", boxes, low, high)


def rows_of(net, x, width):
    """N x (A * width) x H x W to N x HWA x width."""
    n, c, h, w = x.shape
    y = net.transpose(net.view(x, None, c // width, width, h, w), 0, 3, 4, 1, 2)
    return net.op("Reshape", y, net.ints(0, h * w * (c // width), width))


def pyramid(net, stages, width=16, extra=0):
    maps = [net.conv(s, width, 1) for s in stages]
    for i in range(len(maps) - 2, -1, -1):
        maps[i] = net.op("Add", maps[i], net.resize(maps[i + 1], like=maps[i]))
    maps = [net.conv(m, width) for m in maps]
    for _ in range(extra):
        maps.append(net.conv(maps[-1], width, 3, 2))
    return maps


def by_threshold(net, scores, boxes, threshold, most):
    """Scores above a threshold: rows and classes of the best."""
    flat = net.op("Reshape", scores, net.ints(-1))
    places = where_true(net, net.op("Greater", flat, threshold))
    chosen = gather(net, flat, places)
    k = net.op("Min", net.op("Shape", chosen), net.ints(most))
    best, order = net.op("TopK", chosen, k, outputs=2, axis=0)
    places = gather(net, places, order)
    classes = scores.shape[-1]
    row = net.op("Div", places, net.constant(np.int64(classes)))
    return best, gather(net, boxes, row), net.op("Mod", places, net.constant(np.int64(classes)))


# ---------------------------------------------------------------- single shot

@network("ssd", opset=12, quick=True)
@network("ssdlite", opset=14, lite=True)
def ssd(net: Net, lite=False, classes=4):
    x = net.input("image", 1, 3, 64, 64)
    y = net.cba(x, 16, 3, 2, "Relu6" if lite else "Relu")
    maps = []
    for i, width in enumerate((24, 32, 32)):
        y = inverted(net, y, width, 2) if lite else net.cba(net.cba(y, width // 2, 1), width, 3, 2)
        if i == 0 and not lite:  # a norm with a scale per channel
            norm = net.op("Add", net.reduce("ReduceL2", y, 1), 1e-10)
            maps.append(net.op("Mul", net.op("Div", y, norm), net.constant(np.full((1, width, 1, 1), 8, np.float32))))
        else:
            maps.append(y)

    def head(m, width):
        m = net.cba(m, m.shape[1], 3, act="Relu6", group=m.shape[1]) if lite else m
        return rows_of(net, net.conv(m, 2 * width, 1 if lite else 3), width)
    logits = net.concat(*[head(m, classes) for m in maps], axis=1)
    deltas = net.concat(*[head(m, 4) for m in maps], axis=1)
    boxes = clipped(net, decode(net, net.squeeze(deltas, 0), net.constant(np.concatenate(anchors([m.shape[2:] for m in maps])))))
    scores = net.squeeze(net.op("Softmax", logits, axis=2), 0)
    found = []
    for label in range(1, classes):
        score = gather(net, scores, label, 1)
        kept = where_true(net, net.op("Greater", score, 0.2))
        score, box = gather(net, score, kept), gather(net, boxes, kept)
        k = net.op("Min", net.op("Shape", score), net.ints(15))
        score, order = net.op("TopK", score, k, outputs=2, axis=0)
        label_of = net.op("Expand", net.constant(np.array([label], np.int64)), net.op("Shape", score))
        found.append((gather(net, box, order), score, label_of))
    box, score, label = (net.concat(*part, axis=0) for part in zip(*found))
    kept = batched_nms(net, box, score, label)
    return [logits, deltas, gather(net, box, kept), gather(net, score, kept), gather(net, label, kept)]


@network("retinanet", opset=13)
@network("retinanet traced", opset=17, traced_shapes=True)
def retinanet(net: Net, classes=3):
    maps = pyramid(net, resnet_trunk(net, net.input("image", 1, 3, 64, 64))[1:], extra=1)
    towers = [[(net.weights(16, 16, 3, 3), net.weights(16, fan_in=100)) for _ in range(2)] for _ in range(2)]
    ends = [(net.weights(2 * width, 16, 3, 3), net.constant(np.full(2 * width, start, np.float32))) for width, start in ((classes, -1), (4, 0))]

    def head(m, which):  # one set of weights for all levels
        for w, b in towers[which]:
            m = net.act(net.op("Conv", m, w, b, pads=[1] * 4))
        return rows_of(net, net.op("Conv", m, *ends[which], pads=[1] * 4), (classes, 4)[which])
    logits, deltas = ([head(m, which) for m in maps] for which in (0, 1))
    found = []
    for logit, delta, anchor in zip(logits, deltas, anchors([m.shape[2:] for m in maps])):
        scores = net.op("Sigmoid", net.squeeze(logit, 0))
        boxes = net.squeeze(net.concat(delta, net.unsqueeze(net.constant(anchor), 0), axis=2), 0)
        best, rows, label = by_threshold(net, scores, boxes, 0.3, 20)
        found.append((clipped(net, decode(net, net.cut(rows, 1, 0, 4), net.cut(rows, 1, 4, 8))), best, label))
    box, score, label = (net.concat(*part, axis=0) for part in zip(*found))
    kept = batched_nms(net, box, score, label)
    return [net.concat(*logits, axis=1), gather(net, box, kept), gather(net, score, kept), gather(net, label, kept)]


@network("fcos", opset=16)
def fcos(net: Net, classes=3):
    maps = pyramid(net, resnet_trunk(net, net.input("image", 1, 3, 64, 64))[2:])

    def tower(m):
        y = net.op("GroupNormalization", net.conv(m, 16), *[net.constant(np.ones(4, np.float32))] * 2, num_groups=4) if net.opset >= 18 else \
            net.bn(net.conv(m, 16))
        return net.act(y)
    logits, sides, centres = ([] for _ in range(3))
    for m in maps:
        a, b = tower(m), tower(m)
        logits.append(rows_of(net, net.conv(a, classes), classes))
        sides.append(rows_of(net, net.op("Mul", net.act(net.conv(b, 4)), 16.0), 4))
        centres.append(rows_of(net, net.conv(b, 1), 1))
    logit, side, centre = (net.concat(*v, axis=1) for v in (logits, sides, centres))
    score = net.squeeze(net.op("Sqrt", net.op("Mul", net.op("Sigmoid", logit), net.op("Sigmoid", centre))), 0)
    place = np.concatenate([a.reshape(-1, 4)[:, :2] + a.reshape(-1, 4)[:, 2:] for a in anchors([m.shape[2:] for m in maps], (0.2,))]) / 2
    near, far = net.split(net.squeeze(side, 0), 1, 2, 2)
    boxes = net.concat(net.op("Sub", net.constant(place.astype(np.float32)), near), net.op("Add", net.constant(place.astype(np.float32)), far), axis=1)
    best, box, label = by_threshold(net, score, clipped(net, boxes), 0.4, 30)
    kept = batched_nms(net, box, best, label)
    return [logit, side, gather(net, box, kept), gather(net, best, kept)]


# ---------------------------------------------------------------- two stages

def box_level(net, boxes):
    """floor(3 + log2(sqrt(area) / 48)), the map that a box is read of."""
    b = [gather(net, boxes, i, 1) for i in range(4)]
    area = net.op("Mul", net.op("Sub", b[2], b[0]), net.op("Sub", b[3], b[1]))
    level = net.op("Div", net.op("Log", net.op("Add", net.op("Div", net.op("Sqrt", area), 48.0), 1e-6)), float(np.log(2)))
    level = net.op("Clip", net.op("Floor", net.op("Add", level, 3.0)), net.scalar(2), net.scalar(3))
    return net.op("Sub", net.op("Cast", level, to=TensorProto.INT64), net.constant(np.int64(2)))


def pooled_regions(net, maps, boxes, size):
    """MultiScaleRoIAlign: the boxes of each level, RoiAlign of its map, the results scattered back in order."""
    level = box_level(net, boxes)
    shape = net.concat(net.extent(boxes, 0), net.ints(maps[0].shape[1], size, size), axis=0)
    result = net.op("ConstantOfShape", shape)
    for i, m in enumerate(maps):
        places = where_true(net, net.op("Equal", level, net.constant(np.int64(i))))
        rois = gather(net, boxes, places)
        batch = net.op("ConstantOfShape", net.op("Shape", places), value=ZERO)
        regions = net.op("RoiAlign", m, rois, batch, output_height=size, output_width=size, sampling_ratio=2, spatial_scale=m.shape[2] / 64)
        result = net.op("ScatterND", result, net.unsqueeze(places, 1), regions)
    return result



def proposals(net, maps, most=12):
    """The region proposal network: per level the best by TopK, then NonMaxSuppression over levels."""
    found, logits = [], []
    for i, (m, anchor) in enumerate(zip(maps, anchors([m.shape[2:] for m in maps]))):
        y = net.act(net.conv(m, 16))
        logit = net.squeeze(rows_of(net, net.conv(y, 2, 1), 1), 0, 2)
        delta = net.squeeze(rows_of(net, net.conv(y, 8, 1, gain=0.3), 4), 0)
        k = net.op("Min", net.op("Shape", logit), net.ints(25))
        best, order = net.op("TopK", logit, k, outputs=2, axis=0)
        boxes = decode(net, gather(net, delta, order), gather(net, net.constant(anchor), order))
        found.append((clipped(net, boxes), net.op("Sigmoid", best), net.op("ConstantOfShape", net.op("Shape", best), value=ZERO)))
        logits.append(logit)
    boxes, score, level = (net.concat(*part, axis=0) for part in zip(*found))
    b = [gather(net, boxes, i, 1) for i in range(4)]
    big = net.op("And", *[net.op("GreaterOrEqual", net.op("Sub", b[i + 2], b[i]), 1.0) for i in (0, 1)])
    places = where_true(net, big)
    boxes, score, level = (gather(net, v, places) for v in (boxes, score, level))
    kept = batched_nms(net, boxes, score, level, 0.7, most)
    return gather(net, boxes, kept), net.concat(*logits, axis=0)


@network("faster_rcnn", opset=12, quick=True)
@network("mask_rcnn", opset=16, masks=True)
@network("keypoint_rcnn", opset=18, points=True)
def faster_rcnn(net: Net, masks=False, points=False, classes=3):
    maps = pyramid(net, resnet_trunk(net, net.input("image", 1, 3, 64, 64))[1:3])
    regions, objectness = proposals(net, maps)
    y = net.flatten(pooled_regions(net, maps, regions, 4))
    y = net.act(net.linear(net.act(net.linear(y, 48)), 48))
    scores = net.op("Softmax", net.linear(y, classes), axis=1)
    deltas = net.op("Reshape", net.linear(y, 4 * classes), net.ints(-1, classes, 4))
    found = []
    for label in range(1, classes):
        boxes = clipped(net, decode(net, gather(net, deltas, label, 1), regions))
        score = gather(net, scores, label, 1)
        kept = where_true(net, net.op("Greater", score, 0.2))
        found.append((gather(net, boxes, kept), gather(net, score, kept), net.op("Expand", net.ints(label), net.op("Shape", kept))))
    box, score, label = (net.concat(*part, axis=0) for part in zip(*found))
    kept = batched_nms(net, box, score, label)
    box, results = gather(net, box, kept), []
    if masks or points:
        z = pooled_regions(net, maps, box, 6)
        z = net.act(net.conv(z, 16))
        z = net.op("ConvTranspose", z, net.weights(16, 16, 2, 2, fan_in=16), net.weights(16, fan_in=100), kernel_shape=[2, 2], strides=[2, 2])
        results = [net.op("Sigmoid", net.conv(net.act(z), classes, 1))] if masks else [net.resize(net.conv(z, 5), 2, "linear")]
    return [objectness, box, gather(net, score, kept), gather(net, label, kept), *results]


# ---------------------------------------------------------------- YOLO

def c3(net, x, width, shortcut=True):
    a, b = net.cba(x, width // 2, 1, act="SiLU"), net.cba(x, width // 2, 1, act="SiLU")
    z = net.cba(net.cba(a, width // 2, 1, act="SiLU"), width // 2, act="SiLU")
    return net.cba(net.concat(net.op("Add", a, z) if shortcut else z, b), width, 1, act="SiLU")


def c2f(net, x, width):
    y = net.cba(x, width, 1, act="SiLU")
    a, b = net.split(y, 1, width // 2, width // 2)
    z = net.op("Add", b, net.cba(net.cba(b, width // 2, act="SiLU"), width // 2, act="SiLU"))
    return net.cba(net.concat(a, b, z), width, 1, act="SiLU")


def sppf(net, x, width):
    y = [net.cba(x, width // 2, 1, act="SiLU")]
    for _ in range(3):
        y.append(net.pool(y[-1], 5, 1, 2))
    return net.cba(net.concat(*y), width, 1, act="SiLU")


def yolo_neck(net, stages, block):
    low, middle, high = stages
    up = block(net, net.concat(net.resize(net.cba(high, 24, 1, act="SiLU"), 2), middle), 24)
    first = block(net, net.concat(net.resize(up, 2), low), 16)
    second = block(net, net.concat(net.cba(first, 16, 3, 2, "SiLU"), up), 24)
    return first, second, block(net, net.concat(net.cba(second, 24, 3, 2, "SiLU"), high), 32)


def yolo_trunk(net, first, block, last=sppf):
    y, stages = first, []
    for width in (16, 24, 32):
        y = block(net, net.cba(y, width, 3, 2, "SiLU"), width)
        stages.append(y)
    stages[-1] = last(net, y, 32)
    return stages


def last_nms(net, rows, boxes, scores):
    """NonMaxSuppression of all classes as the exporters of YOLO append it; the rows that stay, by batch and place."""
    kept = net.op("NonMaxSuppression", boxes, scores, net.ints(10), net.constant(np.array([0.5], np.float32)), net.constant(np.array([0.25], np.float32)),
                  center_point_box=1)
    return net.op("GatherND", rows, gather(net, kept, [0, 2], 1)), kept


@network("yolov3", opset=11, kind=3)
@network("yolov5 focus", opset=12, kind=4)
@network("yolov5", opset=17, kind=5, traced_shapes=True)
def yolov5(net: Net, kind=5, classes=3):
    x = net.input("image", 1, 3, 64, 64)
    if kind == 4:  # Focus
        y = net.concat(*[net.cut(net.cut(x, 2, a, 2 ** 62, 2), 3, b, 2 ** 62, 2) for b in (0, 1) for a in (0, 1)])
        y = net.cba(y, 12, act="SiLU")
    else:
        y = net.cba(x, 12, 3 if kind == 3 else 6, 2, "LeakyRelu" if kind == 3 else "SiLU", pad=1 if kind == 3 else 2)
    maps = yolo_neck(net, yolo_trunk(net, y, c3), c3)
    rows, heads = [], []
    for m, size in zip(maps, (8.0, 16.0, 32.0)):
        n, c, h, w = m.shape
        width = 5 + classes
        heads.append(net.conv(m, 2 * width, 1, gain=0.5))
        y = net.transpose(net.view(heads[-1], None, 2, width, h, w), 0, 1, 3, 4, 2)
        y = net.op("Sigmoid", y)
        at, extent, rest = net.split(y, 4, 2, 2, 1 + classes)
        grid = np.stack(np.meshgrid(np.arange(w), np.arange(h)), -1).astype(np.float32).reshape(1, 1, h, w, 2) - 0.5
        at = net.op("Mul", net.op("Add", net.op("Mul", at, 2.0), net.constant(grid)), size)
        extent = net.op("Mul", net.op("Pow", net.op("Mul", extent, 2.0), 2.0), net.constant(np.array([1, 1.5], np.float32).reshape(1, 1, 1, 1, 2) * size))
        rows.append(net.view(net.concat(at, extent, rest, axis=4), None, -1, width))
    y = net.concat(*rows, axis=1)
    boxes, sure, scores = net.split(y, 2, 4, 1, classes)
    final, kept = last_nms(net, y, boxes, net.transpose(net.op("Mul", scores, sure), 0, 2, 1))
    return [*heads, y, final, kept]


def c2psa(net, x, width):
    """Attention over all pixels with a position of its own, as YOLO11 has it behind SPPF."""
    y = net.cba(sppf(net, x, width), width, 1, act="SiLU")
    a, b = net.split(y, 1, width // 2, width // 2)
    n, c, h, w = b.shape
    qkv = net.op("Reshape", net.bn(net.conv(b, 2 * c, 1, bias=False)), net.ints(n, 2, c, h * w))
    q, k, v = net.split(qkv, 2, c // 4, c // 4, c // 2)
    score = net.op("Softmax", net.op("Mul", net.op("MatMul", net.transpose(q, 0, 1, 3, 2), k), (c // 4) ** -0.5), axis=-1)
    z = net.op("Reshape", net.op("MatMul", v, net.transpose(score, 0, 1, 3, 2)), net.ints(n, c, h, w))
    place = net.bn(net.conv(net.op("Reshape", v, net.ints(n, c, h, w)), c, group=c, bias=False))
    b = net.op("Add", b, net.bn(net.conv(net.op("Add", z, place), c, 1, bias=False)))
    b = net.op("Add", b, net.bn(net.conv(net.cba(b, 2 * c, 1, act="SiLU"), c, 1, bias=False)))
    return net.cba(net.concat(a, b), width, 1, act="SiLU")


@network("yolov8", opset=17, quick=True)
@network("yolo11", opset=19, attention=True)
@network("yolov8 end to end", opset=12, final=True)
def yolov8(net: Net, attention=False, final=False, classes=3, bins=8):
    """Heads without anchors: a distribution over distances, whose mean is taken by a convolution."""
    first = net.cba(net.input("image", 1, 3, 64, 64), 12, 3, 2, "SiLU")
    maps = yolo_neck(net, yolo_trunk(net, first, c2f, c2psa if attention else sppf), c2f)
    raw = []
    for m in maps:
        box = net.conv(net.cba(m, 16, act="SiLU"), 4 * bins, 1)
        score = net.conv(net.cba(net.cba(m, m.shape[1], act="SiLU", group=m.shape[1]) if attention else m, 16, act="SiLU"), classes, 1, gain=0.3)
        raw.append(net.view(net.concat(box, score), None, 4 * bins + classes, m.shape[2] * m.shape[3]))
    y = net.concat(*raw, axis=2)
    box, score = net.split(y, 1, 4 * bins, classes)
    count = y.shape[2]
    box = net.op("Softmax", net.transpose(net.view(box, None, 4, bins, count), 0, 2, 1, 3), axis=1)
    box = net.op("Conv", box, net.constant(np.arange(bins, dtype=np.float32).reshape(1, bins, 1, 1)), kernel_shape=[1, 1])
    near, far = net.split(net.view(box, None, 4, count), 1, 2, 2)
    place = np.concatenate([np.stack(np.meshgrid(np.arange(m.shape[3]), np.arange(m.shape[2]))).reshape(2, -1) + 0.5 for m in maps], 1)
    stride = np.concatenate([np.full(m.shape[2] * m.shape[3], 64 / m.shape[2]) for m in maps])
    place, stride = net.constant(place[None].astype(np.float32)), net.constant(stride[None].astype(np.float32))
    low, high = net.op("Sub", place, near), net.op("Add", place, far)
    centre, extent = net.op("Div", net.op("Add", low, high), 2.0), net.op("Sub", high, low)
    box = net.op("Mul", net.concat(centre, extent), stride)
    score = net.op("Sigmoid", score)
    y = net.concat(box, score)
    if final:
        return [y, *last_nms(net, net.transpose(y, 0, 2, 1), net.transpose(box, 0, 2, 1), score)]
    return [y]


@network("yolox", opset=11)
def yolox(net: Net, classes=3):
    first = net.input("image", 1, 3, 64, 64)
    first = net.concat(*[net.cut(net.cut(first, 2, a, 2 ** 62, 2), 3, b, 2 ** 62, 2) for b in (0, 1) for a in (0, 1)])
    rows = []
    for m in yolo_neck(net, yolo_trunk(net, net.cba(first, 12, act="SiLU"), c3), c3):
        y = net.cba(m, 16, 1, act="SiLU")
        a, b = net.cba(y, 16, act="SiLU"), net.cba(y, 16, act="SiLU")
        parts = [net.conv(b, 4, 1), net.op("Sigmoid", net.conv(b, 1, 1)), net.op("Sigmoid", net.conv(a, classes, 1))]
        rows.append(net.op("Reshape", net.concat(*parts), net.ints(1, 5 + classes, -1)))
    return [net.transpose(net.concat(*rows, axis=2), 0, 2, 1)]


# ---------------------------------------------------------------- others

@network("detr", opset=14)
@network("detr opset 20", opset=20)
def detr(net: Net, width=24, queries=6):
    y = net.conv(resnet_trunk(net, net.input("image", 1, 3, 64, 64))[2], width, 1)
    n, c, h, w = y.shape
    position = net.weights(1, h * w, width, fan_in=25)
    y = tokens_of(net, y)

    def attend(q, k, v, heads=3):
        return net.linear(weigh(net, *[heads_of(net, net.linear(t, width), heads) for t in (q, k, v)]), width)
    for _ in range(2):
        q = net.op("Add", y, position)
        y = net.layer_norm(net.op("Add", y, attend(q, q, y)))
        y = net.layer_norm(net.op("Add", y, mlp(net, y, act="Relu")))
    learned = net.weights(queries, width, fan_in=1)
    z = net.op("Expand", net.unsqueeze(learned, 0), net.concat(net.extent(y, 0), net.ints(queries, width), axis=0))
    for _ in range(2):
        q = net.op("Add", z, net.unsqueeze(learned, 0))
        z = net.layer_norm(net.op("Add", z, attend(q, q, z)))
        z = net.layer_norm(net.op("Add", z, attend(net.op("Add", z, net.unsqueeze(learned, 0)), net.op("Add", y, position), y)))
        z = net.layer_norm(net.op("Add", z, mlp(net, z, act="Relu")))
    boxes = net.op("Sigmoid", net.linear(net.act(net.linear(z, width)), 4))
    return [net.linear(z, 5), boxes]


@network("centernet", opset=11)
def centernet(net: Net):
    """The peaks of a map of heat: a pool finds them, TopK takes them, Gather reads sizes there."""
    y = resnet_trunk(net, net.input("image", 1, 3, 64, 64))[-1]
    for _ in range(2):
        y = net.op("ConvTranspose", y, net.weights(y.shape[1], 16, 4, 4, fan_in=4 * y.shape[1]), kernel_shape=[4, 4], strides=[2, 2], pads=[1] * 4)
        y = net.act(net.bn(y))
    heat, size = (net.conv(net.act(net.conv(y, 16)), width, 1) for width in (2, 2))
    score = net.op("Sigmoid", heat)
    peak = net.op("Cast", net.op("Equal", net.pool(score, 3, 1, 1), score), to=TensorProto.FLOAT)
    best, places = net.op("TopK", net.flatten(net.op("Mul", score, peak)), net.ints(8), outputs=2, axis=1)
    pixel = net.op("Mod", places, net.constant(np.int64(y.shape[2] * y.shape[3])))
    rows = net.op("Reshape", net.transpose(size, 0, 2, 3, 1), net.ints(1, -1, 2))
    index = net.op("Expand", net.unsqueeze(pixel, 2), net.ints(1, 8, 2))
    return [heat, size, best, net.op("GatherElements", rows, index, axis=1)]


@network("efficientdet", opset=13)
def efficientdet(net: Net):
    def fuse(*parts):  # weights that learn which part counts, never negative
        w = net.act(net.constant(net.random.uniform(0.3, 1, len(parts)).astype(np.float32)))
        w = net.op("Div", w, net.op("Add", net.op("ReduceSum", w, keepdims=0), 1e-4))
        y = None
        for i, part in enumerate(parts):
            part = net.op("Mul", part, gather(net, w, i))
            y = part if y is None else net.op("Add", y, part)
        y = net.act(y, "SiLU")
        return net.bn(net.conv(net.conv(y, y.shape[1], group=y.shape[1], bias=False), 16, 1))
    y, stages = net.cba(net.input("image", 1, 3, 64, 64), 8, 3, 2, "SiLU"), []
    for width in (16, 24, 32):
        y = inverted(net, y, width, 2, act="SiLU", se=4, se_act="SiLU")
        stages.append(net.bn(net.conv(y, 16, 1)))
    a, b, c = stages
    b_up = fuse(b, net.resize(c, 2))
    a = fuse(a, net.resize(b_up, 2))
    b = fuse(b, b_up, net.pool(a, 3, 2, 1))
    c = fuse(c, net.pool(b, 3, 2, 1))
    heads = [[rows_of(net, net.conv(net.conv(m, 16, group=16), 2 * width, 1), width) for m in (a, b, c)] for width in (3, 4)]
    return [net.concat(*rows, axis=1) for rows in heads]


@network("blazeface", opset=12)
def blazeface(net: Net):
    y = net.act(net.conv(net.input("face", 1, 3, 64, 64), 12, 5, 2))
    for width, stride in ((12, 1), (16, 2), (24, 2), (24, 1)):
        z = net.conv(net.conv(y, y.shape[1], 5, stride, group=y.shape[1]), width, 1)
        skip = net.pool(y, 2, 2, 0) if stride == 2 else y
        if skip.shape[1] != width:
            skip = net.op("Pad", skip, net.ints(0, 0, 0, 0, 0, width - skip.shape[1], 0, 0))
        y = net.act(net.op("Add", z, skip))
    low = net.act(net.conv(y, 24, 3, 2))
    rows = [[net.op("Reshape", net.transpose(net.conv(m, 2 * width), 0, 2, 3, 1), net.ints(1, -1, width)) for m in (y, low)] for width in (1, 6)]
    return [net.op("Sigmoid", net.concat(*rows[0], axis=1)), net.concat(*rows[1], axis=1)]
