"""Checks a model with onnx.checker and runs it with onnxruntime.

Usage: run_onnx.py MODEL INPUT.f32 OUTPUT.json   (input: raw little-endian floats in the model's input shape)
Writes {output name: flat list of values}.
"""

import json
import sys

import numpy
import onnx
import onnxruntime

model, source, target = sys.argv[1:]
onnx.checker.check_model(onnx.load(model), full_check=True)
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
shape = session.get_inputs()[0].shape
image = numpy.fromfile(source, dtype="<f4").reshape(shape)
names = [output.name for output in session.get_outputs()]
values = session.run(names, {"image": image})
with open(target, "w") as file:
    json.dump({name: value.ravel().tolist() for name, value in zip(names, values)}, file)
