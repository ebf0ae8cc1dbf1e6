"""Image classifiers and embeddings for networks.py: small ones of each family, with the structure that makes the family."""
import numpy as np

from network_builder import Net
from network_list import network


def classifier(net, x, classes=10):
    return net.linear(net.global_pool(x), classes)


def squeeze_excite(net, x, inner, gate="Sigmoid", act="Relu"):
    s = net.op("GlobalAveragePool", x) if net.opset < 17 else net.reduce("ReduceMean", x, 2, 3)
    s = net.act(net.conv(s, inner, 1), act)
    return net.op("Mul", x, net.op(gate, net.conv(s, x.shape[1], 1)))


# ---------------------------------------------------------------- plain chains

@network(opset=11)
def alexnet(net: Net):
    x = net.input("image", 1, 3, 64, 64)
    y = net.pool(net.act(net.conv(x, 16, 11, 4, 2)), 3, 2, 0)
    y = net.pool(net.act(net.conv(y, 32, 5)), 3, 2, 0)
    for width in (48, 32, 32):
        y = net.act(net.conv(y, width))
    y = net.flatten(net.op("AveragePool", y, kernel_shape=[3, 3], strides=[1, 1]))
    return [net.linear(net.act(net.linear(net.act(net.linear(y, 64)), 64)), 10)]


@network("vgg11_bn", opset=13, traced_shapes=True)
@network("vgg11_bn nodes", opset=9, constants_as_nodes=True)
def vgg(net: Net):
    y = net.input("image", 1, 3, 64, 64)
    for width, count in ((8, 1), (16, 1), (32, 2), (32, 2)):
        for _ in range(count):
            y = net.act(net.bn(net.conv(y, width)))
        y = net.pool(y, 2, 2, 0)
    return [net.linear(net.act(net.linear(net.flatten(y), 64)), 10)]


@network("lenet weights as inputs", opset=9, weights_as_inputs=True, quick=True)
def lenet(net: Net):
    y = net.input("image", 1, 1, 28, 28)
    for width in (6, 16):
        y = net.pool(net.act(net.conv(y, width, 5, pad=0), "Tanh"), 2, 2, 0, "AveragePool")
    y = net.flatten(y)
    return [net.op("Softmax", net.linear(net.act(net.linear(y, 84), "Tanh"), 10), axis=1)]


@network(opset=12)
def squeezenet(net: Net):
    def fire(y, inner, outer):
        y = net.act(net.conv(y, inner, 1))
        return net.concat(net.act(net.conv(y, outer, 1)), net.act(net.conv(y, outer, 3)))
    y = net.pool(net.act(net.conv(net.input("image", 1, 3, 64, 64), 16, 3, 2, 0)), 3, 2, 0, ceil_mode=1)
    y = fire(fire(y, 8, 16), 8, 16)
    y = fire(net.pool(y, 3, 2, 0, ceil_mode=1), 12, 24)
    y = net.op("GlobalAveragePool", net.act(net.conv(net.op("Dropout", y), 10, 1)))
    return [net.flatten(y)]


@network(opset=17)
def repvgg(net: Net):
    y = net.input("image", 1, 3, 48, 48)
    for width, stride in ((16, 2), (16, 1), (32, 2), (32, 1), (64, 2)):
        parts = [net.bn(net.conv(y, width, 3, stride, bias=False)), net.bn(net.conv(y, width, 1, stride, 0, bias=False))]
        if parts[0].shape == y.shape:
            parts.append(net.bn(y))
        y = parts[0]
        for part in parts[1:]:
            y = net.op("Add", y, part)
        y = net.act(y)
    return [classifier(net, y)]


# ---------------------------------------------------------------- residual networks

def basic_block(net, x, width, stride=1, act="Relu", dilation=1):
    y = net.bn(net.conv(net.cba(x, width, 3, stride, act, dilation=dilation), width, bias=False))
    if x.shape != y.shape:
        x = net.bn(net.conv(x, width, 1, stride, 0, bias=False))
    return net.act(net.op("Add", y, x), act)


def bottleneck(net, x, width, stride=1, group=1, dilation=1, se=False):
    y = net.cba(net.cba(x, width, 1), width, 3, stride, group=group, dilation=dilation)
    y = net.bn(net.conv(y, 4 * width, 1, bias=False))
    if se:
        y = squeeze_excite(net, y, width // 2)
    if x.shape != y.shape:
        x = net.bn(net.conv(x, 4 * width, 1, stride, 0, bias=False))
    return net.act(net.op("Add", y, x))


def resnet_trunk(net, x, widths=(8, 16, 24, 32), block=basic_block, dilations=(1, 1, 1, 1), **more):
    """The values after each stage."""
    y = net.pool(net.cba(x, widths[0], 7, 2))
    stages = []
    for i, (width, dilation) in enumerate(zip(widths, dilations)):
        options = {**more, **({"dilation": dilation} if dilation > 1 else {})}
        y = block(net, y, width, 2 if i and dilation == 1 else 1, **options)
        y = block(net, y, width, **options)
        stages.append(y)
    return stages


@network("resnet18", opset=11, open_batch=True)
@network("resnet18 traced", opset=18, traced_shapes=True)
def resnet18(net: Net):
    return [classifier(net, resnet_trunk(net, net.input("image", 1, 3, 64, 64))[-1])]


@network("resnet50", opset=17, open_batch=True)
@network("resnext50", opset=15, group=4)
@network("seresnet50", opset=14, se=True)
def resnet50(net: Net, **more):
    return [classifier(net, resnet_trunk(net, net.input("image", 1, 3, 64, 64), block=bottleneck, **more)[-1])]


@network("resnet50_v2 tf2onnx", opset=15, quick=True)
def resnet_v2_tensorflow(net: Net):
    """NHWC at the border, SAME padding written as pads of one side, activation before convolution, ReduceMean at the end."""
    y = net.transpose(net.input("image", 1, 64, 64, 3), 0, 3, 1, 2)
    y = net.op("Pad", y, net.ints(0, 0, 3, 3, 0, 0, 3, 3))
    y = net.pool(net.conv(y, 16, 7, 2, 0), 3, 2, 0)
    for width, stride in ((8, 1), (16, 2), (16, 1), (32, 2)):
        before = net.act(net.bn(y))
        shortcut = y if stride == 1 and y.shape[1] == 4 * width else net.conv(before, 4 * width, 1, stride, 0)
        z = net.cba(before, width, 1)
        z = net.act(net.bn(net.op("Conv", z, net.weights(width, width, 3, 3), strides=[stride] * 2, auto_pad="SAME_UPPER")))
        y = net.op("Add", shortcut, net.conv(z, 4 * width, 1))
    y = net.squeeze(net.reduce("ReduceMean", net.act(net.bn(y)), 2, 3, keep=1), 2, 3)
    y = net.op("Add", net.op("MatMul", y, net.weights(y.shape[1], 10, fan_in=y.shape[1])), net.weights(10, fan_in=100))
    return [net.op("Softmax", y, axis=-1)]


@network("regnet_x", opset=13)
@network("regnet_y", opset=17, se=True)
def regnet(net: Net, se=False):
    y = net.cba(net.input("image", 1, 3, 64, 64), 16, 3, 2)
    for width, depth in ((16, 1), (32, 2), (48, 2)):
        for i in range(depth):
            z = net.cba(net.cba(y, width, 1), width, 3, 1 if i else 2, group=width // 8)
            z = squeeze_excite(net, z, 8) if se else z
            z = net.bn(net.conv(z, width, 1, bias=False))
            y = net.act(net.op("Add", z, y if i else net.bn(net.conv(y, width, 1, 2, 0, bias=False))))
    return [classifier(net, y)]


@network(opset=13)
def densenet(net: Net):
    y = net.pool(net.cba(net.input("image", 1, 3, 64, 64), 16, 7, 2))
    for block in range(3):
        for _ in range(3):
            z = net.conv(net.act(net.bn(y)), 24, 1, bias=False)
            y = net.concat(y, net.conv(net.act(net.bn(z)), 8, bias=False))
        if block < 2:
            y = net.pool(net.conv(net.act(net.bn(y)), y.shape[1] // 2, 1, bias=False), 2, 2, 0, "AveragePool")
    return [classifier(net, net.act(net.bn(y)))]


@network("iresnet arcface", opset=11, quick=True)
def arcface(net: Net):
    """PRelu, no pooling, an embedding of length 1."""
    y = net.cba(net.input("face", 1, 3, 48, 48), 16, act="PRelu")
    for width, stride in ((16, 2), (16, 1), (32, 2), (32, 1)):
        z = net.conv(net.bn(y), width, bias=False)
        z = net.bn(net.conv(net.act(net.bn(z), "PRelu"), width, 3, stride, bias=False))
        y = net.op("Add", z, y if stride == 1 else net.bn(net.conv(y, width, 1, stride, 0, bias=False)))
    y = net.linear(net.flatten(net.op("Dropout", net.bn(y))), 64)
    y = net.bn(y)
    return [net.op("Div", y, net.reduce("ReduceL2", y, 1))]


# ---------------------------------------------------------------- several branches

@network(opset=12)
def googlenet(net: Net):
    def inception(y, a, b, c):
        parts = [net.cba(y, a, 1), net.cba(net.cba(y, b // 2, 1), b), net.cba(net.cba(y, c // 2, 1), c), net.cba(net.pool(y, 3, 1, 1), c, 1)]
        return net.concat(*parts)
    y = net.pool(net.cba(net.input("image", 1, 3, 64, 64), 16, 7, 2), 3, 2, 0, ceil_mode=1)
    y = net.op("LRN", net.cba(net.cba(y, 16, 1), 32), size=5)
    y = inception(inception(y, 16, 16, 8), 16, 24, 8)
    y = inception(net.pool(y, 3, 2, 0, ceil_mode=1), 24, 32, 8)
    return [classifier(net, net.op("Dropout", y))]


@network(opset=14)
def inception_v3(net: Net):
    """Convolutions of one axis, mean pools with padding, the input's own normalization."""
    x = net.input("image", 1, 3, 75, 75)
    channels = [net.unsqueeze(net.op("Gather", x, net.constant(np.int64(i)), axis=1), 1) for i in range(3)]
    y = net.concat(*[net.op("Add", net.op("Mul", c, 0.458), 0.03 * (i - 1)) for i, c in enumerate(channels)])
    y = net.pool(net.cba(net.cba(y, 8, 3, 2, pad=0), 16), 3, 2, 0)
    parts = [net.cba(y, 8, 1), net.cba(net.cba(y, 8, 1), 12, 5), net.cba(net.pool(y, 3, 1, 1, "AveragePool", count_include_pad=1), 8, 1)]
    y = net.concat(*parts)
    y = net.concat(net.cba(y, 16, 3, 2, pad=0), net.pool(y, 3, 2, 0))
    long = net.cba(net.cba(net.cba(y, 8, 1), 8, (1, 7)), 16, (7, 1))
    y = net.concat(net.cba(y, 16, 1), long, net.cba(net.pool(y, 3, 1, 1, "AveragePool", count_include_pad=1), 16, 1))
    z = net.cba(y, 16, 1)
    y = net.concat(net.cba(z, 8, (1, 3)), net.cba(z, 8, (3, 1)), net.cba(y, 16, 1))
    return [classifier(net, y)]


@network(opset=12)
def xception(net: Net):
    def separable(y, width, **more):
        return net.bn(net.conv(net.conv(y, y.shape[1], group=y.shape[1], bias=False), width, 1, bias=False))
    y = net.cba(net.input("image", 1, 3, 64, 64), 16, 3, 2)
    for width in (32, 48):
        z = separable(net.act(separable(net.act(y), width)), width)
        y = net.op("Add", net.pool(z), net.bn(net.conv(y, width, 1, 2, 0, bias=False)))
    return [classifier(net, net.act(separable(y, 64)))]


# ---------------------------------------------------------------- mobile networks

@network("mobilenet_v1 tf2onnx", opset=11, constants_as_nodes=True)
def mobilenet_v1(net: Net):
    y = net.transpose(net.input("image", 1, 64, 64, 3), 0, 3, 1, 2)
    y = net.cba(y, 8, 3, 2, "Relu6")
    for width, stride in ((16, 1), (24, 2), (24, 1), (32, 2), (32, 1)):
        y = net.cba(net.cba(y, y.shape[1], 3, stride, "Relu6", group=y.shape[1]), width, 1, act="Relu6")
    y = net.conv(net.op("GlobalAveragePool", y), 10, 1)
    return [net.op("Softmax", net.squeeze(net.transpose(y, 0, 2, 3, 1), 1, 2), axis=-1)]


def inverted(net, x, width, stride=1, expand=4, act="Relu6", kernel=3, se=0, gate="Sigmoid", se_act="Relu"):
    """MBConv: expansion, depthwise, squeeze and excitation, projection."""
    inner = x.shape[1] * expand
    y = net.cba(x, inner, 1, act=act) if expand > 1 else x
    y = net.cba(y, inner, kernel, stride, act, group=inner)
    y = squeeze_excite(net, y, se, gate, se_act) if se else y
    y = net.bn(net.conv(y, width, 1, bias=False))
    return net.op("Add", x, y) if y.shape == x.shape else y


@network("mobilenet_v2", opset=10, open_batch=True, quick=True)
@network("mnasnet", opset=16, act="Relu", kernel=5)
@network("mobilenet_v3", opset=13, act="HardSwish", se=8, gate="HardSigmoid")
@network("mobilenet_v3 new", opset=17, act="HardSwish", se=8, gate="HardSigmoid", traced_shapes=True)
@network("efficientnet_b0", opset=17, act="SiLU", se=4, se_act="SiLU", kernel=5)
@network("efficientnet_v2 nodes", opset=13, act="SiLU", se=4, se_act="SiLU", constants_as_nodes=True)
def mobile(net: Net, act="Relu6", **more):
    y = net.cba(net.input("image", 1, 3, 64, 64), 8, 3, 2, act)
    for width, stride, expand in ((8, 1, 1), (12, 2, 4), (12, 1, 4), (16, 2, 4), (16, 1, 4), (24, 2, 4)):
        y = inverted(net, y, width, stride, expand, act, **more)
    return [classifier(net, net.cba(y, 64, 1, act=act))]


def shuffle(net, x, groups=2):
    n, c, h, w = x.shape
    y = net.view(x, None, groups, c // groups, h, w)
    return net.view(net.transpose(y, 0, 2, 1, 3, 4), None, c, h, w)


@network(opset=11)
def shufflenet_v1(net: Net):
    y = net.pool(net.cba(net.input("image", 1, 3, 64, 64), 16, 3, 2))
    for width in (32, 48):
        z = shuffle(net, net.cba(y, width // 4 * 2, 1, group=2))
        z = net.bn(net.conv(z, z.shape[1], 3, 2, group=z.shape[1], bias=False))
        z = net.bn(net.conv(z, width - y.shape[1], 1, group=2, bias=False))
        y = net.act(net.concat(net.pool(y, 3, 2, 1, "AveragePool", count_include_pad=1), z))
        z = shuffle(net, net.cba(y, width // 4 * 2, 1, group=2))
        z = net.bn(net.conv(z, z.shape[1], group=z.shape[1], bias=False))
        y = net.act(net.op("Add", y, net.bn(net.conv(z, width, 1, group=2, bias=False))))
    return [classifier(net, y)]


@network("shufflenet_v2", opset=12, open_batch=True)
@network("shufflenet_v2 traced", opset=17, traced_shapes=True)
def shufflenet_v2(net: Net):
    def branch(y, width, stride=1):
        y = net.cba(y, width, 1)
        return net.cba(net.bn(net.conv(y, width, 3, stride, group=width, bias=False)), width, 1)
    y = net.pool(net.cba(net.input("image", 1, 3, 64, 64), 16, 3, 2))
    for width in (16, 24):
        first = net.cba(net.bn(net.conv(y, y.shape[1], 3, 2, group=y.shape[1], bias=False)), width, 1)
        y = shuffle(net, net.concat(first, branch(y, width, 2)))
        for _ in range(2):
            a, b = net.split(y, 1, width, width)
            y = shuffle(net, net.concat(a, branch(b, width)))
    return [net.linear(net.flatten(net.reduce("ReduceMean", net.cba(y, 64, 1), 2, 3, keep=1)), 10)]


@network(opset=13)
def ghostnet(net: Net):
    def ghost(y, width, act="Relu"):
        a = net.cba(y, width // 2, 1, act=act)
        return net.concat(a, net.cba(a, width // 2, 3, act=act, group=width // 2))
    y = net.cba(net.input("image", 1, 3, 64, 64), 16, 3, 2)
    for width, stride in ((16, 1), (24, 2), (24, 1)):
        z = ghost(y, 3 * width)
        z = net.bn(net.conv(z, z.shape[1], 3, stride, group=z.shape[1], bias=False)) if stride > 1 else z
        z = ghost(squeeze_excite(net, z, 8, "HardSigmoid"), width, None)
        if z.shape != y.shape:
            y = net.bn(net.conv(net.bn(net.conv(y, y.shape[1], 3, stride, group=y.shape[1], bias=False)), width, 1, bias=False))
        y = net.op("Add", z, y)
    return [classifier(net, y)]
