"""Networks whose output is an image for networks.py: segmentation, depth, poses, flow, super-resolution, style transfer."""
import numpy as np

from network_builder import Net
from network_list import network
from networks_attention import encoder, mlp, self_attention, tokens_of  # noqa: F401
from networks_classification import basic_block, bottleneck, inverted, resnet_trunk


# ---------------------------------------------------------------- segmentation

@network("fcn_resnet", opset=11, open_batch=True)
def fcn(net: Net):
    x = net.input("image", 1, 3, 64, 64)
    stages = resnet_trunk(net, x, block=bottleneck, dilations=(1, 1, 2, 4))
    heads = [net.conv(net.op("Dropout", net.cba(y, 24)), 6, 1) for y in (stages[3], stages[2])]
    return [net.resize(y, mode="linear", like=x) for y in heads]


@network("deeplabv3", opset=16)
@network("deeplabv3 traced", opset=11, traced_shapes=True)
def deeplab(net: Net):
    x = net.input("image", 1, 3, 64, 64)
    y = resnet_trunk(net, x, dilations=(1, 1, 2, 2))[-1]
    parts = [net.cba(y, 16, 1), *[net.cba(y, 16, 3, dilation=d) for d in (2, 3, 5)]]
    parts.append(net.resize(net.cba(net.op("GlobalAveragePool", y), 16, 1), mode="linear", like=y))
    y = net.conv(net.cba(net.cba(net.concat(*parts), 16, 1), 16), 6, 1)
    return [net.resize(y, mode="linear", like=x)]


@network(opset=13)
def lraspp(net: Net):
    x = net.input("image", 1, 3, 64, 64)
    low = net.cba(x, 8, 3, 2, "HardSwish")
    low = inverted(net, low, 12, 2, act="HardSwish")
    high = inverted(net, low, 24, 2, act="HardSwish", se=8, gate="HardSigmoid")
    gate = net.op("Sigmoid", net.conv(net.op("GlobalAveragePool", high), 16, 1, bias=False))
    y = net.resize(net.op("Mul", net.cba(high, 16, 1), gate), mode="linear", like=low)
    y = net.op("Add", net.conv(low, 6, 1), net.conv(y, 6, 1))
    return [net.resize(y, mode="linear", like=x)]


@network("unet", opset=13, quick=True)
@network("unet bilinear", opset=11, bilinear=True, traced_shapes=True)
def unet(net: Net, bilinear=False):
    def double(y, width):
        return net.cba(net.cba(y, width), width)
    y, saved = double(net.input("image", 1, 3, 64, 64), 8), []
    for width in (16, 24, 32):
        saved.append(y)
        y = double(net.pool(y, 2, 2, 0), width)
    for skip in reversed(saved):
        width = skip.shape[1]
        if bilinear:
            y = net.resize(y, mode="linear", like=skip)
        else:
            kernel = net.weights(y.shape[1], width, 2, 2, fan_in=y.shape[1])
            y = net.op("ConvTranspose", y, kernel, net.weights(width, fan_in=100), kernel_shape=[2, 2], strides=[2, 2])
        y = double(net.concat(skip, y), width)
    return [net.conv(y, 4, 1)]


@network(opset=14)
def pspnet(net: Net):
    x = net.input("image", 1, 3, 64, 64)
    y = resnet_trunk(net, x, dilations=(1, 1, 2, 2))[-1]
    parts = [y]
    for bins in (1, 2, 4):
        size = y.shape[2] // bins
        z = net.op("AveragePool", y, kernel_shape=[size, size], strides=[size, size])
        parts.append(net.resize(net.cba(z, 8, 1), mode="linear", like=y))
    return [net.resize(net.conv(net.cba(net.concat(*parts), 24), 5, 1), 8, mode="linear")]


@network(opset=15)
def segformer(net: Net):
    """Overlapping patches, attention over fewer keys, a depthwise convolution between the layers of the MLP."""
    y, stages = net.input("image", 1, 3, 64, 64), []
    for width, stride, fewer in ((16, 4, 4), (32, 2, 2)):
        y = net.conv(y, width, 7 if stride == 4 else 3, stride)
        n, c, h, w = y.shape
        z = net.layer_norm(tokens_of(net, y))
        k = net.layer_norm(net.linear(z, width))
        image = net.op("Reshape", net.transpose(k, 0, 2, 1), net.ints(0, c, h, w))
        keys = net.layer_norm(tokens_of(net, net.conv(image, width, fewer, fewer, 0)))
        score = net.op("MatMul", net.linear(k, width), net.transpose(net.linear(keys, width), 0, 2, 1))
        score = net.op("Softmax", net.op("Div", score, float(width) ** 0.5), axis=-1)
        z = net.op("Add", z, net.linear(net.op("MatMul", score, net.linear(keys, width)), width))
        m = net.op("Reshape", net.transpose(net.linear(net.layer_norm(z), 2 * width), 0, 2, 1), net.ints(0, 2 * width, h, w))
        m = net.act(tokens_of(net, net.conv(m, 2 * width, group=2 * width)), "GELU")
        z = net.op("Add", z, net.linear(m, width))
        y = net.op("Reshape", net.transpose(net.layer_norm(z), 0, 2, 1), net.ints(0, c, h, w))
        stages.append(y)
    a, b = (net.conv(s, 16, 1) for s in stages)
    y = net.cba(net.concat(net.resize(b, mode="linear", like=a), a), 16, 1)
    return [net.conv(y, 5, 1), net.op("ArgMax", net.conv(y, 5, 1), axis=1, keepdims=0)]


@network(opset=12)
def hrnet(net: Net):
    y = net.cba(net.input("image", 1, 3, 64, 64), 16, 3, 2)
    high, low = basic_block(net, y, 8), basic_block(net, net.cba(y, 16, 3, 2), 16)
    for _ in range(2):
        up = net.resize(net.bn(net.conv(low, 8, 1, bias=False)), 2)
        down = net.bn(net.conv(high, 16, 3, 2, bias=False))
        high, low = net.act(net.op("Add", high, up)), net.act(net.op("Add", low, down))
        high, low = basic_block(net, high, 8), basic_block(net, low, 16)
    return [net.conv(net.concat(high, net.resize(low, 2, "linear")), 5, 1)]


@network("segnet", opset=11)
def segnet(net: Net):
    """Places of maxima go to MaxUnpool."""
    y, places = net.input("image", 1, 3, 32, 32), []
    for width in (12, 16):
        y, where = net.op("MaxPool", net.cba(y, width), outputs=2, kernel_shape=[2, 2], strides=[2, 2])
        places.append(where)
    for where, width in zip(reversed(places), (12, 8)):
        y = net.cba(net.op("MaxUnpool", y, where, kernel_shape=[2, 2], strides=[2, 2]), width)
    return [net.conv(y, 5)]


# ---------------------------------------------------------------- depth, poses

@network("midas", opset=10, constants_as_nodes=True)
def midas(net: Net):
    def up(y):  # opset 10 has no Resize by its own extent
        return net.op("Resize", y, net.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear")
    stages = [net.conv(y, 16, bias=False) for y in resnet_trunk(net, net.input("image", 1, 3, 64, 64))]

    def residual(y):
        return net.op("Add", net.conv(net.act(net.conv(net.act(y), 16)), 16), y)
    y = residual(stages[-1])
    for skip in reversed(stages[:-1]):
        y = residual(net.op("Add", up(y), residual(skip)))
    return [net.squeeze(net.act(net.conv(net.act(net.conv(up(y), 8)), 1, 1)), 1)]


@network("hourglass", opset=13)
def hourglass(net: Net):
    def residual(y, width=16):
        z = net.conv(net.act(net.bn(y)), width // 2, 1)
        z = net.conv(net.act(net.bn(net.conv(net.act(net.bn(z)), width // 2))), width, 1)
        return net.op("Add", z, y if y.shape[1] == width else net.conv(y, width, 1))

    def glass(y, depth):
        low = residual(net.pool(y, 2, 2, 0))
        low = residual(glass(low, depth - 1) if depth > 1 else low)
        return net.op("Add", residual(y), net.resize(low, 2))
    y = residual(net.cba(net.input("image", 1, 3, 64, 64), 8, 7, 2))
    results = []
    for stack in range(2):
        z = net.cba(residual(glass(y, 2)), 16, 1)
        results.append(net.conv(z, 5, 1))
        if stack == 0:
            y = net.op("Add", net.op("Add", y, net.conv(z, 16, 1)), net.conv(results[0], 16, 1))
    return results[::-1]


@network("simple_baseline pose", opset=12)
def simple_baseline(net: Net):
    y = resnet_trunk(net, net.input("image", 1, 3, 64, 48))[-1]
    for _ in range(3):
        kernel = net.weights(y.shape[1], 16, 4, 4, fan_in=4 * y.shape[1])
        y = net.act(net.bn(net.op("ConvTranspose", y, kernel, kernel_shape=[4, 4], strides=[2, 2], pads=[1] * 4)))
    heat = net.conv(y, 5, 1)
    n, c, h, w = heat.shape  # soft arg-max
    p = net.op("Reshape", net.op("Softmax", net.op("Reshape", heat, net.ints(n, c, -1)), axis=2), net.ints(n, c, h, w))
    at = [net.reduce("ReduceSum", net.op("Mul", net.reduce("ReduceSum", p, axis, keep=0), net.constant(np.arange(e, dtype=np.float32))), 2)
          for axis, e in ((2, w), (3, h))]
    return [heat, net.concat(*at, axis=2)]


# ---------------------------------------------------------------- flow, alignment

@network("raft", opset=16, quick=True)
@network("raft opset 20", opset=20)
def raft(net: Net):
    """A volume of correlations, sampled around the flow, which a GRU of convolutions moves step by step."""
    def encode(x):
        y = net.act(net.op("InstanceNormalization", net.conv(x, 16, 7, 2), net.constant(np.ones(16, np.float32)), net.constant(np.zeros(16, np.float32))))
        return net.conv(basic_block(net, y, 24, 2), 16, 1)

    def sample(image, grid):
        return net.op("GridSample", image, grid, mode="bilinear" if net.opset < 20 else "linear", padding_mode="zeros", align_corners=1)
    first, second = net.input("first", 1, 3, 48, 64), net.input("second", 1, 3, 48, 64)
    a, b = encode(first), encode(second)
    n, c, h, w = a.shape
    rows = [net.op("Reshape", v, net.ints(n, c, h * w)) for v in (a, b)]
    volume = net.op("Div", net.op("MatMul", net.transpose(rows[0], 0, 2, 1), rows[1]), float(c) ** 0.5)
    levels = [net.op("Reshape", volume, net.ints(h * w, 1, h, w))]
    levels.append(net.op("AveragePool", levels[0], kernel_shape=[2, 2], strides=[2, 2]))
    start = net.constant(np.stack(np.meshgrid(np.arange(w), np.arange(h)))[None].astype(np.float32))
    near = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), -1)[None].astype(np.float32)
    context = net.cba(first, 24, 3, 2)
    hidden, inputs = net.split(net.conv(context, 24, 3, 2), 1, 12, 12)
    hidden, inputs, place = net.op("Tanh", hidden), net.act(inputs), start
    for _ in range(2):
        centre = net.op("Reshape", net.transpose(place, 0, 2, 3, 1), net.ints(h * w, 1, 1, 2))
        parts = []
        for i, level in enumerate(levels):
            at = net.op("Add", net.op("Div", centre, float(2 ** i)), net.constant(near))
            extent = net.constant(np.array([level.shape[3] - 1, level.shape[2] - 1], np.float32))
            grid = net.op("Sub", net.op("Div", net.op("Mul", at, 2.0), extent), 1.0)
            parts.append(net.op("Reshape", sample(level, grid), net.ints(n, h, w, 9)))
        correlation = net.transpose(net.concat(*parts, axis=3), 0, 3, 1, 2)
        flow = net.op("Sub", place, start)
        motion = net.act(net.conv(net.concat(net.act(net.conv(correlation, 12, 1)), net.act(net.conv(flow, 8))), 10))
        x = net.concat(inputs, motion, flow)
        both = net.concat(hidden, x)
        z, r = net.op("Sigmoid", net.conv(both, 12)), net.op("Sigmoid", net.conv(both, 12))
        q = net.op("Tanh", net.conv(net.concat(net.op("Mul", r, hidden), x), 12))
        hidden = net.op("Add", net.op("Mul", net.op("Sub", 1.0, z), hidden), net.op("Mul", z, q))
        place = net.op("Add", place, net.conv(net.act(net.conv(hidden, 16)), 2, gain=0.3))
    return [net.op("Mul", net.resize(net.op("Sub", place, start), 4, "linear"), 4.0)]


@network("spatial transformer", opset=20)
def spatial_transformer(net: Net):
    x = net.input("image", 1, 1, 28, 28)
    y = net.pool(net.act(net.conv(x, 8, 7)), 2, 2, 0)
    theta = net.linear(net.act(net.linear(net.flatten(net.pool(net.act(net.conv(y, 10, 5)), 2, 2, 0)), 32)), 6)
    theta = net.op("Add", net.op("Mul", theta, 0.1), net.constant(np.array([1, 0, 0, 0, 1, 0], np.float32)))
    grid = net.op("AffineGrid", net.op("Reshape", theta, net.ints(-1, 2, 3)), net.op("Shape", x), align_corners=0)
    y = net.op("GridSample", x, grid, mode="linear")
    return [net.linear(net.flatten(net.pool(net.act(net.conv(y, 12, 5)), 2, 2, 0)), 10)]


# ---------------------------------------------------------------- restoration, style

@network("espcn", opset=11, open_batch=True, quick=True)
def espcn(net: Net):
    y = net.input("luma", 1, 1, 32, 32)
    for width, kernel in ((16, 5), (16, 3), (8, 3)):
        y = net.act(net.conv(y, width, kernel), "Tanh")
    return [net.op("DepthToSpace", net.conv(y, 9), blocksize=3, mode="CRD")]


@network("edsr pixel shuffle spelled", opset=9)
def edsr(net: Net):
    x = net.conv(net.op("Sub", net.input("image", 1, 3, 32, 32), net.constant(np.array([.4, .5, .3], np.float32).reshape(1, 3, 1, 1))), 16)
    y = x
    for _ in range(3):
        y = net.op("Add", y, net.op("Mul", net.conv(net.act(net.conv(y, 16)), 16), 0.3))
    y = net.conv(net.op("Add", net.conv(y, 16), x), 64)
    n, c, h, w = y.shape
    y = net.transpose(net.op("Reshape", y, net.ints(-1, 16, 2, 2, h, w)), 0, 1, 4, 2, 5, 3)
    return [net.conv(net.op("Reshape", y, net.ints(-1, 16, 2 * h, 2 * w)), 3)]


@network("esrgan", opset=13)
def esrgan(net: Net):
    y = x = net.conv(net.input("image", 1, 3, 24, 24), 16)
    for _ in range(2):
        dense = [y]
        for i in range(4):
            z = net.conv(net.concat(*dense) if i else y, 8 if i < 3 else 16)
            dense.append(net.act(z, "LeakyRelu") if i < 3 else z)
        y = net.op("Add", net.op("Mul", dense[-1], 0.2), y)
    y = net.op("Add", x, net.conv(y, 16))
    for _ in range(2):
        y = net.act(net.conv(net.resize(y, 2), 16), "LeakyRelu")
    return [net.conv(y, 3)]


def instance_norm(net, x):
    c = x.shape[1]
    return net.op("InstanceNormalization", x, net.constant(np.ones(c, np.float32)), net.constant(np.zeros(c, np.float32)), epsilon=1e-5)


def reflected(net, x, pad, *more, **options):
    if net.opset < 11:
        return net.conv(net.op("Pad", x, mode="reflect", pads=[0, 0, pad, pad] * 2), *more, pad=0, **options)
    return net.conv(net.op("Pad", x, net.ints(0, 0, pad, pad, 0, 0, pad, pad), mode="reflect"), *more, pad=0, **options)


@network("fast style transfer", opset=9, quick=True)
@network("fast style transfer new", opset=17)
def style(net: Net):
    y = net.input("image", 1, 3, 48, 48)
    for width, kernel, stride in ((8, 9, 1), (12, 3, 2), (16, 3, 2)):
        y = net.act(instance_norm(net, reflected(net, y, kernel // 2, width, kernel, stride)))
    for _ in range(2):
        z = net.act(instance_norm(net, reflected(net, y, 1, 16)))
        y = net.op("Add", instance_norm(net, reflected(net, z, 1, 16)), y)
    for width in (12, 8):
        up = net.op("Upsample", y, net.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest") if net.opset == 9 else net.resize(y, 2)
        y = net.act(instance_norm(net, reflected(net, up, 1, width)))
    return [reflected(net, y, 4, 3, 9)]


@network("cyclegan", opset=14)
def cyclegan(net: Net):
    y = net.act(instance_norm(net, reflected(net, net.input("image", 1, 3, 48, 48), 3, 8, 7)))
    y = net.act(instance_norm(net, net.conv(y, 16, 3, 2)))
    y = net.op("Add", y, instance_norm(net, reflected(net, net.act(instance_norm(net, reflected(net, y, 1, 16))), 1, 16)))
    kernel = net.weights(16, 8, 3, 3, fan_in=36)
    y = net.op("ConvTranspose", y, kernel, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, output_padding=[1, 1])
    return [net.op("Tanh", reflected(net, net.act(instance_norm(net, y)), 3, 3, 7))]


@network("diffusion unet", opset=18)
def diffusion(net: Net):
    """GroupNormalization of PyTorch as it is exported: InstanceNormalization of reshaped groups; a time, attention at the bottom."""
    def group_norm(x, groups=4):
        n, c, h, w = x.shape
        y = net.op("Reshape", x, net.ints(0, groups, -1))
        y = net.op("Reshape", instance_norm(net, y), net.op("Shape", x))
        scale, shift = (net.constant(net.random.normal(m, 0.1, (c, 1, 1)).astype(np.float32)) for m in (1, 0))
        return net.op("Add", net.op("Mul", y, scale), shift)

    def block(x, width, time):
        y = net.conv(net.act(group_norm(x), "SiLU"), width)
        y = net.op("Add", y, net.unsqueeze(net.linear(net.act(time, "SiLU"), width), 2, 3))
        y = net.conv(net.act(group_norm(y), "SiLU"), width)
        return net.op("Add", y, x if x.shape[1] == width else net.conv(x, width, 1))
    x, time = net.input("image", 1, 4, 16, 16), net.input("time", 1, 16)
    first = net.conv(x, 16)
    y = block(net.conv(block(first, 16, time), 16, 3, 2), 24, time)
    n, c, h, w = y.shape
    z = self_attention(net, net.layer_norm(tokens_of(net, y)), 2)
    y = net.op("Add", y, net.op("Reshape", net.transpose(z, 0, 2, 1), net.ints(n, c, h, w)))
    y = block(net.concat(net.resize(y, 2), first), 16, time)
    return [net.conv(net.act(group_norm(y), "SiLU"), 4)]


@network("vae", opset=17)
def vae(net: Net):
    y = net.input("image", 1, 3, 32, 32)
    for width in (8, 16):
        y = net.act(net.op("GroupNormalization", net.conv(y, width, 3, 2), *[net.constant(np.ones(4, np.float32))] * 2, num_groups=4), "SiLU") \
            if net.opset >= 18 else net.cba(y, width, 3, 2, "SiLU")
    mean, spread = net.split(net.conv(y, 8, 1), 1, 4, 4)
    y = net.op("Add", mean, net.op("Mul", net.op("Exp", net.op("Mul", spread, 0.5)), 0.1))
    for width in (16, 8):
        y = net.cba(net.resize(y, 2), width, act="SiLU")
    return [net.op("Sigmoid", net.conv(y, 3))]
