"""Writes EfficientAD's networks with random weights: python graphs.py FOLDER.

The layers are those of Batzner et al., WACV 2024, without padding in the patch description networks, as this project exports
them: resizing is a product with two matrices. Speed doesn't depend on the weights.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 256


class Graph:
    """Nodes with the shapes of their values."""

    def __init__(self):
        self.random = np.random.default_rng(0)
        self.nodes, self.constants, self.shapes = [], [], {"image": (1, 3, SIDE, SIDE)}

    def constant(self, array):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def scalar(self, value):
        return self.constant(np.full((1, 1, 1, 1), value, np.float32))

    def node(self, kind, inputs, shape, **attributes):
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        self.shapes[name] = tuple(shape)
        return name

    def conv(self, x, outputs, kernel, stride=1, padding=0, relu=True):
        _, channels, *sides = self.shapes[x]
        weights = self.random.standard_normal((outputs, channels, kernel, kernel)) * (2 / (channels * kernel**2)) ** 0.5
        inputs = [x, self.constant(weights.astype(np.float32)), self.constant(np.full(outputs, 0.05, np.float32))]
        sides = [(side + 2 * padding - kernel) // stride + 1 for side in sides]
        y = self.node("Conv", inputs, (1, outputs, *sides), kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4)
        return self.node("Relu", [y], self.shapes[y]) if relu else y

    def halve(self, x):
        _, channels, height, width = self.shapes[x]
        return self.node("AveragePool", [x], (1, channels, height // 2, width // 2), kernel_shape=[2, 2], strides=[2, 2])

    def resample(self, x, rows, columns):
        _, channels, height, width = self.shapes[x]
        y = self.node("MatMul", [self.constant(rows), x], (1, channels, len(rows), width))
        return self.node("MatMul", [y, self.constant(columns.T)], (1, channels, len(rows), len(columns)))

    def resize(self, x, side):
        matrix = bilinear(self.shapes[x][2], side)
        return self.resample(x, matrix, matrix)


def bilinear(source, target):
    """Half-pixel centres, no antialiasing."""
    matrix = np.zeros((target, source), np.float32)
    for row in range(target):
        centre = max((row + 0.5) * source / target - 0.5, 0)
        left = min(int(centre), source - 1)
        matrix[row, left] += 1 - (centre - left)
        matrix[row, min(left + 1, source - 1)] += centre - left
    return matrix


def patch_description(g, x, width, outputs):
    """Returns one value for each of the numbers of outputs: convolutions on one trunk."""
    x = g.halve(g.conv(x, width, 4))
    x = g.halve(g.conv(x, 2 * width, 4))
    x = g.conv(x, 2 * width, 3)
    return [g.conv(x, count, 4, relu=False) for count in outputs]


def autoencoder(g, x, outputs):
    for count in (32, 32, 64, 64, 64):
        x = g.conv(x, count, 4, stride=2, padding=1)
    x = g.conv(x, 64, SIDE // 32, relu=False)
    for side in (SIDE // 64 - 1, SIDE // 32, SIDE // 16 - 1, SIDE // 8, SIDE // 4 - 1, SIDE // 2 - 1):
        x = g.conv(g.resize(x, side), 64, 4, padding=2)
    x = g.conv(g.resize(x, SIDE // 4 - 8), 64, 3, padding=1)
    return g.conv(x, outputs, 3, padding=1, relu=False)


def efficientad(width, features):
    g = Graph()
    mean = g.constant(np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1))
    scale = g.constant((1 / np.array([0.229, 0.224, 0.225])).astype(np.float32).reshape(1, 3, 1, 1))
    image = g.node("Mul", [g.node("Sub", ["image", mean], g.shapes["image"]), scale], g.shapes["image"])
    [teacher] = patch_description(g, image, width, [features])
    first, second = patch_description(g, image, width, [features, features])
    reproduced = autoencoder(g, image, features)
    maps = []
    for a, b in ((teacher, first), (reproduced, second)):
        shape = (1, 1, *g.shapes[a][2:])
        difference = g.node("Sub", [a, b], g.shapes[a])
        square = g.node("Mul", [difference, difference], g.shapes[a])
        total = g.node("ReduceSum", [square, g.constant(np.array([1]))], shape, keepdims=1)
        maps.append(g.node("Mul", [total, g.scalar(0.1 / features)], shape))
    average = g.node("Mul", [g.node("Add", maps, g.shapes[maps[0]]), g.scalar(0.5)], g.shapes[maps[0]])
    side = g.shapes[average][2]
    margin = np.zeros((side + 8, side), np.float32)
    margin[4:-4] = np.eye(side)
    enlarge = bilinear(side + 8, SIDE) @ margin
    anomaly_map = g.resample(average, enlarge, enlarge)
    g.nodes.append(helper.make_node("Identity", [anomaly_map], ["anomaly_map"]))
    g.nodes.append(helper.make_node("ReduceMax", [average], ["score"], axes=[1, 2, 3], keepdims=0))
    floats = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    outputs = [floats("anomaly_map", [1, 1, SIDE, SIDE]), floats("score", [1])]
    graph = helper.make_graph(g.nodes, "efficientad", [floats("image", [1, 3, SIDE, SIDE])], outputs, g.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


folder = pathlib.Path(sys.argv[1])
for name, width, features in (("efficientad-s-256", 128, 384), ("efficientad-xs-256", 32, 96)):
    onnx.save(efficientad(width, features), folder / f"{name}.onnx")
