"""Writes ONNX models byte by byte, broken ones included, with nothing but the standard library.

Field numbers are those of onnx.proto; every helper returns the bytes of one message.
"""
import struct

FLOAT, INT64 = 1, 7


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(field, value):
    return varint(field << 3) + varint(value)


def data(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def attribute(name, value):
    if isinstance(value, int):
        return data(1, name) + integer(3, value) + integer(20, 2)
    return data(1, name) + b"".join(integer(8, v) for v in value) + integer(20, 7)


def node(op_type, inputs, outputs, name="", **attributes):
    return (b"".join(data(1, v) for v in inputs) + b"".join(data(2, v) for v in outputs) + data(3, name)
            + data(4, op_type) + b"".join(data(5, attribute(k, v)) for k, v in attributes.items()))


def tensor(name, dims, values=None, element_type=FLOAT):
    """values: floats; None: no data at all."""
    raw = b"" if values is None else data(9, struct.pack(f"<{len(values)}f", *values))
    return b"".join(integer(1, d) for d in dims) + integer(2, element_type) + data(8, name) + raw


def external_tensor(name, dims, location):
    entry = data(1, "location") + data(2, location)
    return b"".join(integer(1, d) for d in dims) + integer(2, FLOAT) + data(8, name) + data(13, entry) + integer(14, 1)


def value(name, dims, element_type=FLOAT):
    """dims: numbers, or strings for symbols."""
    shape = b"".join(data(1, data(2, d) if isinstance(d, str) else integer(1, d)) for d in dims)
    return data(1, name) + data(2, data(1, integer(1, element_type) + data(2, shape)))


def model(nodes, inputs, outputs, initializers=(), opset=13):
    graph = (b"".join(data(1, v) for v in nodes) + data(2, "graph") + b"".join(data(5, v) for v in initializers)
             + b"".join(data(11, v) for v in inputs) + b"".join(data(12, v) for v in outputs))
    return integer(1, 8) + data(7, graph) + data(8, integer(2, opset))


def convolution(channels=1, size=8, weight=None, op_type="Conv"):
    """A model of one 3x3 convolution and a Relu on `channels` channels; `weight` replaces its weights' tensor."""
    count = 2 * channels * 9
    ramp = [(i % 7 - 3) / 8 for i in range(count)]
    return model(
        [node(op_type, ["image", "weight"], ["conv"], "conv1", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
         node("Relu", ["conv"], ["result"], "relu1")],
        [value("image", ["N", channels, size, size])], [value("result", ["N", 2, size, size])],
        [weight or tensor("weight", [2, channels, 3, 3], ramp)])
