"""Loads the labels of three pictures with the programs that they are written for.

usage: label_formats.py FOLDER

Prints the number of objects of each picture by format; boxes must be those of COCO in every format.
"""

import os
import sys

import numpy as np
import supervision
from PIL import Image
from pycocotools.coco import COCO

folder = sys.argv[1]
os.makedirs(f"{folder}/images", exist_ok=True)
names = ["1.png", "2.png", "3.png"]
for name in names:
    Image.new("RGB", (40, 30)).save(f"{folder}/images/{name}")

truth = COCO(f"{folder}/coco.json")
assert sorted(truth.getImgIds()) == [1, 2, 3]
for annotation in truth.loadAnns(truth.getAnnIds()):
    x, y, width, height = annotation["bbox"]
    assert abs(truth.annToMask(annotation).sum() - width * height) < 1e-6
    assert annotation["area"] == width * height

sets = {
    "coco": supervision.DetectionDataset.from_coco(f"{folder}/images", f"{folder}/coco.json"),
    "voc": supervision.DetectionDataset.from_pascal_voc(f"{folder}/images", f"{folder}/Annotations"),
    "yolo": supervision.DetectionDataset.from_yolo(
        f"{folder}/images", f"{folder}/labels", f"{folder}/data.yaml"),
}
counts = []
for kind, data in sets.items():
    found = {os.path.basename(path): detections for path, _, detections in data}
    counts.append(f"{kind} {[len(found[name]) for name in names]}")
    for name in names:
        wanted = truth.loadAnns(truth.getAnnIds(int(name[0])))
        for box, number, annotation in zip(found[name].xyxy, found[name].class_id, wanted):
            x, y, width, height = annotation["bbox"]
            # Pascal VOC counts pixels from 1, and its reader leaves it so or not by version.
            allowed = 1.01 if kind == "voc" else 0.01
            assert np.abs(box - [x, y, x + width, y + height]).max() < allowed, (kind, box, annotation)
            label = truth.loadCats(annotation["category_id"])[0]["name"]
            assert data.classes[number] == label, (kind, data.classes, number, label)
print(*counts)
