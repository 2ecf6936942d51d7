"""Writes what OpenCV makes of pictures that are resized by INTER_LINEAR and mirrored.

    python3 Tests/Peers/resize_opencv.py Tests/Fixtures/resize_opencv.safetensors

Needs numpy and opencv-python-headless. Pictures come from a formula, so that only results are stored: of small ones
their bytes, of pictures as large as those of a data set the SHA-256 of their bytes.
"""

import hashlib
import json
import struct
import sys

import cv2
import numpy

# width, height, width and height of the result, whether it is mirrored afterwards
SMALL = [
    (13, 9, 29, 17, 0), (31, 40, 11, 33, 1), (1, 1, 3, 2, 0), (1, 7, 4, 5, 1), (9, 1, 5, 6, 0), (20, 16, 20, 16, 1),
    (20, 16, 10, 8, 0), (22, 14, 11, 7, 1), (21, 17, 10, 8, 0), (20, 16, 10, 16, 1), (20, 16, 20, 8, 0),
    (20, 16, 10, 9, 1), (12, 10, 24, 20, 0), (12, 10, 25, 21, 1), (7, 5, 28, 15, 0), (40, 30, 9, 7, 1),
    (64, 48, 8, 6, 0), (33, 47, 16, 23, 1), (37, 23, 36, 22, 0), (37, 23, 38, 24, 1), (5, 60, 20, 13, 0),
    (60, 5, 13, 20, 1), (3, 3, 31, 29, 0), (2, 2, 17, 1, 1), (2, 2, 1, 1, 0), (100, 80, 19, 13, 1),
    (24, 18, 40, 30, 0), (25, 19, 42, 31, 1), (16, 12, 27, 20, 1), (17, 13, 9, 26, 0), (11, 90, 30, 11, 0),
    (48, 36, 30, 22, 1), (19, 29, 1, 40, 0), (4, 6, 32, 8, 1),
]  # fmt: skip
LARGE = [
    (640, 480, 1067, 800, 0), (640, 427, 1199, 800, 1), (500, 375, 853, 640, 0), (427, 640, 449, 673, 1),
    (1000, 200, 1333, 267, 0), (1600, 1200, 1067, 800, 1), (1280, 960, 640, 480, 0), (333, 500, 533, 800, 1),
]  # fmt: skip


def picture(width, height, seed):
    """Bytes that look random: those of ResizeFixture in the test."""
    places = numpy.arange(3 * width * height, dtype=numpy.uint32)
    values = (places + numpy.uint32(seed * 7919)) * numpy.uint32(2654435761)
    values ^= values >> numpy.uint32(15)
    values *= numpy.uint32(2246822519)
    return (values >> numpy.uint32(24)).astype(numpy.uint8).reshape(height, width, 3)


def main(target):
    cases, header, parts, offset = [], {}, [], 0
    for seed, (width, height, new_width, new_height, mirrored) in enumerate(SMALL + LARGE):
        result = cv2.resize(picture(width, height, seed), (new_width, new_height), interpolation=cv2.INTER_LINEAR)
        if mirrored:
            result = cv2.flip(result, 1)
        data = result.tobytes()
        case = {"width": width, "height": height, "new_width": new_width, "new_height": new_height,
                "mirrored": mirrored}  # fmt: skip
        if seed < len(SMALL):
            header[str(seed)] = {
                "dtype": "U8",
                "shape": list(result.shape),
                "data_offsets": [offset, offset + len(data)],
            }
            offset += len(data)
            parts.append(data)
        else:
            case["sha256"] = hashlib.sha256(data).hexdigest()
        cases.append(case)
    params = {"opencv": cv2.__version__, "cases": cases}
    header["__metadata__"] = {"json": json.dumps({"params": params})}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(target, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


main(sys.argv[1])
