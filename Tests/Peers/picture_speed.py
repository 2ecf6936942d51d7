"""Pictures a second of `baron detect`, ONNX Runtime, OpenVINO and PyTorch for a whole detector with a pyramid.

usage: picture_speed.py BARON RUN CLIP-FOLDER PICTURE --names FILE [FILE ...] [--threads N] [--rounds N]
                        [--runtimes baron,onnxruntime,openvino,pytorch,pytorch-channels-last]

RUN is one of ov-coco-fpn-kd, PICTURE a file, which all resize to 800x1333; each FILE has a name on each line and is
measured on its own. The script exports RUN with the names for the two runtimes of graphs; PyTorch computes the run's
checkpoint with modules of its own and torchvision's: decoding, resizing, backbone, pyramid, proposals, regions, words,
text encoder, scores, suppression. Everybody gets N threads and takes turns, round by round. Baron's time is the
difference of `detect` on four pictures and on one, so that starting is no part of it, nor is it of the others'. Printed
are medians on the clock and in processor seconds, which other work on the machine moves less, and how many of the first
runtime's best objects each finds. Run it on a machine that does nothing else:

    PYTHON Tests/Peers/picture_speed.py .build/release/baron RUN CLIP street.jpg --names names65.txt lvis1203.txt --rounds 5
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time

import numpy as np
from PIL import Image

TEMPLATES = 'clip.templates=["a photo of a {name}"]'


def picture(path):
    return np.asarray(Image.open(path).convert("RGB"))


def onnx_runtime(arguments):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        arguments.model, options, providers=["CPUExecutionProvider"])
    return lambda path: session.run(["boxes", "scores", "labels"], {"image": picture(path)})


def openvino(arguments):
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(arguments.model, "CPU", {
        "INFERENCE_NUM_THREADS": arguments.threads, "INFERENCE_PRECISION_HINT": "f32"})
    outputs = [compiled.output(name) for name in ("boxes", "scores", "labels")]

    def run(path):
        found = compiled([picture(path)])
        return [found[output] for output in outputs]

    return run


class Detector:
    """ov-coco-fpn-kd in PyTorch's eager mode, as its authors' code computes it."""

    def __init__(self, arguments, channels_last):
        import onnx
        import torch
        from safetensors.torch import load_file

        torch.set_num_threads(arguments.threads)
        self.torch = torch
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.w = {
            name: value.contiguous(memory_format=self.format) if value.dim() == 4 else value
            for name, value in load_file(weights(arguments.run)).items()}
        self.t = load_file(arguments.clip + "/model.safetensors")
        # Class embeddings with that of the background, as the exported graph has them.
        graph = onnx.load(arguments.model).graph
        table = next(entry for entry in graph.initializer if entry.name.split("/")[-1] == "classes")
        self.classes = torch.from_numpy(onnx.numpy_helper.to_array(table).copy())
        if self.classes.shape[1] != 512:
            self.classes = self.classes.T.contiguous()

    def conv(self, x, name, stride=1, norm=None):
        functional = self.torch.nn.functional
        weight = self.w[name + ".weight"]
        x = functional.conv2d(
            x, weight, self.w.get(name + ".bias"), stride, weight.shape[-1] // 2)
        if norm:
            x = functional.batch_norm(
                x, self.w[norm + ".running_mean"], self.w[norm + ".running_var"],
                self.w[norm + ".weight"], self.w[norm + ".bias"], False, 0, 1e-5)
        return x

    def linear(self, x, name):
        return self.torch.nn.functional.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def backbone(self, x):
        torch, functional = self.torch, self.torch.nn.functional
        x = self.conv(x, "backbone.conv1", 2, "backbone.bn1").relu_()
        x = functional.max_pool2d(x, 3, 2, 1)
        maps = []
        for stage, blocks in enumerate((3, 4, 6, 3), 1):
            for block in range(blocks):
                name = f"backbone.layer{stage}.{block}"
                stride = 2 if stage > 1 and block == 0 else 1
                carried = x
                if block == 0:
                    carried = self.conv(
                        x, name + ".downsample.0", stride, name + ".downsample.1")
                y = self.conv(x, name + ".conv1", 1, name + ".bn1").relu_()
                y = self.conv(y, name + ".conv2", stride, name + ".bn2").relu_()
                y = self.conv(y, name + ".conv3", 1, name + ".bn3")
                x = y.add_(carried).relu_()
            maps.append(x)
        levels = [self.block(map, f"neck.lateral_convs.{index}") for index, map in enumerate(maps)]
        for index in (2, 1, 0):
            levels[index] = levels[index] + functional.interpolate(
                levels[index + 1], size=levels[index].shape[-2:], mode="nearest")
        levels = [self.block(map, f"neck.fpn_convs.{index}") for index, map in enumerate(levels)]
        return levels + [functional.max_pool2d(levels[-1], 1, 2)]

    def block(self, x, name):
        norm = name + ".bn" if name + ".bn.weight" in self.w else None
        return self.conv(x, name + ".conv", 1, norm)

    def anchors(self, size, stride, height, width):
        torch = self.torch
        ratios = torch.tensor([0.5, 1.0, 2.0]).sqrt()
        half = torch.stack([size / ratios, size * ratios], 1) / 2
        base = torch.cat([-half, half], 1)
        y, x = torch.meshgrid(
            torch.arange(height) * stride, torch.arange(width) * stride, indexing="ij")
        shift = torch.stack([x, y, x, y], -1).reshape(-1, 1, 4)
        return (shift + base).reshape(-1, 4)

    def moved(self, boxes, deltas, deviations, size):
        torch = self.torch
        deltas = deltas * torch.tensor(deviations)
        low, high = boxes[:, :2], boxes[:, 2:]
        extent = high - low
        centre = (low + high) / 2 + deltas[:, :2] * extent
        limit = abs(float(np.log(16 / 1000)))
        half = extent / 2 * deltas[:, 2:].clamp(-limit, limit).exp()
        corners = torch.cat([centre - half, centre + half], 1)
        bound = torch.tensor([size[1], size[0], size[1], size[0]], dtype=torch.float32)
        return corners.clamp(min=0).minimum(bound)

    def proposals(self, maps, size):
        import torchvision

        torch = self.torch
        boxes, scores, levels = [], [], []
        for level, map in enumerate(maps):
            features = self.conv(map, "rpn_head.rpn_conv").relu_()
            logits = self.conv(
                self.conv(features, "rpn_head.rpn_cls.0").relu_(), "rpn_head.rpn_cls.2")
            deltas = self.conv(features, "rpn_head.rpn_reg")
            logits = logits.permute(0, 2, 3, 1).reshape(-1)
            deltas = deltas.permute(0, 2, 3, 1).reshape(-1, 4)
            best, places = logits.topk(min(1000, len(logits)))
            stride = 4 << level
            anchors = self.anchors(8 * stride, stride, *map.shape[-2:])[places]
            boxes.append(self.moved(anchors, deltas[places], [1.0] * 4, size))
            scores.append(best)
            levels.append(torch.full((len(best),), level))
        boxes, scores, levels = torch.cat(boxes), torch.cat(scores), torch.cat(levels)
        real = (boxes[:, 2:] > boxes[:, :2]).all(1)
        boxes, scores, levels = boxes[real], scores[real], levels[real]
        kept = torchvision.ops.batched_nms(boxes, scores, levels, 0.7)[:1000]
        return boxes[kept]

    def pooled(self, maps, boxes):
        import torchvision

        torch = self.torch
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        level = (area.sqrt() / 56 + 1e-6).log2().floor().clamp(0, 3).long()
        features = torch.empty(len(boxes), 256, 7, 7, memory_format=self.format)
        for index in range(4):
            members = (level == index).nonzero()[:, 0]
            features[members] = torchvision.ops.roi_align(
                maps[index], [boxes[members]], 7, 0.25 / (1 << index), 0, True)
        return features

    def sentences(self, words):
        """The text encoder's last block, at the end of each sentence."""
        torch, functional = self.torch, self.torch.nn.functional
        t, count = self.t, words.shape[1] + 2
        tokens = t["text_model.embeddings.token_embedding.weight"]
        x = torch.cat([
            tokens[-2].expand(len(words), 1, -1), words, tokens[-1].expand(len(words), 1, -1)], 1)
        x = x + t["text_model.embeddings.position_embedding.weight"][:count]

        def linear(x, name):
            return functional.linear(x, t[name + ".weight"], t[name + ".bias"])

        def norm(x, name):
            return functional.layer_norm(x, (512,), t[name + ".weight"], t[name + ".bias"])

        for index in range(12):
            name = f"text_model.encoder.layers.{index}"
            hidden = norm(x, name + ".layer_norm1")
            if index == 11:
                x, ends = x[:, -1:], hidden[:, -1:]
            else:
                ends = hidden

            def heads(x, part):
                return linear(x, f"{name}.self_attn.{part}_proj").unflatten(-1, (8, 64)).transpose(1, 2)

            mixed = functional.scaled_dot_product_attention(
                heads(ends, "q"), heads(hidden, "k"), heads(hidden, "v"), is_causal=index < 11)
            x = x + linear(mixed.transpose(1, 2).flatten(2), name + ".self_attn.out_proj")
            hidden = linear(norm(x, name + ".layer_norm2"), name + ".mlp.fc1")
            hidden = hidden * (1.702 * hidden).sigmoid_()
            x = x + linear(hidden, name + ".mlp.fc2")
        return functional.normalize(x[:, 0], dim=-1)

    def __call__(self, path):
        import torchvision

        torch, functional = self.torch, self.torch.nn.functional
        with torch.inference_mode():
            image = torch.from_numpy(picture(path).copy()).permute(2, 0, 1)[None].float()
            height, width = image.shape[-2:]
            scale = min(800 / min(height, width), 1333 / max(height, width))
            size = (int(height * scale + 0.5), int(width * scale + 0.5))
            x = functional.interpolate(image, size, mode="bilinear", align_corners=False)
            mean, deviation = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
            x = (x - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(deviation).view(3, 1, 1)
            x = functional.pad(x, (0, -size[1] % 32, 0, -size[0] % 32))
            maps = self.backbone(x.contiguous(memory_format=self.format))
            boxes = self.proposals(maps, size)
            features = self.pooled(maps, boxes)
            place = "roi_head.bbox_head"
            for index in range(4):
                features = self.block(features, f"{place}.shared_convs.{index}").relu_()
            features = self.linear(features.flatten(1), place + ".shared_fcs.0").relu_()
            deltas = self.linear(self.linear(features, place + ".fc_reg.0").relu_(), place + ".fc_reg.2")
            words = self.linear(features, place + ".fc_cls").view(-1, 6, 512)
            scores = (50 * self.sentences(words) @ self.classes.T).softmax(-1)[:, :-1]
            boxes = self.moved(boxes, deltas, [0.1, 0.1, 0.2, 0.2], size)
            rows, labels = (scores > 0.01).nonzero(as_tuple=True)
            values = scores[rows, labels]
            kept = torchvision.ops.batched_nms(boxes[rows], values, labels, 0.5)[:100]
            factor = torch.tensor([size[1] / width, size[0] / height] * 2)
            return [(boxes[rows] / factor)[kept].numpy(), values[kept].numpy(), labels[kept].numpy()]


def distance(found, wanted):
    """How many of the peer's ten best objects are there: same label, IoU over 0.9."""
    def overlap(a, b):
        low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
        shared = np.prod(np.maximum(high - low, 0))
        return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)

    best = list(zip(wanted[0][:10], wanted[2][:10]))
    there = sum(
        any(label == other and overlap(box, place) > 0.9 for place, other in zip(found[0], found[2]))
        for box, label in best)
    return f"{there} of the first one's {len(best)} best objects"


def weights(run):
    """The model of a run's last checkpoint."""
    folder = os.path.join(run, "checkpoints")
    return os.path.join(folder, max(os.listdir(folder)), "model.safetensors")


class Baron:
    """`detect` with the names alone and its objects as the graph has them."""

    def __init__(self, arguments, names, folder):
        self.command = [
            arguments.baron, "detect", "--checkpoint", arguments.run, "--clip", arguments.clip, "--vocabulary",
            names, "--set", TEMPLATES, "--only", "--keep-overlapping", "--batch", "1", "--no-pictures",
            "--device", "cpu", "--overwrite", "--output", os.path.join(folder, "out")]
        self.environment = dict(os.environ, POCL_MAX_PTHREAD_COUNT=str(arguments.threads))
        self.pictures = {}
        for count in (1, 4):
            self.pictures[count] = os.path.join(folder, f"{count}-pictures")
            os.mkdir(self.pictures[count])
            for index in range(count):
                place = f"{index}{os.path.splitext(arguments.picture)[1]}"
                shutil.copy(arguments.picture, os.path.join(self.pictures[count], place))
        # Compiles the kernels, and keeps the embeddings of the names.
        self.run(4)

    def run(self, count):
        began = time.monotonic()
        process = subprocess.Popen(
            self.command + [self.pictures[count]], env=self.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, said
        return time.monotonic() - began, usage.ru_utime + usage.ru_stime

    def seconds(self, path):
        one, four = self.run(1), self.run(4)
        return tuple((four[index] - one[index]) / 3 for index in range(2))


class Peer:
    """A function of the picture in this process."""

    def __init__(self, call):
        self.call = call

    def seconds(self, path):
        began = time.monotonic(), time.process_time()
        self.call(path)
        return time.monotonic() - began[0], time.process_time() - began[1]


def measure(arguments, names, folder):
    with open(names, encoding="utf-8") as file:
        count = sum(1 for line in file if line.strip())
    arguments.model = os.path.join(folder, "model.onnx")
    subprocess.run(
        [arguments.baron, "export", arguments.run, "--clip", arguments.clip, "--names", names, "--set",
         TEMPLATES, "--device", "cpu", "-o", arguments.model], check=True, capture_output=True)
    makers = {
        "onnxruntime": onnx_runtime, "openvino": openvino,
        "pytorch": lambda arguments: Detector(arguments, False),
        "pytorch-channels-last": lambda arguments: Detector(arguments, True)}
    runs, first = {}, None
    for name in arguments.runtimes.split(","):
        if name == "baron":
            runs[name] = Baron(arguments, names, folder)
            continue
        runs[name] = Peer(makers[name](arguments))
        found = runs[name].call(arguments.picture)
        first = found if first is None else first
        print(f"{count} names, {name}: {len(found[0])} objects, {distance(found, first)}", flush=True)
    seconds = {name: [] for name in runs}
    for _ in range(arguments.rounds):
        for name, run in runs.items():
            seconds[name].append(run.seconds(arguments.picture))
    print(f"{'names':>6}  {'runtime':<22} pictures/s  seconds  processor seconds  of the first's time")
    base = None
    for name, values in seconds.items():
        clock, processor = (statistics.median(entry) for entry in zip(*values))
        base = base or clock
        print(f"{count:>6}  {name:<22} {1 / clock:10.3f}  {clock:7.3f}  {processor:17.3f}  "
              f"{clock / base:19.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    for name in ("baron", "run", "clip", "picture"):
        parser.add_argument(name)
    parser.add_argument("--names", nargs="+", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="at least 1")
    parser.add_argument(
        "--runtimes", default="baron,onnxruntime,openvino,pytorch,pytorch-channels-last")
    arguments = parser.parse_args()
    for names in arguments.names:
        with tempfile.TemporaryDirectory() as folder:
            measure(arguments, names, folder)


if __name__ == "__main__":
    main()
