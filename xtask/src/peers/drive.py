"""Times every engine on the same networks and the same input, in turn:
python drive.py PROGRAMS FOLDER OUTPUT.json DOCUMENT.md LITERT_PYTHON|- ONLY|- [BUNDLE…].

Every engine runs in its own process. The engines take turns of a few frames each, round after round, so that other load on the
machine affects all of them alike. Writes rows of table, graph, engine, threads, median_ms, speedup_over_onnxruntime,
percent_of_peak, cpu_ms (processor time of all threads, which a busy machine inflates less), load_ms, memory_mib and
max_diff_over_max: the largest difference of the anomaly map from ONNX Runtime's, relative to the map's largest value.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys

import numpy as np

import convert
import document
import frames
from worker import Worker

GRAPHS = (
    "stpm-resnet18-256",
    "stpm-efficientnet-lite0-256",
    "efficientad-s-256",
    "efficientad-xs-256",
    "efficientad-lite0-256",
    "patchcore-resnet18-256",
    "local-gaussians-efficientnet-lite0-256",
    "local-gaussians-efficientnet-lite0-416x160",
)
SIZES = tuple(f"stpm-{network}-{side}" for network in ("resnet18", "efficientnet-lite0") for side in (128, 384, 512))
PEERS = ("onnxruntime", "openvino", "ncnn", "litert")
CONVERTED = ("ncnn", "litert")
OURS = ("tract", "nominal")
NARROWER = ("nominal-avx2", "nominal-portable")
ENGINES = pathlib.Path(__file__).with_name("engines.py")
SECONDS = 6
"""Measuring time for each engine, graph and number of threads."""


class Driver:
    def __init__(self, time_network, folder, litert):
        self.time_network = time_network
        self.folder = pathlib.Path(folder)
        self.litert = litert
        self.models = {}
        self.peaks = {threads: peak(threads) for threads in (1, 2)}

    def compare(self, table, name, model, engines, threads):
        """Measures each engine that can run the model, and returns a row for each."""
        shape = convert.input_shape(model)
        source = self.folder / "input.f32"
        np.random.default_rng(1).random(shape, dtype=np.float32).tofile(source)
        workers = {}
        for engine in engines:
            command = self.command(engine, model, source, shape, threads)
            if not command:
                continue
            try:
                workers[engine] = Worker(engine, command, environment(engine))
            except RuntimeError as reason:
                if engine not in CONVERTED:
                    raise
                # A converter's mistake may only show up now. The other engines are compared all the same.
                print(f"{engine} is left out of {model}: {reason}", flush=True)
                self.models[engine, model] = None
        times = {engine: [] for engine in workers}
        busy = {engine: [] for engine in workers}
        # The first runs are warm-up; they also determine how many frames fit in a turn.
        slowest = max(statistics.median(worker.turn(2)) for worker in workers.values())
        frames = max(1, int(500 / slowest))
        for _ in range(max(3, int(SECONDS * 1000 / (frames * slowest)))):
            for engine, worker in workers.items():
                before = worker.processor_ms()
                times[engine] += worker.turn(frames)
                busy[engine].append((worker.processor_ms() - before) / frames)
        for worker in workers.values():
            worker.end()
        medians = {engine: statistics.median(values) for engine, values in times.items()}
        size = shape[2] * shape[3]
        maps = {engine: np.fromfile(self.map_of(engine), np.float32)[:size] for engine in workers}
        reference = maps["onnxruntime"]
        products = convert.multiplications(model) / 1e9
        rows = [
            {
                "table": table,
                "graph": name,
                "engine": engine,
                "threads": threads,
                "median_ms": round(medians[engine], 3),
                "speedup_over_onnxruntime": round(medians["onnxruntime"] / medians[engine], 3),
                "percent_of_peak": round(100 * products / (medians[engine] / 1e3) / self.peaks[threads], 1),
                "cpu_ms": round(statistics.median(busy[engine]), 3),
                "load_ms": round(worker.load_ms, 1),
                "memory_mib": round(worker.memory_mib, 1),
                "max_diff_over_max": float(np.abs(maps[engine] - reference).max() / np.abs(reference).max()),
            }
            for engine, worker in workers.items()
        ]
        print_rows(rows)
        return rows

    def command(self, engine, model, source, shape, threads):
        """Returns the command that starts the engine, or None if it can't run the model."""
        mine = {"tract": "plain"}.get(engine, "kernels")
        arguments = [source, f"{shape[2]}x{shape[3]}", threads, self.map_of(engine)]
        if engine not in PEERS:
            return [self.time_network, mine, model, *arguments]
        python = self.litert if engine == "litert" else sys.executable
        converted = self.converted(engine, model)
        return [python, ENGINES, engine, converted, *arguments] if converted else None

    def converted(self, engine, model):
        if engine == "litert" and not self.litert:
            return None
        if (engine, model) not in self.models:
            try:
                convert_for = {
                    "ncnn": lambda: convert.to_ncnn(model, self.folder),
                    "litert": lambda: convert.to_litert(model, self.folder, self.litert),
                }
                self.models[engine, model] = convert_for.get(engine, lambda: model)()
            except Exception as reason:  # Any error of a converter: the other engines are compared all the same.
                print(f"{engine} is left out of {model}: {reason}", flush=True)
                self.models[engine, model] = None
        return self.models[engine, model]

    def map_of(self, engine):
        return self.folder / f"{engine}.f32"


def environment(engine):
    """Returns the environment variables; `nominal-avx2` is the same program with that path selected."""
    _, _, path = engine.partition("nominal-")
    return {**os.environ, **({"NOMINAL_VECTORS": path} if path else {})}


def peak(threads):
    variables = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads)}
    done = subprocess.run([sys.executable, ENGINES, "peak", str(threads)], stdout=subprocess.PIPE, text=True, check=True, env=variables)
    return float(done.stdout)


def print_rows(rows):
    for row in rows:
        print(
            f"{row['graph']:<30} {row['engine']:<17} {row['threads']} {row['median_ms']:>9.2f} ms {row['cpu_ms']:>9.2f} CPU ms"
            f"  x {row['speedup_over_onnxruntime']:<6.2f} {row['percent_of_peak']:>4.0f} % {row['max_diff_over_max']:.1e}",
            flush=True,
        )


def litert_version(python):
    script = "import importlib.metadata as m; print(m.version('ai-edge-litert'))"
    return subprocess.run([python, "-c", script], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def main(programs, folder, output, report, litert, only, *bundles):
    """`only` names what is measured: networks or frames; with it, the document isn't written."""
    litert = None if litert == "-" else litert
    rows = []
    if only != "networks":
        rows += frames.compare(pathlib.Path(programs) / "time_frame", folder)
    if only != "frames":
        rows += networks(pathlib.Path(programs) / "time_network", folder, litert, bundles)
    pathlib.Path(output).write_text(json.dumps(rows, indent=1) + "\n")
    if only == "-":
        pathlib.Path(report).write_text(document.described(rows, litert and litert_version(litert)))


def networks(time_network, folder, litert, bundles):
    driver = Driver(time_network, folder, litert)
    rows = []
    for graph in GRAPHS:
        model = str(driver.folder / f"{graph}.onnx")
        for threads in (1, 2):
            engines = PEERS + OURS + (NARROWER if threads == 1 else ())
            rows += driver.compare("main", graph, model, engines, threads)
    for graph in SIZES:
        rows += driver.compare("sizes", graph, str(driver.folder / f"{graph}.onnx"), ("onnxruntime", "nominal"), 1)
    for bundle in map(pathlib.Path, bundles):
        rows += driver.compare("bundles", bundle.name, str(bundle / "model.onnx"), ("onnxruntime", "tract", "nominal"), 1)
    return rows


main(*sys.argv[1:])
