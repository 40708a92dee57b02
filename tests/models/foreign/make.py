"""Makes tiny ONNX models like those that users of anomalib have, and their expected outputs.

The networks have random weights and are fitted on images drawn here, so nothing is downloaded. The models are
useless for inspection: they test that files written by anomalib are read and run correctly.

    pip install anomalib torch torchvision onnx onnxscript onnxruntime   # README.md lists the versions
    python make.py OUT

writes OUT/*.onnx, OUT/patchcore_dynamic.onnx.data and OUT/reference.json.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import onnxruntime
import torch
from lightning import seed_everything
from PIL import Image
from torchvision.transforms.v2 import Compose, Normalize, Resize

from anomalib.data import Folder
from anomalib.deploy import ExportType
from anomalib.engine import Engine
from anomalib.models import Cflow, Padim, Patchcore, Stfpm
from anomalib.models.image.stfpm import torch_model as stfpm_model
from anomalib.pre_processing import PreProcessor

SIZE = 64
# Networks from timm's own tests; the layers are at one fourth and one eighth of the image size.
RESNET = {"backbone": "test_resnet", "layers": ["layer1", "layer2"]}
EFFICIENTNET = {"backbone": "test_efficientnet", "layers": ["blocks.1", "blocks.2"]}


# The inputs of the reference run. Values are 0 to 1, shape [3, height, width], float32.


def ramp(height, width):
    """Red increases to the right, green downwards, blue along the diagonal."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([x / (width - 1), y / (height - 1), (x + y) / (width + height - 2)]).astype(np.float32)


def noise(height, width):
    """Value i (in the order channel, row, column, from 0) is the top byte of s(i + 1), over 255; s(0) = 1 and
    s(i + 1) = (1664525 s(i) + 1013904223) mod 2^32."""
    state, values = 1, np.empty(3 * height * width, np.float32)
    for i in range(values.size):
        state = (1664525 * state + 1013904223) % 2**32
        values[i] = np.float32(state >> 24) / np.float32(255)
    return values.reshape(3, height, width)


INPUTS = {"ramp": ramp, "noise": noise}


def draw_pictures(folder):
    """Draws eight good parts, each a disc on a soft texture. The bad ones are far apart, so that the scores of the
    reference inputs fall inside the range that anomalib scales to 0..1."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    disc = 90 + 80 * ((x - 31.5) ** 2 + (y - 31.5) ** 2 < 20**2)[..., None]
    good = [disc + random.normal(0, 6, (SIZE, SIZE, 3)) for _ in range(8)]
    scratched = good[0].copy()
    scratched[20:23, 16:48] = 255
    bad = [255 * given(SIZE, SIZE).transpose(1, 2, 0) for given in INPUTS.values()]
    bad += [scratched, 255 * random.integers(0, 2, (SIZE, SIZE, 3)), np.zeros((SIZE, SIZE, 3))]
    bad += [255 * np.repeat(((x // 8 + y // 8) % 2)[..., None], 3, axis=2), np.full((SIZE, SIZE, 3), 255)]
    for kind, pictures in (("good", good), ("bad", bad)):
        (folder / kind).mkdir(parents=True)
        for i, picture in enumerate(pictures):
            Image.fromarray(picture.round().clip(0, 255).astype(np.uint8)).save(folder / kind / f"{i}.png")


def build(method):
    """Builds the model with random weights, and anomalib's usual pre-processing at 64 x 64 instead of 256 x 256."""
    resize = Resize((SIZE, SIZE), antialias=True)
    prepared = PreProcessor(Compose([resize, Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])]))
    options = {"pre_processor": prepared, "evaluator": False, "visualizer": False}
    if method == "patchcore":
        return Patchcore(**RESNET, pre_trained=False, coreset_sampling_ratio=0.02, num_neighbors=3, **options)
    if method == "padim":
        return Padim(**EFFICIENTNET, pre_trained=False, n_features=6, **options)
    if method == "cflow":
        model = Cflow(**EFFICIENTNET, pre_trained=False, coupling_blocks=2, condition_vector=16, **options)
        # The forward pass calls `decoder.to(device)`, which torch.export of torch 2.11 refuses.
        for decoder in model.model.decoders:
            decoder.to = lambda *_, decoder=decoder: decoder
        return model
    # STFPM has no `pre_trained`, and would download its teacher's weights.
    extractor = stfpm_model.TimmFeatureExtractor

    def untrained(pre_trained, **options):
        return extractor(pre_trained=False, **options)

    with mock.patch.object(stfpm_model, "TimmFeatureExtractor", untrained):
        return Stfpm(**RESNET, **options)


def tidy(source, target, beside=False):
    """Copies a model without the exporter's notes (which contain local paths), by default as one file. With `beside`,
    the weights stay in a second file, as anomalib leaves them."""
    model = onnx.load(source)
    parts = [model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output]
    for part in [*parts, *model.graph.initializer]:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    for part in target.parent.glob(target.name + "*"):
        part.unlink()
    onnx.save(model, target, save_as_external_data=beside, location=target.name + ".data", size_threshold=1024)
    for part in target.parent.glob(target.name + "*"):
        part.chmod(0o644)
    onnx.checker.check_model(target)


def write(out, scratch):
    """Fits and exports each method."""
    draw_pictures(scratch / "pictures")
    for method in ("patchcore", "padim", "stfpm", "cflow"):
        seed_everything(1)
        model = build(method)
        engine = Engine(
            max_epochs=1, accelerator="cpu", devices=1, logger=False, enable_progress_bar=False,
            default_root_dir=scratch,
        )  # fmt: skip
        data = Folder(
            name="parts", root=scratch / "pictures", normal_dir="good", abnormal_dir="bad", normal_split_ratio=0.25,
            val_split_mode="same_as_test", train_batch_size=4, eval_batch_size=4, num_workers=0, seed=1,
        )  # fmt: skip
        engine.fit(model, datamodule=data)
        model.eval()

        def export(name, size, beside=False):
            engine.export(model, ExportType.ONNX, export_root=scratch, model_file_name=name, input_size=size)
            tidy(scratch / f"weights/onnx/{name}.onnx", out / f"{name}.onnx", beside)

        # What `Engine.export` writes: pre-processing, network, scaling to 0..1 and thresholds.
        export(method, (SIZE, SIZE))
        if method == "patchcore":
            # The same without `input_size`, the default: any height and width, resized inside.
            export("patchcore_dynamic", None, beside=True)
        if method == "padim":
            # The same with torch's older exporter, which anomalib still offered before 2.7.
            names = ["pred_score", "pred_label", "anomaly_map", "pred_mask"]
            script(model, scratch / "padim_script.onnx", names, {name: {0: "batch_size"} for name in ["input", *names]})
            tidy(scratch / "padim_script.onnx", out / "padim_script.onnx")

        # Only the network, with the older exporter: normalised input, raw scores, outputs with generated names.
        script(model.model, scratch / "bare.onnx", None, None)
        tidy(scratch / "bare.onnx", out / f"{method}_bare.onnx")

        # Pre-processing and network, without scaling and thresholds.
        model.post_processor = None
        export(f"{method}_raw", (SIZE, SIZE))


def script(model, path, output_names, dynamic_axes):
    """Exports with torch's older exporter, TorchScript."""
    torch.onnx.export(
        model.eval(), (torch.zeros(1, 3, SIZE, SIZE),), str(path), dynamo=False, opset_version=14,
        input_names=["input"], output_names=output_names, dynamic_axes=dynamic_axes,
    )  # fmt: skip


def reference(path):
    """Describes onnxruntime's outputs for the two inputs: for each output, its shape, type, smallest and largest value,
    sum, and 16 evenly spaced values including the first and the last."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    sizes = [(SIZE, SIZE)] if isinstance(given.shape[2], int) else [(SIZE, SIZE), (96, 80)]
    runs = []
    for height, width in sizes:
        for name, make in INPUTS.items():
            outputs = session.run(None, {given.name: make(height, width)[None]})
            described = {}
            for output, value in zip(session.get_outputs(), outputs):
                flat = value.ravel().astype(np.float64)
                at = [i * (flat.size - 1) // 15 for i in range(16)] if flat.size > 1 else [0]
                described[output.name] = {
                    "shape": value.shape, "type": str(value.dtype), "min": flat.min(), "max": flat.max(),
                    "sum": flat.sum(), "values": [float(f"{flat[i]:.9g}") for i in at],
                }  # fmt: skip
            runs.append({"input": name, "height": height, "width": width, "outputs": described})
    return {"bytes": path.stat().st_size, "input": given.name, "input_shape": given.shape, "runs": runs}


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp())
    try:
        write(out, scratch)
    finally:
        shutil.rmtree(scratch)
    references = {path.name: reference(path) for path in sorted(out.glob("*.onnx"))}
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in references.items()]
    (out / "reference.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
