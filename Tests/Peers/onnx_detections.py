"""What ONNX Runtime finds with an exported detector.

usage: onnx_detections.py MODEL PICTURE...

Prints one JSON object a line for each picture: boxes, scores, names, and where the model has masks
their pixels as COCO's run lengths.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime
from PIL import Image


def paste(mask, box, width, height):
    """The pixels of a mask: bilinear samples of its cells at pixel centres, at least one half."""
    side = len(mask)
    cells = np.pad(mask, 1)

    def axis(start, end, size):
        place = (np.arange(size) + 0.5 - start) / (end - start) * side - 0.5
        place = np.clip(place, -1, side)
        cell = np.floor(place).astype(int)
        return cell + 1, np.minimum(cell + 2, side + 1), place - cell

    top, bottom, down = axis(box[1], box[3], height)
    left, right, across = axis(box[0], box[2], width)
    rows = cells[top] * (1 - down)[:, None] + cells[bottom] * down[:, None]
    return rows[:, left] * (1 - across) + rows[:, right] * across >= 0.5


def run_lengths(pixels):
    """Lengths of runs of 0 and 1 in turn, column by column."""
    flat = np.concatenate([[False], pixels.T.reshape(-1)])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate([[0], changes, [pixels.size]])).tolist()


def main(model, pictures):
    onnx.checker.check_model(model, full_check=True)
    domains = {node.domain for node in onnx.load(model).graph.node}
    assert domains == {""}, f"operators of {domains}"
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = json.loads(session.get_modelmeta().custom_metadata_map["names"])
    outputs = [output.name for output in session.get_outputs()]
    for path in pictures:
        image = np.asarray(Image.open(path).convert("RGB"))
        found = dict(zip(outputs, session.run(None, {"image": image})))
        result = {
            "boxes": found["boxes"].tolist(), "scores": found["scores"].tolist(),
            "names": [names[label] for label in found["labels"]],
        }
        if "masks" in found:
            height, width = image.shape[:2]
            result["masks"] = [
                run_lengths(paste(mask, box, width, height))
                for mask, box in zip(found["masks"], found["boxes"])
            ]
        print(json.dumps(result))


main(sys.argv[1], sys.argv[2:])
