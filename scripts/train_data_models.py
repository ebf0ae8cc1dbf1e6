#!/usr/bin/env python3
"""Makes everything in data/ but the README and the licence: two trained models, and images.

Trains a LeNet and a small MobileNetV2 on Fashion-MNIST, writes them node by node as ONNX, checks the
files against PyTorch with onnxruntime, and writes calibration and evaluation images. Start at main().
Needs:  pip install torch onnx onnxruntime numpy pillow;  apt install dataset-fashion-mnist
"""

import argparse
import gzip
import hashlib
import pathlib

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import nn

CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
SEED = 1
BATCH = 128
CALIB_PER_CLASS = 20
EVAL_PER_CLASS = 100


def read_idx(path):
    """Reads a gzipped IDX file of bytes: two zeros, type 8, rank, one big-endian u32 per dimension, data."""
    raw = gzip.decompress(path.read_bytes())
    if raw[:3] != b"\0\0\x08":
        raise SystemExit(f"{path}: not an IDX file of unsigned bytes")
    rank = raw[3]
    shape = np.frombuffer(raw, dtype=">u4", count=rank, offset=4)
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape)


def read_split(directory, split):
    """Returns pixels u8 [N, 28, 28] and labels u8 [N]; split is `train` or `t10k`."""
    return read_idx(directory / f"{split}-images-idx3-ubyte.gz"), read_idx(directory / f"{split}-labels-idx1-ubyte.gz")


def to_input(pixels):
    """The preprocessing that the models expect: pixel / 255, f32 [N, 1, 28, 28]."""
    return pixels[:, None].astype(np.float32) / np.float32(255)


def first_of_each_class(labels, per_class):
    """Indices of the first `per_class` images of every class, ascending."""
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:per_class] for c in range(len(CLASSES))]))


class GraphWriter:
    """Collects nodes and initializers. Every method adds one node and returns the name of its output,
    which is the node's name with `_out`, or `output_name` where that is given."""

    def __init__(self):
        self.nodes = []
        self.initializers = {}

    def constant(self, name, tensor):
        array = np.ascontiguousarray(tensor.detach().numpy())
        self.initializers[name] = numpy_helper.from_array(array, name)
        return name

    def node(self, op_type, name, inputs, output_name=None, **attributes):
        output = output_name or f"{name}_out"
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=name, **attributes))
        return output

    def conv(self, name, layer, x):
        inputs = [x, self.constant(f"{name}/weight", layer.weight)]
        if layer.bias is not None:
            inputs.append(self.constant(f"{name}/bias", layer.bias))
        return self.node("Conv", name, inputs, kernel_shape=layer.kernel_size, strides=layer.stride,
                         pads=layer.padding * 2, dilations=layer.dilation, group=layer.groups)

    def batch_normalization(self, name, layer, x):
        roles = {"scale": layer.weight, "bias": layer.bias, "mean": layer.running_mean, "variance": layer.running_var}
        inputs = [x] + [self.constant(f"{name}/{role}", tensor) for role, tensor in roles.items()]
        return self.node("BatchNormalization", name, inputs, epsilon=layer.eps)

    def relu6(self, name, x):
        limits = [self.constant("relu6/min", torch.tensor(0.0)), self.constant("relu6/max", torch.tensor(6.0))]
        return self.node("Clip", name, [x] + limits)

    def max_pool(self, name, x):
        return self.node("MaxPool", name, [x], kernel_shape=[2, 2], strides=[2, 2])

    def gemm(self, name, layer, x, output_name=None):
        inputs = [x, self.constant(f"{name}/weight", layer.weight), self.constant(f"{name}/bias", layer.bias)]
        return self.node("Gemm", name, inputs, output_name, transB=1)

    def model(self, name, description):
        """The finished model: `input` f32 [N, 1, 28, 28] to `logits` f32 [N, 10]."""
        x = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 1, 28, 28])
        y = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(CLASSES)])
        graph = helper.make_graph(self.nodes, name, [x], [y], list(self.initializers.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7,
                                  producer_name="train_data_models.py", doc_string=description)
        onnx.checker.check_model(model, full_check=True)
        return model


class LeNet(nn.Module):
    """Two convolutions and two fully connected layers, 65,000 parameters. As in all the modules below, forward() is
    for training and write() adds the same to a graph."""

    epochs, learning_rate = 10, 3e-3

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 5)
        self.fc1 = nn.Linear(32 * 5 * 5, 64)
        self.fc2 = nn.Linear(64, len(CLASSES))
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))

    def write(self, graph, x):
        for i, layer in enumerate((self.conv1, self.conv2), start=1):
            x = graph.conv(f"conv{i}", layer, x)
            x = graph.max_pool(f"pool{i}", graph.node("Relu", f"relu{i}", [x]))
        x = graph.node("Flatten", "flatten", [x], axis=1)
        x = graph.node("Relu", "relu3", [graph.gemm("fc1", self.fc1, x)])
        graph.gemm("fc2", self.fc2, x, output_name="logits")


class ConvNorm(nn.Module):
    """Convolution without bias, batch normalization, and ReLU6 unless `linear`."""

    def __init__(self, inputs, outputs, size, stride=1, groups=1, linear=False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.linear = linear

    def forward(self, x):
        x = self.norm(self.conv(x))
        return x if self.linear else nn.functional.relu6(x)

    def write(self, graph, name, x):
        x = graph.batch_normalization(f"{name}/bn", self.norm, graph.conv(name, self.conv, x))
        return x if self.linear else graph.relu6(f"{name}/relu6", x)


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, 1x1 linear projection; the input is added where the shapes allow it."""

    def __init__(self, inputs, outputs, expansion, stride):
        super().__init__()
        hidden = inputs * expansion
        self.expand = ConvNorm(inputs, hidden, 1)
        self.depthwise = ConvNorm(hidden, hidden, 3, stride, groups=hidden)
        self.project = ConvNorm(hidden, outputs, 1, linear=True)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y

    def write(self, graph, name, x):
        y = self.expand.write(graph, f"{name}/expand", x)
        y = self.depthwise.write(graph, f"{name}/depthwise", y)
        y = self.project.write(graph, f"{name}/project", y)
        return graph.node("Add", f"{name}/add", [x, y]) if self.residual else y


class MobileNet(nn.Module):
    """MobileNetV2 for 28x28 images, 57,000 parameters: stem, six inverted residuals, 1x1 head, average pooling."""

    epochs, learning_rate = 6, 6e-3
    blocks = [(16, 16, 2, 1), (16, 24, 4, 2), (24, 24, 4, 1), (24, 40, 4, 2), (40, 40, 4, 1), (40, 40, 4, 1)]

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(1, 16, 3)
        self.body = nn.Sequential(*(InvertedResidual(*block) for block in self.blocks))
        self.head = ConvNorm(40, 160, 1)
        self.classifier = nn.Linear(160, len(CLASSES))

    def forward(self, x):
        return self.classifier(self.head(self.body(self.stem(x))).mean((2, 3)))

    def write(self, graph, x):
        x = self.stem.write(graph, "stem", x)
        for i, block in enumerate(self.body, start=1):
            x = block.write(graph, f"block{i}", x)
        x = self.head.write(graph, "head", x)
        x = graph.node("GlobalAveragePool", "pool", [x])
        x = graph.node("Flatten", "flatten", [x], axis=1)
        graph.gemm("classifier", self.classifier, x, output_name="logits")


def train(net, images, labels):
    """AdamW, one-cycle learning rate, horizontal flips; the last epoch is kept, so the test set chooses nothing."""
    net.train()
    images, labels = torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
    steps = len(images) // BATCH
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, net.learning_rate, total_steps=net.epochs * steps)
    for epoch in range(net.epochs):
        total = 0.0
        for batch in torch.randperm(len(images))[: steps * BATCH].view(steps, BATCH):
            flip = torch.rand(BATCH, 1, 1, 1) < 0.5
            x = torch.where(flip, images[batch].flip(3), images[batch])
            loss = nn.functional.cross_entropy(net(x.contiguous(memory_format=torch.channels_last)), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"  epoch {epoch + 1}/{net.epochs}: loss {total / steps:.4f}", flush=True)
    net.eval()


def run_onnx(model, images):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"input": x})[0] for x in np.array_split(images, 20)])


def make_model(network, name, train_split, test_split):
    """Trains, converts, and returns the model once onnxruntime agrees with PyTorch on the whole test set."""
    torch.manual_seed(SEED)
    net = network().to(memory_format=torch.channels_last)
    print(f"{name}: {sum(p.numel() for p in net.parameters()):,} parameters")
    train(net, to_input(train_split[0]), train_split[1])

    graph = GraphWriter()
    net.write(graph, "input")
    model = graph.model(name, f"{network.__name__} trained on Fashion-MNIST. Input: grey, pixel / 255.")

    images = to_input(test_split[0])
    logits = run_onnx(model, images)
    with torch.no_grad():
        expected = torch.cat([net(x) for x in torch.from_numpy(images).split(500)]).numpy()
    difference = np.abs(logits - expected).max()
    correct = logits.argmax(1) == test_split[1]
    subset = first_of_each_class(test_split[1], EVAL_PER_CLASS)
    print(f"  test set {correct.mean():.2%}, {len(subset)} evaluation images {correct[subset].mean():.2%}, "
          f"largest difference from PyTorch {difference:.1e}")
    if not difference <= 1e-4 or correct.mean() < 0.9:
        raise SystemExit(f"{name}: onnxruntime and PyTorch disagree, or the accuracy is under 90 %")
    helper.set_model_props(model, {"dataset": "Fashion-MNIST, Zalando SE, MIT licence", "classes": ",".join(CLASSES),
                                   "test_accuracy": f"{correct.mean():.4f}"})
    return model


def write_images(directory, pixels, prefix, indices):
    """Writes `prefix`_00042.png for index 42, replacing whatever PNG files were there."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.png"):
        old.unlink()
    names = [f"{prefix}_{i:05}.png" for i in indices]
    for name, index in zip(names, indices):
        Image.fromarray(pixels[index]).save(directory / name, optimize=True)
    return names


def write_checksums(directory):
    """SHA256SUMS over the models, images and labels, for `sha256sum --check` from inside the directory."""
    files = [p for pattern in ("*.onnx", "*.txt", "*/*.png") for p in sorted(directory.glob(pattern))]
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(directory).as_posix()}\n" for p in files]
    (directory / "SHA256SUMS").write_text("".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=pathlib.Path, default="/usr/share/datasets/fashion-mnist",
                        help="directory of the four .gz files (default: where the Debian package puts them)")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent / "data",
                        help="directory to write to (default: data/ beside scripts/)")
    parser.add_argument("--threads", type=int, default=2, help="the bytes of the models can depend on it (default 2)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)

    train_split, test_split = read_split(options.dataset, "train"), read_split(options.dataset, "t10k")
    write_images(options.output / "calib", train_split[0], "train",
                 first_of_each_class(train_split[1], CALIB_PER_CLASS))
    evaluation = first_of_each_class(test_split[1], EVAL_PER_CLASS)
    names = write_images(options.output / "eval", test_split[0], "t10k", evaluation)
    labels = "".join(f"{name} {test_split[1][i]}\n" for name, i in zip(names, evaluation))
    (options.output / "eval_labels.txt").write_text(labels)

    for network, name in ((LeNet, "lenet_fashion"), (MobileNet, "mobilenet_fashion")):
        onnx.save(make_model(network, name, train_split, test_split), options.output / f"{name}.onnx")
    write_checksums(options.output)


if __name__ == "__main__":
    main()
