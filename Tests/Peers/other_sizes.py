"""Writes a second fixture set of the same layout with other ranks and widths.

    python3 Tests/Peers/other_sizes.py FIXTURES TARGET
    BARON_FIXTURES=TARGET swift test

Needs numpy. Rows get two more axes of length 1, embeddings get more columns of zeros (which change no cosine and no
gradient of the others), and the tiny CLIP gets a narrower projection in a folder of its own.
"""

import json
import shutil
import struct
import sys

import numpy

TYPES = {"F32": "<f4", "I32": "<i4"}
NAMES = {numpy.dtype(code): name for name, code in TYPES.items()}
WIDTH = 28


def read(path):
    """The tensors of a safetensors file by name, and its metadata."""
    data = open(path, "rb").read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        values = numpy.frombuffer(data[start + first : start + last], TYPES[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return tensors, metadata


def write(path, tensors, metadata):
    header, parts, offset = {"__metadata__": metadata}, [], 0
    for name in sorted(tensors):
        part = numpy.ascontiguousarray(tensors[name]).tobytes()
        header[name] = {
            "dtype": NAMES[tensors[name].dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": [offset, offset + len(part)],
        }
        offset += len(part)
        parts.append(part)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def edit(path, change, params=None):
    """Changes a file's tensors, each by its name; None keeps one as it is."""
    tensors, metadata = read(path)
    for name, values in tensors.items():
        changed = change(name, values)
        tensors[name] = values if changed is None else changed
    if params:
        description = json.loads(metadata["json"])
        description["params"].update(params)
        metadata["json"] = json.dumps(description)
    write(path, tensors, metadata)


def rank_four(name, values):
    if name in ("x", "y", "grad_x", "grad_y") and values.ndim < 4:
        return values.reshape((1,) * (4 - values.ndim) + values.shape)
    return None


def token_rows(name, values):
    return values[None] if name in ("ids", "y", "grad_y") else None


def wider(names, columns):
    def change(name, values):
        if name.startswith("queue_"):
            return widened_queue(values, columns)
        if name == "image_tokens":
            return numpy.pad(values, [(0, 0), (0, columns), (0, 0), (0, 0)])
        if name in names:
            return numpy.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, columns)])
        return None

    return change


def widened_queue(values, columns):
    """More columns in front of the last one, which holds the image's id."""
    return numpy.insert(values, [values.shape[1] - 1] * columns, 0, axis=1)


def unit(values):
    values = values.astype("f8")
    return (values / numpy.linalg.norm(values, axis=-1, keepdims=True)).astype("<f4")


def narrow(name, values):
    """Features of a narrower projection: unit rows are cut and made unit rows again."""
    if name in ("features", "text_features", "image_features"):
        return values[:, :WIDTH]
    if name == "tokens" and values.dtype == numpy.float32:
        return values[:, :WIDTH]
    if name in ("y", "text_embeds", "image_embeds", "word_tokens"):
        return unit(values[:, :WIDTH])
    return None


def narrow_model(folder):
    path = f"{folder}/config.json"
    configuration = json.load(open(path))
    for part in (configuration, configuration["text_config"], configuration["vision_config"]):
        part["projection_dim"] = WIDTH
    json.dump(configuration, open(path, "w"))
    edit(
        f"{folder}/model.safetensors",
        lambda name, values: values[:WIDTH] if name.endswith("_projection.weight") else None,
    )


def main(source, target):
    shutil.copytree(source, target)
    for name in (
        "linear/linear_bias linear/linear_nobias act/softmax act/log_softmax norm/layernorm_a "
        "norm/layernorm_b norm/layernorm_offset similarity/l2_normalise "
        "similarity/l2_normalise_zero_row"
    ).split():
        edit(f"{target}/{name}.safetensors", rank_four)
    edit(f"{target}/linear/embedding.safetensors", token_rows)
    features = "text_features image_features word_tokens word_features patch_features".split()
    features += ["caption_features", "grad_text_features", "grad_word_tokens"]
    for name in "infonce_empty_queue infonce_float_id_clash infonce_queue caption_loss_features".split():
        edit(f"{target}/baron/{name}.safetensors", wider(features, 5))
    edit(f"{target}/baron/queues.safetensors", lambda name, values: widened_queue(values, 4), {"emb_dim": 9})
    edit(f"{target}/similarity/class_logits.safetensors", wider(["x", "emb", "grad_x", "grad_emb"], 3))
    edit(f"{target}/similarity/cosine_batched.safetensors", wider(["a", "b", "grad_a", "grad_b"], 5))
    shutil.copytree(f"{target}/clip_tiny/hf", f"{target}/clip_narrow/hf")
    narrow_model(f"{target}/clip_narrow/hf")
    for name in "image_encode image_encode_masked text_encode_short prompts hf_forward".split():
        edit(f"{target}/clip/{name}.safetensors", narrow, {"weights": "clip_narrow", "proj": WIDTH})


if __name__ == "__main__":
    main(*sys.argv[1:])
