"""Writes what PyTorch makes of the maps of a mask head that are pasted into pictures.

    python3 Tests/Peers/paste_torch.py Tests/Fixtures/paste_torch.safetensors

Needs numpy and torch. The steps are those of `_do_paste_mask` in MMDetection 3.3.0 on a CPU, one mask after the other.
Maps come from a formula; of each mask the number of its pixels and the CRC-32 of all bytes are stored.
"""

import json
import struct
import sys
import zlib

import numpy
import torch
import torch.nn.functional as functional

COUNT, SIDE, WIDTH, HEIGHT = 900, 28, 211, 157


def map_of(seed):
    """Noise, noise so near the threshold that last bits decide, or a disc: those of MaskPasteTests."""
    places = numpy.arange(SIDE * SIDE, dtype=numpy.uint32)
    values = (places + numpy.uint32(seed * 7919)) * numpy.uint32(2654435761)
    values ^= values >> numpy.uint32(15)
    values *= numpy.uint32(2246822519)
    noise = (values >> numpy.uint32(8)).astype(numpy.float32) / numpy.float32(1 << 24)
    if seed % 3 == 1:
        noise = numpy.float32(0.5) + (noise - numpy.float32(0.5)) / numpy.float32(1 << 14)
    if seed % 3 == 2:
        y, x = (places // SIDE).astype(numpy.int32), (places % SIDE).astype(numpy.int32)
        distance = (2 * x - SIDE + 1) ** 2 + (2 * y - SIDE + 1) ** 2
        noise = numpy.float32(1) - distance.astype(numpy.float32) / numpy.float32(SIDE * SIDE)
    return noise.reshape(SIDE, SIDE)


def boxes():
    """Boxes inside, across the border, thin, tiny, and without width."""
    random = numpy.random.default_rng(18)
    x, y = (numpy.sort(random.uniform(-20, size + 20, (COUNT, 2))) for size in (WIDTH, HEIGHT))
    found = numpy.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], 1)
    found[::2] = found[::2].clip(0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    found[::9, 2] = found[::9, 0] + random.uniform(0, 3, COUNT // 9)
    found[::10, 3] = found[::10, 1] + random.uniform(0, 1, COUNT // 10)
    found[::7] = found[::7].round()
    found[50::100, 2] = found[50::100, 0]
    found[75::100, :] = [WIDTH, 3, WIDTH, 90]
    return found.astype(numpy.float32)


def paste(masks, boxes):
    left, top = torch.clamp(boxes.min(dim=0).values.floor()[:2] - 1, min=0).to(torch.int32)
    right = torch.clamp(boxes[:, 2].max().ceil() + 1, max=WIDTH).to(torch.int32)
    bottom = torch.clamp(boxes[:, 3].max().ceil() + 1, max=HEIGHT).to(torch.int32)
    result = numpy.zeros((HEIGHT, WIDTH), numpy.uint8)
    if right <= left or bottom <= top:
        return result
    x0, y0, x1, y1 = torch.split(boxes, 1, dim=1)
    y = torch.arange(top, bottom).to(torch.float32) + 0.5
    x = torch.arange(left, right).to(torch.float32) + 0.5
    y = (y - y0) / (y1 - y0) * 2 - 1
    x = (x - x0) / (x1 - x0) * 2 - 1
    y[torch.isinf(y)] = 0
    x[torch.isinf(x)] = 0
    shape = (1, y.size(1), x.size(1))
    grid = torch.stack([x[:, None, :].expand(shape), y[:, :, None].expand(shape)], dim=3)
    values = functional.grid_sample(masks, grid, align_corners=False)[0, 0]
    result[top:bottom, left:right] = (values >= 0.5).numpy()
    return result


def main(target):
    torch.set_num_threads(1)
    wanted = boxes()
    found = numpy.zeros((COUNT, 2), numpy.uint32)
    for index in range(COUNT):
        mask = paste(torch.tensor(map_of(index))[None, None], torch.tensor(wanted[index])[None])
        found[index] = mask.sum(), zlib.crc32(mask.tobytes())
    parts = {"boxes": ("F32", wanted), "masks": ("I32", found)}
    params = {
        "torch": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability(), "side": SIDE,
        "width": WIDTH, "height": HEIGHT,
    }  # fmt: skip
    header, offset = {"__metadata__": {"json": json.dumps({"params": params})}}, 0
    for name, (kind, part) in parts.items():
        header[name] = {"dtype": kind, "shape": list(part.shape), "data_offsets": [offset, offset + part.nbytes]}
        offset += part.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(target, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(part.tobytes() for _, part in parts.values()))


main(sys.argv[1])
