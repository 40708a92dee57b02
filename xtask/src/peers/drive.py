"""Times every engine on the same networks and the same input, in turn: python drive.py TIME_NETWORK FOLDER OUTPUT.json
DOCUMENT.md.

Every engine runs in a process of its own and takes its turn for a few frames, round after round, so that what else the machine
does falls on all of them alike. Writes rows of graph, engine, threads, median_ms, speedup_over_onnxruntime, cpu_ms (processor time
of all threads, which a busy machine inflates less) and max_diff_over_max: the largest difference of the anomaly map from ONNX Runtime's, by the map's largest value.
"""

import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

GRAPHS = (
    "stpm-resnet18-256",
    "stpm-efficientnet-lite0-256",
    "efficientad-s-256",
    "efficientad-xs-256",
    "patchcore-resnet18-256",
)
ENGINES = ("onnxruntime", "openvino", "tract", "nominal")
OUTPUTS = ("anomaly_map", "score")
SHAPE = (1, 3, 256, 256)
SECONDS = 12
"""Time for each engine, graph and number of threads."""


def main(time_network, folder, output, document):
    folder = pathlib.Path(folder)
    source = folder / "input.f32"
    np.random.default_rng(1).random(SHAPE, dtype=np.float32).tofile(source)
    rows = []
    for graph in GRAPHS:
        for threads in (1, 2):
            rows += compare(time_network, folder, source, graph, threads)
            print_rows(rows[-len(ENGINES) :])
    pathlib.Path(output).write_text(json.dumps(rows, indent=1) + "\n")
    pathlib.Path(document).write_text(described(rows))


def described(rows):
    """The document: a table for each number of threads."""
    lines = ["# Speed beside other inference engines", "", INTRODUCTION]
    date = datetime.date.today().isoformat()
    lines += ["", f"{date}, {processor()}, {os.cpu_count()} processors; versions: {versions()}."]
    for threads in (1, 2):
        lines += ["", f"## {'One thread' if threads == 1 else 'Two threads'}", ""]
        lines += ["| network | engine | ms | × onnxruntime | CPU ms | largest difference of the map |", "|---|---|---|---|---|---|"]
        for row in rows:
            if row["threads"] == threads:
                lines.append(
                    f"| {row['graph']} | {row['engine']} | {row['median_ms']:.1f} | "
                    f"{row['speedup_over_onnxruntime']:.2f} | {row['cpu_ms']:.1f} | {row['max_diff_over_max']:.1e} |"
                )
    return "\n".join(lines) + "\n"


INTRODUCTION = """Written by `cargo xtask bench --peers`. Every engine runs the same ONNX files on the same input, 32-bit floats, batch 1, in turn
and in one run; figures are medians; CPU ms is the processor time of all threads, by which engines compare where the machine was
busy. `nominal` is what judges frames: tract with this project's kernels
(`kernels/`); `tract` is the same program with `--engine plain`. The last column is the largest difference of the anomaly map
from ONNX Runtime's, by the map's largest value. Weights are random: speed doesn't depend on them."""


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            family = [l.split(":")[1].strip() for l in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                      if l.startswith(("cpu family", "model\t"))][:2]
            return f"{line.split(':')[1].strip()} (family {family[0]}, model {family[1]})"
    return "processor unknown"


def versions():
    import importlib.metadata

    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("onnxruntime", "openvino"))


def compare(time_network, folder, source, graph, threads):
    model = folder / f"{graph}.onnx"
    workers = {}
    for engine in ENGINES:
        values = folder / f"{graph}.{engine}.f32"
        arguments = [str(model), str(source), str(threads), str(values)]
        name = {"nominal": "kernels", "tract": "plain"}.get(engine)
        command = [time_network, name, *arguments] if name else [sys.executable, __file__, "worker", engine, *arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{engine} can't run {graph}: read its message above, or install its package again")
        workers[engine] = process
    times = {engine: [] for engine in ENGINES}
    busy = {engine: [] for engine in ENGINES}
    # The first runs are not counted; they also say how many fit a turn.
    slowest = max(statistics.median(turn(process, 2)) for process in workers.values())
    frames = max(1, int(500 / slowest))
    for _ in range(max(3, int(SECONDS * 1000 / (frames * slowest)))):
        for engine, process in workers.items():
            before = processor_ms(process)
            times[engine] += turn(process, frames)
            busy[engine].append((processor_ms(process) - before) / frames)
    for process in workers.values():
        process.stdin.close()
        process.wait()
    medians = {engine: statistics.median(values) for engine, values in times.items()}
    size = int(np.prod(SHAPE[2:]))
    maps = {engine: np.fromfile(folder / f"{graph}.{engine}.f32", np.float32)[:size] for engine in ENGINES}
    reference = maps["onnxruntime"]
    return [
        {
            "graph": graph,
            "engine": engine,
            "threads": threads,
            "median_ms": round(medians[engine], 3),
            "speedup_over_onnxruntime": round(medians["onnxruntime"] / medians[engine], 3),
            "cpu_ms": round(statistics.median(busy[engine]), 3),
            "max_diff_over_max": float(np.abs(maps[engine] - reference).max() / np.abs(reference).max()),
        }
        for engine in ENGINES
    ]


def processor_ms(process):
    """What all threads of a process have run, by Linux's scheduler."""
    tasks = pathlib.Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6


def turn(process, frames):
    process.stdin.write(f"{frames}\n")
    process.stdin.flush()
    return [float(word) for word in process.stdout.readline().split()]


def print_rows(rows):
    for row in rows:
        print(
            f"{row['graph']:<30} {row['engine']:<12} {row['threads']} {row['median_ms']:>10.2f} ms"
            f" {row['cpu_ms']:>10.2f} CPU ms  x {row['speedup_over_onnxruntime']:<6.2f} {row['max_diff_over_max']:.1e}",
            flush=True,
        )


def worker(engine, model, source, threads, output):
    image = np.fromfile(source, np.float32).reshape(SHAPE)
    run = {"onnxruntime": onnxruntime_runner, "openvino": openvino_runner}[engine](model, int(threads), image)
    np.concatenate([np.ravel(value) for value in run()]).astype("<f4").tofile(output)
    print("ready", flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            run()
            times.append(f"{(time.perf_counter() - start) * 1e3:.4f}")
        print(" ".join(times), flush=True)


def onnxruntime_runner(model, threads, image):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(list(OUTPUTS), {"image": image})


def openvino_runner(model, threads, image):
    import openvino

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


if sys.argv[1] == "worker":
    worker(*sys.argv[2:])
else:
    main(*sys.argv[1:])
