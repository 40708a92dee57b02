"""Runs one inference engine in its own process: python engines.py ENGINE MODEL INPUT.f32 HEIGHTxWIDTH
THREADS OUTPUT.f32.

Writes the outputs' values to OUTPUT.f32 one after the other. Prints `ready`, the milliseconds from the file to the first result, and
the resident memory before that in KiB. Then answers each line of standard input, a number of frames, with that many times in
milliseconds. `python engines.py peak THREADS` prints the speed of a matrix product, in billions of multiplications per second.
"""

import importlib
import pathlib
import sys
import time

import numpy as np

OUTPUTS = ("anomaly_map", "score")


def main(engine, model, source, sides, threads, output):
    height, width = map(int, sides.split("x"))
    image = np.fromfile(source, np.float32).reshape(1, 3, height, width)
    module, runner = RUNNERS[engine]
    package = importlib.import_module(module)
    before = resident()
    start = time.perf_counter()
    run = runner(package, model, int(threads), image)
    values = run()
    milliseconds = (time.perf_counter() - start) * 1e3
    np.concatenate([np.ravel(value) for value in values]).astype("<f4").tofile(output)
    print("ready", milliseconds, before, flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            run()
            times.append(f"{(time.perf_counter() - start) * 1e3:.4f}")
        print(" ".join(times), flush=True)


def resident():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def onnxruntime_runner(onnxruntime, model, threads, image):
    session = onnxruntime_session(onnxruntime, model, threads)
    return lambda: session.run(list(OUTPUTS), {"image": image})


def onnxruntime_session(onnxruntime, model, threads):
    """Creates a session; `model` is a file's path or its bytes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def openvino_runner(openvino, model, threads, image):
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    core = openvino.Core()
    request = core.compile_model(core.read_model(model), "CPU", settings).create_infer_request()

    def run():
        results = request.infer({"image": image})
        return [results[name] for name in OUTPUTS]

    return run


def ncnn_runner(ncnn, model, threads, image):
    """`model` is the path without `.param` or `.bin`."""
    net = ncnn.Net()
    net.opt.num_threads = threads
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage", "use_vulkan_compute"):
        setattr(net.opt, option, False)
    if net.load_param(f"{model}.param") != 0 or net.load_model(f"{model}.bin") != 0:
        raise SystemExit(f"ncnn can't read {model}")
    planes = np.ascontiguousarray(image[0])

    def run():
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(planes))
        return [np.array(extractor.extract("out0")[1])]

    return run


def litert_runner(interpreter, model, threads, image):
    session = interpreter.Interpreter(model, num_threads=threads)
    session.allocate_tensors()
    (source,), (result,) = session.get_input_details(), session.get_output_details()
    if source["shape"][-1] == 3:
        image = np.ascontiguousarray(image.transpose(0, 2, 3, 1))

    def run():
        session.set_tensor(source["index"], image)
        session.invoke()
        return [session.get_tensor(result["index"])]

    return run


RUNNERS = {
    "onnxruntime": ("onnxruntime", onnxruntime_runner),
    "openvino": ("openvino", openvino_runner),
    "ncnn": ("ncnn", ncnn_runner),
    "litert": ("ai_edge_litert.interpreter", litert_runner),
}


def peak(threads):
    """Prints the highest speed of several products of 2048 × 2048 matrices, by NumPy's BLAS or by ONNX Runtime, whichever is faster:
    that depends on the processor, and on the core type that NumPy's BLAS assumes (`OPENBLAS_CORETYPE`)."""
    side = 2048
    a = np.random.default_rng(1).random((side, side), dtype=np.float32)
    product = matrix_product(side, int(threads))
    best = 0.0
    for multiply in (lambda: a @ a, lambda: product.run(None, {"a": a})):
        for _ in range(8):
            start = time.perf_counter()
            multiply()
            best = max(best, side**3 / (time.perf_counter() - start) / 1e9)
    print(best)


def matrix_product(side, threads):
    """Creates an ONNX Runtime session that squares a matrix `a`."""
    import onnx
    import onnxruntime

    a, b = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (side, side)) for name in "ab")
    graph = onnx.helper.make_graph([onnx.helper.make_node("MatMul", ["a", "a"], ["b"])], "square", [a], [b])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime_session(onnxruntime, model.SerializeToString(), threads)


if __name__ == "__main__":
    if sys.argv[1] == "peak":
        peak(sys.argv[2])
    else:
        main(*sys.argv[1:])
