"""Converts an exported ONNX file for engines that read other formats. They compute only the anomaly map: their converters don't
support the score's TopK, which takes almost no time."""

import importlib.util
import pathlib
import re
import subprocess

import onnx
import onnx.utils

MAP = "anomaly_map"


def map_alone(model, folder):
    """Writes the part of the model that computes the anomaly map to a separate file and returns its path."""
    path = folder / f"{pathlib.Path(model).stem}-map.onnx"
    extractor = onnx.utils.Extractor(onnx.load(model))
    onnx.save(extractor.extract_model(["image"], [MAP]), path)
    return path


def to_ncnn(model, folder):
    """Converts with pnnx to FOLDER/NAME.ncnn.param and .bin; returns the path without its last extension."""
    path = map_alone(model, folder)
    program = pathlib.Path(importlib.util.find_spec("pnnx").origin).with_name("pnnx")
    shape = ",".join(str(side) for side in input_shape(model))
    quietly([program, path.name, f"inputshape=[{shape}]", "fp16=0"], folder)
    parameters = folder / f"{path.stem.replace('-', '_')}.ncnn.param"
    # pnnx loses the axis of a sum over channels, which is the first one when the batch isn't counted.
    text = re.sub(r"^(Reduction .*) -23303=0 ", r"\1 -23303=1,0 ", parameters.read_text(), flags=re.MULTILINE)
    parameters.write_text(text)
    return parameters.with_suffix("")


def to_litert(model, folder, python):
    """Converts with onnx2tf, in the Python that has it; returns the file."""
    path = map_alone(model, folder)
    out = folder / f"{path.stem}.litert"
    quietly([python, "-m", "onnx2tf", "-i", path, "-o", out, "-tb", "flatbuffer_direct", "-n"], folder)
    return out / f"{path.stem}_float32.tflite"


def quietly(command, folder):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} can't convert the model:\n{done.stdout[-2000:]}")


def input_shape(model):
    (value,) = [i for i in onnx.load(model, load_external_data=False).graph.input if i.name == "image"]
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]


def multiplications(model):
    """Counts the multiplications in the convolutions and matrix products of one frame."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(model)).graph
    shapes = {i.name: list(i.dims) for i in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        shapes.setdefault(value.name, [d.dim_value for d in value.type.tensor_type.shape.dim])
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            total += size(shapes[node.output[0]]) * size(shapes[node.input[1]][1:])
        elif node.op_type == "MatMul":
            total += size(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    return total


def size(shape):
    product = 1
    for side in shape:
        product *= side
    return product
