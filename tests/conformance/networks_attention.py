"""Networks of attention and of sequences for networks.py: ViT, Swin, MaxViT, MLP-Mixer, readers of text lines, video."""
import numpy as np

from network_builder import Net
from network_list import network
from networks_classification import basic_block, classifier, inverted


def tokens_of(net, x):
    """Patches as a sequence: N x C x H x W to N x HW x C."""
    n, c, h, w = x.shape
    return net.transpose(net.view(x, None, c, h * w), 0, 2, 1)


def heads_of(net, x, heads):
    n, length, width = x.shape
    return net.transpose(net.view(x, None, length, heads, width // heads), 0, 2, 1, 3)


def weigh(net, q, k, v, bias=()):
    """Softmax(q k / sqrt(d) + bias) v, the heads joined again."""
    n, heads, length, size = q.shape
    score = net.op("MatMul", net.op("Mul", q, size ** -0.5), net.transpose(k, 0, 1, 3, 2))
    for part in bias:
        score = net.op("Add", score, part)
    y = net.transpose(net.op("MatMul", net.op("Softmax", score, axis=-1), v), 0, 2, 1, 3)
    return net.view(y, None, length, heads * v.shape[3])


def self_attention(net, x, heads, bias=()):
    """One product for queries, keys and values, as timm has it."""
    n, length, width = x.shape
    y = net.view(net.linear(x, 3 * width), None, length, 3, heads, width // heads)
    y = net.transpose(y, 2, 0, 3, 1, 4)
    q, k, v = (net.op("Gather", y, net.constant(np.int64(i)), axis=0) for i in range(3))
    return net.linear(weigh(net, q, k, v, bias), width)


def mlp(net, x, factor=2, act="GELU"):
    return net.linear(net.act(net.linear(x, factor * x.shape[-1]), act), x.shape[-1])


def encoder(net, x, heads=4):
    x = net.op("Add", x, self_attention(net, net.layer_norm(x), heads))
    return net.op("Add", x, mlp(net, net.layer_norm(x)))


@network("vit", opset=14, traced_shapes=True)
@network("vit new", opset=17, open_batch=True, quick=True)
@network("vit opset 20", opset=20)
@network("deit distilled", opset=16, extra=2)
def vit(net: Net, extra=1):
    y = tokens_of(net, net.conv(net.input("image", 1, 3, 48, 48), 32, 8, 8, 0))
    token = net.constant(net.random.normal(size=(1, extra, 32)).astype(np.float32))
    if net.open_batch or net.traced_shapes:  # cls_token.expand(x.shape[0], -1, -1)
        token = net.op("Expand", token, net.concat(net.extent(y, 0), net.ints(extra, 32), axis=0))
    y = net.concat(token, y, axis=1)
    y = net.op("Add", y, net.weights(1, y.shape[1], 32, fan_in=25))
    y = net.layer_norm(encoder(net, encoder(net, y)))
    rows = [net.linear(net.op("Gather", y, net.constant(np.int64(i)), axis=1), 10) for i in range(extra)]
    return [rows[0] if extra == 1 else net.op("Div", net.op("Add", *rows), 2.0)]


@network("vit fused", opset=23)
def vit_of_operators(net: Net):
    """Attention, RMSNormalization and Swish as operators of their own."""
    y = tokens_of(net, net.conv(net.input("image", 1, 3, 48, 48), 32, 8, 8, 0))
    for _ in range(2):
        z = net.op("RMSNormalization", y, net.constant(np.ones(32, np.float32)), axis=-1)
        q, k, v = (net.linear(z, 32, bias=False) for _ in range(3))
        y = net.op("Add", y, net.linear(net.op("Attention", q, k, v, q_num_heads=4, kv_num_heads=4), 32))
        y = net.op("Add", y, mlp(net, net.op("RMSNormalization", y, net.constant(np.ones(32, np.float32)), axis=-1), act="SiLU"))
    return [net.linear(net.reduce("ReduceMean", y, 1, keep=0), 10)]


@network("mlp_mixer", opset=12)
def mixer(net: Net):
    y = tokens_of(net, net.conv(net.input("image", 1, 3, 48, 48), 24, 8, 8, 0))
    for _ in range(2):
        z = net.transpose(mlp(net, net.transpose(net.layer_norm(y), 0, 2, 1)), 0, 2, 1)
        y = net.op("Add", y, z)
        y = net.op("Add", y, mlp(net, net.layer_norm(y)))
    return [net.linear(net.reduce("ReduceMean", net.layer_norm(y), 1, keep=0), 10)]


# ---------------------------------------------------------------- windows

def windows_of(net, x, size):
    n, h, w, c = x.shape
    y = net.transpose(net.view(x, None, h // size, size, w // size, size, c), 0, 1, 3, 2, 4, 5)
    return net.op("Reshape", y, net.ints(-1, size * size, c))


def from_windows(net, y, size, h, w):
    c = y.shape[-1]
    y = net.op("Reshape", y, net.ints(-1, h // size, w // size, size, size, c))
    return net.op("Reshape", net.transpose(y, 0, 1, 3, 2, 4, 5), net.ints(-1, h, w, c))


def roll(net, x, step):
    for axis in (1, 2):
        x = net.concat(net.cut(x, axis, step, 2 ** 62), net.cut(x, axis, 0, step), axis=axis)
    return x


def relative_bias(net, heads, size):
    """The table of relative positions, read by index."""
    table = net.weights((2 * size - 1) ** 2, heads, fan_in=9)
    place = np.stack(np.meshgrid(range(size), range(size), indexing="ij")).reshape(2, -1)
    far = place[:, :, None] - place[:, None] + size - 1
    y = net.op("Gather", table, net.constant((far[0] * (2 * size - 1) + far[1]).reshape(-1)), axis=0)
    return net.unsqueeze(net.transpose(net.op("Reshape", y, net.ints(size ** 2, size ** 2, heads)), 2, 0, 1), 0)


def shift_mask(net, height, size, shift):
    """-100 between windows that the roll has brought together; written by ScatterND as slices are, then compared."""
    region = net.constant(np.zeros((1, height, height, 1), np.float32))
    ends, count = [0, height - size, height - shift, height], 0
    for top, bottom in zip(ends, ends[1:]):
        for left, right in zip(ends, ends[1:]):
            places = np.stack(np.meshgrid([0], range(top, bottom), range(left, right), [0], indexing="ij"), -1)
            filled = net.constant(np.full(places.shape[:-1], count, np.float32))
            region = net.op("ScatterND", region, net.constant(places.astype(np.int64)), filled)
            count += 1
    rows = net.op("Reshape", windows_of(net, region, size), net.ints(-1, size * size))
    apart = net.op("Sub", net.unsqueeze(rows, 1), net.unsqueeze(rows, 2))
    same = net.op("Equal", apart, 0.0)
    return net.op("Where", same, 0.0, -100.0)


def swin_attention(net, x, heads, size, shift, version):
    n, h, w, c = x.shape
    y = windows_of(net, roll(net, x, shift) if shift else x, size)
    bias = [relative_bias(net, heads, size)]
    count, length = y.shape[:2]
    qkv = net.transpose(net.op("Reshape", net.linear(y, 3 * c), net.ints(-1, length, 3, heads, c // heads)), 2, 0, 3, 1, 4)
    q, k, v = (net.op("Gather", qkv, net.constant(np.int64(i)), axis=0) for i in range(3))
    if version == 2:  # the cosine of queries and keys, with a scale of its own per head
        q, k = (net.op("Div", t, net.op("Clip", net.reduce("ReduceL2", t, -1), net.scalar(1e-12))) for t in (q, k))
        scale = net.op("Exp", net.op("Min", net.constant(np.full((heads, 1, 1), 2.3, np.float32)), net.scalar(4.6)))
        score = net.op("Mul", net.op("MatMul", q, net.transpose(k, 0, 1, 3, 2)), scale)
    else:
        score = net.op("MatMul", net.op("Mul", q, (c // heads) ** -0.5), net.transpose(k, 0, 1, 3, 2))
    score = net.op("Add", score, bias[0])
    if shift:
        mask = net.unsqueeze(net.unsqueeze(shift_mask(net, h, size, shift), 1), 0)
        score = net.op("Reshape", score, net.ints(-1, count, heads, length, length))
        score = net.op("Reshape", net.op("Add", score, mask), net.ints(-1, heads, length, length))
    y = net.transpose(net.op("MatMul", net.op("Softmax", score, axis=-1), v), 0, 2, 1, 3)
    y = from_windows(net, net.linear(net.op("Reshape", y, net.ints(-1, length, c)), c), size, h, w)
    return roll(net, y, h - shift) if shift else y


@network("swin", opset=13, quick=True)
@network("swin new", opset=17)
@network("swin_v2", opset=16, version=2)
def swin(net: Net, version=1, size=4):
    y = net.transpose(net.conv(net.input("image", 1, 3, 64, 64), 16, 4, 4, 0), 0, 2, 3, 1)
    y = net.layer_norm(y)
    for stage in range(2):
        for shift in (0, size // 2 if y.shape[1] > size else 0):
            z = y if version == 2 else net.layer_norm(y)
            z = swin_attention(net, z, 2 + 2 * stage, size, shift, version)
            y = net.op("Add", y, net.layer_norm(z) if version == 2 else z)
            z = mlp(net, y if version == 2 else net.layer_norm(y))
            y = net.op("Add", y, net.layer_norm(z) if version == 2 else z)
        if stage == 0:  # patch merging
            corners = [net.cut(net.cut(y, 1, a, 2 ** 62, 2), 2, b, 2 ** 62, 2) for b in (0, 1) for a in (0, 1)]
            y = net.linear(net.layer_norm(net.concat(*corners, axis=3)), 32, bias=False)
    y = net.transpose(net.layer_norm(y), 0, 3, 1, 2)
    return [classifier(net, y)]


@network(opset=15)
def maxvit(net: Net, size=4):
    """MBConv, attention in windows, attention on a grid; products by Einsum."""
    def attend(z, heads=2):
        count, length, c = z.shape
        q, k, v = (net.op("Reshape", t, net.ints(-1, length, heads, c // heads)) for t in net.split(net.linear(z, 3 * c), 2, c, c, c))
        score = net.op("Mul", net.op("Einsum", q, k, equation="blhd,bmhd->bhlm"), (c // heads) ** -0.5)
        score = net.op("Softmax", net.op("Add", score, relative_bias(net, heads, size)), axis=-1)
        y = net.op("Einsum", score, v, equation="bhlm,bmhd->blhd")
        return net.linear(net.op("Reshape", y, net.ints(-1, length, c)), c)

    def on_grid(x):
        n, h, w, c = x.shape
        y = net.transpose(net.view(x, None, size, h // size, size, w // size, c), 0, 2, 4, 1, 3, 5)
        y = net.op("Reshape", y, net.ints(-1, size * size, c))
        y = net.op("Reshape", attend(net.layer_norm(y)), net.ints(-1, h // size, w // size, size, size, c))
        return net.op("Reshape", net.transpose(y, 0, 3, 1, 4, 2, 5), net.ints(-1, h, w, c))
    y = net.cba(net.input("image", 1, 3, 64, 64), 16, 3, 2, "GELU")
    for width in (16, 24):
        y = inverted(net, y, width, 2, act="SiLU", se=4)
        z = net.transpose(y, 0, 2, 3, 1)
        h, w = z.shape[1:3]
        z = net.op("Add", z, from_windows(net, attend(windows_of(net, net.layer_norm(z), size)), size, h, w))
        z = net.op("Add", z, mlp(net, net.layer_norm(z)))
        z = net.op("Add", z, on_grid(z))
        y = net.transpose(net.op("Add", z, mlp(net, net.layer_norm(z))), 0, 3, 1, 2)
    return [classifier(net, y)]


@network("convnext", opset=14)
@network("convnext new", opset=20, traced_shapes=True)
def convnext(net: Net):
    def norm(y):
        return net.transpose(net.layer_norm(net.transpose(y, 0, 2, 3, 1)), 0, 3, 1, 2)
    y = norm(net.conv(net.input("image", 1, 3, 64, 64), 16, 4, 4, 0))
    for width in (16, 32):
        if y.shape[1] != width:
            y = net.conv(norm(y), width, 2, 2, 0)
        for _ in range(2):
            z = net.transpose(net.conv(y, width, 7, group=width), 0, 2, 3, 1)
            z = net.transpose(mlp(net, net.layer_norm(z), 4), 0, 3, 1, 2)
            y = net.op("Add", y, net.op("Mul", z, net.constant(net.random.normal(0.5, 0.1, (width, 1, 1)).astype(np.float32))))
    return [net.linear(net.flatten(norm(net.op("GlobalAveragePool", y))), 10)]


# ---------------------------------------------------------------- sequences

def recurrent(net, x, kind, hidden, **more):
    """A layer in both directions over L x N x C, as nn.LSTM and nn.GRU are exported: zeros to start from, Transpose and Reshape."""
    gates = {"LSTM": 4, "GRU": 3}[kind]
    operands = [net.weights(2, gates * hidden, x.shape[2], fan_in=x.shape[2]), net.weights(2, gates * hidden, hidden, fan_in=hidden),
                net.weights(2, 2 * gates * hidden, fan_in=50)]
    batch = net.extent(x, 1)
    zeros = net.op("Expand", net.constant(np.zeros((2, 1, hidden), np.float32)), net.concat(net.ints(2), batch, net.ints(hidden), axis=0))
    states = [zeros] * (2 if kind == "LSTM" else 1)
    y = net.op(kind, x, *operands, "", *states, outputs=len(states) + 1, direction="bidirectional", hidden_size=hidden, **more)[0]
    return net.op("Reshape", net.transpose(y, 0, 2, 1, 3), net.ints(0, 0, -1))


@network("crnn lstm", opset=11, kind="LSTM", quick=True)
@network("crnn gru", opset=14, kind="GRU", open_batch=True, quick=True)
def crnn(net: Net, kind="LSTM"):
    y = net.input("line", 1, 1, 32, 96)
    for width, stride in ((16, 2), (24, 2), (32, (2, 1)), (32, (2, 1))):
        kernel = stride if isinstance(stride, tuple) else (2, 2)
        y = net.op("MaxPool", net.cba(y, width), kernel_shape=kernel, strides=kernel)
    y = net.cba(y, 48, (2, 1), pad=(0, 0))
    y = net.transpose(net.squeeze(y, 2), 2, 0, 1)
    more = {"linear_before_reset": 1} if kind == "GRU" else {}
    for _ in range(2):
        y = net.linear(recurrent(net, y, kind, 24, **more), 32)
    return [net.op("LogSoftmax", net.linear(y, 37), axis=2)]


@network("svtr", opset=16)
def svtr(net: Net):
    y = net.cba(net.cba(net.input("line", 1, 3, 32, 96), 16, 3, 2, "GELU"), 32, 3, 2, "GELU")
    h, w = y.shape[2:]
    y = net.transpose(encoder(net, tokens_of(net, y)), 0, 2, 1)
    y = net.act(net.conv(net.view(y, None, 32, h, w), 48, 3, (2, 1)), "HardSwish")
    y = net.transpose(net.squeeze(net.op("AveragePool", y, kernel_shape=[y.shape[2], 1], strides=[1, 1]), 2), 0, 2, 1)
    return [net.op("Softmax", net.linear(y, 37), axis=2)]


# ---------------------------------------------------------------- video

@network("r3d_18", opset=13)
@network("mc3_18", opset=11, flat=True, open_batch=True)
def r3d(net: Net, flat=False):
    y = net.cba(net.input("clip", 1, 3, 8, 32, 32), 8, (3, 7, 7), (1, 2, 2))
    for i, width in enumerate((8, 16, 24)):
        def layer(v, stride=1):
            return net.bn(net.conv(v, width, (1, 3, 3) if flat and i else 3, stride, bias=False))
        stride = 2 if i else 1
        z = layer(net.act(layer(y, (1, 2, 2) if flat and i else stride)))
        y = y if z.shape == y.shape else net.bn(net.conv(y, width, 1, (1, 2, 2) if flat else stride, 0, bias=False))
        y = net.act(net.op("Add", z, y))
    return [classifier(net, y)]


@network("r2plus1d", opset=17, traced_shapes=True)
def r2plus1d(net: Net):
    y = net.input("clip", 1, 3, 8, 32, 32)
    for width, stride in ((8, 1), (16, 2), (24, 2)):
        y = net.cba(net.cba(y, 2 * width, (1, 3, 3), (1, stride, stride)), width, (3, 1, 1), (stride, 1, 1))
    return [classifier(net, y)]


@network("s3d", opset=14)
def s3d(net: Net):
    y = net.pool(net.cba(net.input("clip", 1, 3, 8, 32, 32), 16, (1, 3, 3), (1, 2, 2)), 3, 2, 1)
    parts = [net.cba(y, 8, 1), net.cba(net.cba(net.cba(y, 8, 1), 12, (1, 3, 3)), 12, (3, 1, 1)), net.cba(net.pool(y, 3, 1, 1), 8, 1)]
    y = net.concat(*parts)
    y = net.op("AveragePool", y, kernel_shape=[2, *y.shape[3:]], strides=[1, 1, 1])
    return [net.reduce("ReduceMean", net.squeeze(net.conv(y, 10, 1), 3, 4), 2, keep=0)]


@network("mvit", opset=17)
def mvit(net: Net):
    """Attention whose queries, keys and values are pooled in three axes, with the class token aside."""
    def pooled(t, extent, stride):
        n, heads, length, size = t.shape
        first, rest = net.cut(t, 2, 0, 1), net.cut(t, 2, 1, 2 ** 62)
        rest = net.transpose(net.op("Reshape", rest, net.ints(n * heads, *extent, size)), 0, 4, 1, 2, 3)
        rest = net.conv(rest, size, 3, (1, stride, stride), group=size, bias=False)
        now = rest.shape[2:]
        rest = net.transpose(net.op("Reshape", rest, net.ints(n, heads, size, int(np.prod(now)))), 0, 1, 3, 2)
        return net.layer_norm(net.concat(first, rest, axis=2)), now
    y = net.conv(net.input("clip", 1, 3, 8, 32, 32), 24, (3, 7, 7), (2, 4, 4), pad=(1, 3, 3))
    extent = y.shape[2:]
    y = net.transpose(net.view(y, None, 24, int(np.prod(extent))), 0, 2, 1)
    y = net.op("Add", net.concat(net.weights(1, 1, 24, fan_in=1), y, axis=1), net.weights(1, y.shape[1] + 1, 24, fan_in=25))
    for stride in (1, 2):
        z = net.view(net.linear(net.layer_norm(y), 72), None, y.shape[1], 3, 2, 12)
        z = net.transpose(z, 2, 0, 3, 1, 4)
        q, k, v = (net.op("Gather", z, net.constant(np.int64(i)), axis=0) for i in range(3))
        (q, now), (k, _), (v, _) = pooled(q, extent, stride), pooled(k, extent, 2), pooled(v, extent, 2)
        z = net.linear(weigh(net, q, k, v), 24)
        y = net.op("Add", z, y) if z.shape == y.shape else z
        y, extent = net.op("Add", y, mlp(net, net.layer_norm(y))), now
    return [net.linear(net.op("Gather", net.layer_norm(y), net.constant(np.int64(0)), axis=1), 10)]


@network("tsm", opset=12)
def temporal_shift(net: Net):
    """Frames as a batch of images; a part of the channels moves to the frame before and behind."""
    frames = net.input("clip", 1, 4, 3, 48, 48)
    y = net.cba(net.op("Reshape", frames, net.ints(-1, 3, 48, 48)), 16, 3, 2)
    for width in (16, 24):
        n, c, h, w = y.shape
        z = net.op("Reshape", y, net.ints(1, 4, c, h, w))
        a, b, rest = net.split(z, 2, c // 4, c // 4, c // 2)
        zero = net.op("ConstantOfShape", net.op("Shape", net.cut(a, 1, 0, 1)))
        a = net.concat(net.cut(a, 1, 1, 2 ** 62), zero, axis=1)
        b = net.concat(zero, net.cut(b, 1, 0, 3), axis=1)
        y = basic_block(net, net.op("Reshape", net.concat(a, b, rest, axis=2), net.ints(4, c, h, w)), width, 2)
    return [net.reduce("ReduceMean", classifier(net, y), 0, keep=1)]
