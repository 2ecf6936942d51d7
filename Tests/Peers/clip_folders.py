"""Small random CLIP models in folders as Hugging Face's programs write them, one for each kind.

usage: clip_folders.py OUT

Every folder OUT/KIND gets a configuration, weights, a tokenizer, and expected.safetensors with inputs
and what the peer makes of them.
"""

import json
import os
import sys

import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTokenizer, CLIPVisionConfig

TEXTS = ["a photo of a cat.", "Two Dogs, 3 birds!", "it's a caf\u00e9 \u732b", "", "zebra  crossing"]
MERGES = [("c", "a"), ("ca", "t</w>"), ("o", "f</w>"), ("p", "h"), ("ph", "o"), ("d", "o"), ("do", "g"),
          ("dog", "s</w>"), ("b", "r"), ("i", "t</w>")]


def alphabet():
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]


def vocabulary():
    symbols = alphabet()
    symbols = symbols + [s + "</w>" for s in symbols] + [a + b for a, b in MERGES]
    symbols += ["<|startoftext|>", "<|endoftext|>"]
    return {symbol: index for index, symbol in enumerate(symbols)}


def random_model(text=None, vision=None, activation="quick_gelu", projection=24):
    size = len(vocabulary())
    config = CLIPConfig(
        text_config=dict(
            dict(hidden_size=48, intermediate_size=96, num_attention_heads=4, num_hidden_layers=2,
                 vocab_size=size, bos_token_id=size - 2, eos_token_id=size - 1, pad_token_id=0,
                 hidden_act=activation, projection_dim=projection), **(text or {})),
        vision_config=dict(
            dict(hidden_size=64, intermediate_size=128, num_attention_heads=4, num_hidden_layers=2,
                 image_size=32, patch_size=8, hidden_act=activation, projection_dim=projection),
            **(vision or {})),
        projection_dim=projection)
    model = CLIPModel(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.ndim > 1:
                value.normal_(0, 2 * value[0].numel() ** -0.5)
            elif value.ndim == 1:
                value.normal_(1 if "norm" in name and name.endswith("weight") else 0, 0.2)
    return model


def write_bin(model, folder, shards=0, kind=torch.float32):
    state = {name: value.to(kind) for name, value in model.state_dict().items()}
    model.load_state_dict({name: value.float() for name, value in state.items()})
    model.config.save_pretrained(folder)
    if not shards:
        torch.save(state, f"{folder}/pytorch_model.bin")
        return
    files = [f"pytorch_model-{k + 1:05}-of-{shards:05}.bin" for k in range(shards)]
    names = sorted(state)
    for k, file in enumerate(files):
        torch.save({name: state[name] for name in names[k::shards]}, f"{folder}/{file}")
    weight_map = {name: files[k % shards] for k, name in enumerate(names)}
    with open(f"{folder}/pytorch_model.bin.index.json", "w") as out:
        json.dump({"metadata": {"total_size": 1}, "weight_map": weight_map}, out)


def older_configuration(folder):
    """The sections of 2022: complete ones with the word dict, and rests without it."""
    with open(f"{folder}/config.json") as file:
        config = json.load(file)
    for section in ["text_config", "vision_config"]:
        config[section + "_dict"] = config[section]
        config[section] = {"model_type": config[section].get("model_type"), "hidden_size": 7}
    with open(f"{folder}/config.json", "w") as out:
        json.dump(config, out)


def bare_configuration(folder):
    """What equals the program's defaults is left out."""
    with open(f"{folder}/config.json") as file:
        config = json.load(file)
    for section, usual in [("text_config", CLIPTextConfig()), ("vision_config", CLIPVisionConfig())]:
        usual = usual.to_dict()
        config[section] = {
            key: value for key, value in config[section].items() if usual.get(key) != value}
    with open(f"{folder}/config.json", "w") as out:
        json.dump(config, out)


def write_tokenizer(folder, pair):
    if pair:
        with open(f"{folder}/vocab.json", "w") as out:
            json.dump(vocabulary(), out)
        with open(f"{folder}/merges.txt", "w") as out:
            out.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in MERGES))
        return CLIPTokenizer.from_pretrained(folder)
    tokenizer = CLIPTokenizer(vocab=vocabulary(), merges=MERGES)
    tokenizer.save_pretrained(folder)
    return tokenizer


def expect(model, tokenizer, folder):
    config = model.config
    side = config.vision_config.image_size
    pixels = torch.randn(3, 3, side, side)
    rows = [tokenizer(text)["input_ids"] for text in TEXTS]
    length = config.text_config.max_position_embeddings
    ids = torch.tensor([row + [row[-1]] * (length - len(row)) for row in rows])
    with torch.no_grad():
        texts = model(input_ids=ids, pixel_values=pixels).text_embeds
        # Not of length 1, as our encoder gives them.
        images = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
    save_file(
        {"pixels": pixels.permute(0, 2, 3, 1).contiguous(), "image_features": images,
         "text_features": texts}, f"{folder}/expected.safetensors")
    with open(f"{folder}/texts.json", "w") as out:
        json.dump({"texts": TEXTS, "ids": rows}, out)


def main(out):
    torch.manual_seed(0)
    models = {
        "single": random_model(),
        "shards": random_model(),
        "bin": random_model(),
        "bin-half": random_model(),
        "bin-shards": random_model(),
        "older": random_model(),
        "bare": random_model(text=dict(num_attention_heads=8, num_hidden_layers=12)),
        "gelu": random_model(activation="gelu"),
        # Proportions of ViT-L/14 and of ViT-H/14, whose heads are 80 wide.
        "l14": random_model(
            text=dict(hidden_size=96, num_attention_heads=6),
            vision=dict(hidden_size=128, num_attention_heads=8, image_size=56, patch_size=14,
                        num_hidden_layers=4), projection=96),
        "h14": random_model(
            text=dict(hidden_size=128, num_attention_heads=2),
            vision=dict(hidden_size=160, num_attention_heads=2, image_size=42, patch_size=14),
            activation="gelu", projection=128),
    }
    for kind, model in models.items():
        folder = f"{out}/{kind}"
        os.makedirs(folder)
        if kind == "bin-half":
            write_bin(model, folder, kind=torch.float16)
        elif kind.startswith("bin"):
            write_bin(model, folder, shards=3 if kind == "bin-shards" else 0)
        else:
            model.save_pretrained(folder, max_shard_size="200KB" if kind == "shards" else "5GB")
        tokenizer = write_tokenizer(folder, pair=kind == "bin")
        expect(model, tokenizer, folder)
        if kind == "bare":
            bare_configuration(folder)
        if kind == "older":
            older_configuration(folder)


main(sys.argv[1])
