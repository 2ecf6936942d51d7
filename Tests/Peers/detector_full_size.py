"""Full-size detectors of torchvision with random weights: checkpoints, outputs and gradients.

    detector_full_size.py FOLDER

Writes for a Mask R-CNN with a feature pyramid and for a C4 detector (strides in the first
convolution) a checkpoint as torch.save writes it, and a safetensors file with inputs, outputs and the
gradients of sum(output * grad_output), in NCHW, computed in float64. The detectors are put together
from torchvision's own modules, so the checkpoints have torchvision's names.

A ReLU whose input lies within rounding of 0 passes its gradient in one computation and not in another:
with weights as they start, PyTorch's own float32 gradients differ by 2 % from its float64 ones. So biases
keep the inputs of every ReLU on one side or the other of 0. `length` in the metadata says for each tensor
what a difference is compared with: its own length, or that of its layer's weight gradient where it is a
bias, as biases before a batch norm have gradients that cancel to 0. `own_error` is what separates the
peer's own float32 run from its float64 run by that measure.
"""

import copy
import json
import sys

import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import roi_align

torch.manual_seed(6)
folder = sys.argv[1]


def keep_aside(bias, distance):
    """Half of the channels well above 0, half well below."""
    with torch.no_grad():
        bias.copy_(distance * torch.sign(torch.randn_like(bias)) * (1 + 0.1 * torch.rand_like(bias)))


def randomise(model):
    """Statistics and affines that a wrong use of them would show."""
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.8, 1.2)
            nn.init.uniform_(module.weight, 0.5, 0.7)
            keep_aside(module.bias, 4)
            # What is added to a shortcut must not lead back to 0.
            if name.endswith(("bn3", "downsample.1")):
                module.bias.data.abs_()


def save(name, tensors, **params):
    tensors = {key: value.detach().contiguous().float() for key, value in tensors.items()}
    text = json.dumps({"params": params, "tolerance": {"rtol": 1e-3, "atol": 1e-3}})
    save_file(tensors, f"{folder}/{name}.safetensors", metadata={"json": text})


def differentiate(model, x, run, weights):
    """Outputs, and the gradients of their weighted sum by input and parameters."""
    x = x.clone().requires_grad_()
    tensors = dict(run(model, x))
    total = 0
    for key, value in tensors.items():
        if key not in weights:
            weights[key] = torch.randn(value.shape)
        total = total + (value * weights[key].to(value)).sum()
    total.backward()
    tensors["grad_x"] = x.grad
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            tensors[f"grad_p.{name}"] = parameter.grad
    return tensors


def compare(name, model, x, rois, run):
    """Saves the float64 results and how far float32 is from them."""
    weights = {}
    single = differentiate(copy.deepcopy(model), x, run, weights)
    tensors = differentiate(copy.deepcopy(model).double(), x.double(), run, weights)
    length = {key: value.norm().item() for key, value in tensors.items()}
    for key in list(length):
        if key.endswith(".bias"):
            length[key] = max(length[key], length.get(key[:-4] + "weight", 0))
    own = {
        key: (single[key] - value).norm().item() / length[key] for key, value in tensors.items()
    }
    tensors |= {f"grad_{key}": value for key, value in weights.items()}
    save(name, tensors | {"x": x, "rois": rois}, length=length, own_error=own)


def pyramid():
    body = torchvision.models.resnet50(weights=None)
    layers = {"layer1": "0", "layer2": "1", "layer3": "2", "layer4": "3"}
    backbone = BackboneWithFPN(
        body, layers, [256, 512, 1024, 2048], 256, norm_layer=nn.BatchNorm2d)
    model = MaskRCNN(
        backbone,
        rpn_head=RPNHead(256, 3, conv_depth=1),
        box_head=FastRCNNConvFCHead((256, 7, 7), [256] * 4, [1024], norm_layer=nn.BatchNorm2d),
        box_predictor=nn.Identity(),
        mask_head=MaskRCNNHeads(256, [256] * 4, 1, norm_layer=nn.BatchNorm2d),
        mask_predictor=MaskRCNNPredictor(256, 256, 1),
    )
    randomise(model)
    heads = model.roi_heads
    keep_aside(model.rpn.head.conv[0][0].bias, 8)
    keep_aside(heads.box_head[5].bias, 12)
    keep_aside(heads.mask_predictor.conv5_mask.bias, 16)
    # Counters are of no use to anyone.
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, f"{folder}/pyramid.pth")
    model.train()
    # The box head's norm is frozen while the rest trains.
    model.roi_heads.box_head.eval()
    # Boxes whose level the rule of the pyramid makes plain: about 40, 150 and 250 pixels.
    rois = torch.tensor([
        [0, 3.2, 5.7, 44.1, 40.3], [1, 100.5, 20.25, 141.0, 70.5], [0, 20.0, 30.0, 180.0, 175.0],
        [1, 90.3, 10.1, 250.2, 160.7], [0, 10.0, 1.0, 280.0, 220.0], [1, 5.5, 7.5, 270.0, 222.0],
    ])
    side = ((rois[:, 3] - rois[:, 1]) * (rois[:, 4] - rois[:, 2])).sqrt()
    levels = torch.floor(torch.log2(side / 56 + 1e-6)).clamp(0, 3).long()

    def pooled(maps, size):
        parts = [
            roi_align(
                maps[level], roi[None].to(maps[level]), size, 1 / (4 << int(level)),
                sampling_ratio=0, aligned=True)
            for roi, level in zip(rois, levels)
        ]
        return torch.cat(parts)

    def run(model, x):
        maps = list(model.backbone(x).values())
        objectness, deltas = model.rpn.head(maps)
        heads = model.roi_heads
        outputs = {f"map{i}": value for i, value in enumerate(maps)}
        outputs |= {f"objectness{i}": value for i, value in enumerate(objectness)}
        outputs |= {f"deltas{i}": value for i, value in enumerate(deltas)}
        outputs["features"] = heads.box_head(pooled(maps, 7))
        outputs["masks"] = heads.mask_predictor(heads.mask_head(pooled(maps, 14)))
        return outputs

    compare("pyramid", model, torch.randn(2, 3, 224, 288), rois, run)


def single_map():
    body = torchvision.models.resnet50(weights=None)
    for stage in [body.layer2, body.layer3, body.layer4]:
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    randomise(body)
    rois = torch.tensor([
        [0, 3.2, 5.7, 84.1, 60.3], [1, 100.5, 20.25, 241.0, 170.5], [1, 0.0, 0.0, 288.0, 224.0]])
    model = nn.Module()
    model.backbone, model.roi_head = nn.Module(), nn.Module()
    model.roi_head.shared_head = nn.Module()
    model.roi_head.shared_head.layer4 = body.layer4
    for part in ["conv1", "bn1", "layer1", "layer2", "layer3"]:
        setattr(model.backbone, part, getattr(body, part))
    torch.save({"state_dict": model.state_dict()}, f"{folder}/single_map.pth")
    # All norm is frozen.
    model.eval()

    def run(model, x):
        body = model.backbone
        y = nn.functional.max_pool2d(body.bn1(body.conv1(x)).relu(), 3, 2, 1)
        y = body.layer3(body.layer2(body.layer1(y)))
        pooled = roi_align(y, rois.to(y), 14, 1 / 16, sampling_ratio=0, aligned=True)
        return {"map0": y, "features": model.roi_head.shared_head.layer4(pooled).mean((2, 3))}

    compare("single_map", model, torch.randn(2, 3, 224, 288), rois, run)


def masks():
    """The wanted masks of regions and the way of found masks into a picture."""
    height, width, side = 90, 130, 28
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    bitmap = (((columns - 60) / 38.0) ** 2 + ((rows - 40) / 31.0) ** 2 < 1) & (columns + rows > 70)
    boxes = torch.tensor([
        [22.3, 9.1, 98.7, 71.2], [60.0, 30.0, 64.5, 80.0], [0.0, 0.0, 130.0, 90.0],
        [-8.0, 20.0, 50.0, 140.0], [100.0, 75.0, 129.0, 89.5]])
    clipped = boxes.clone()
    clipped[:, 0::2] = clipped[:, 0::2].clamp(0, width)
    clipped[:, 1::2] = clipped[:, 1::2].clamp(0, height)
    rois = torch.cat([torch.zeros(len(boxes), 1), clipped], 1)
    share = roi_align(bitmap[None, None].float(), rois, side, 1.0, sampling_ratio=0, aligned=True)
    maps = torch.rand(3, 1, side, side)
    places = torch.tensor([[10.3, 20.7, 90.1, 60.2], [-5.0, -7.5, 30.0, 40.0], [50.2, 33.3, 53.9, 88.0]])
    pasted = []
    for map_, (x1, y1, x2, y2) in zip(maps, places):
        gx = (torch.arange(width) + 0.5 - x1) / (x2 - x1) * 2 - 1
        gy = (torch.arange(height) + 0.5 - y1) / (y2 - y1) * 2 - 1
        grid = torch.stack(torch.meshgrid(gx, gy, indexing="xy"), -1)[None]
        pasted.append(nn.functional.grid_sample(map_[None], grid, align_corners=False)[0, 0])
    save("masks", {
        "bitmap": bitmap, "boxes": boxes, "share": share[:, 0], "maps": maps[:, 0], "places": places,
        "pasted": torch.stack(pasted),
    }, side=side)


pyramid()
single_map()
masks()
