"""Random CLIP models of full size from Hugging Face, with what they make of random inputs.

usage: clip_full_size.py OUT PATCH [MERGES]

OUT    gets config.json and model.safetensors of a ViT-B model, and expected.safetensors
PATCH  side of a patch: 32 for ViT-B/32, 16 for ViT-B/16
MERGES CLIP's bpe_simple_vocab_16e6.txt.gz: OUT then also gets vocab.json and merges.txt, and
       expected.safetensors the class embeddings of NAMES
"""

import gzip
import json
import sys

import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

NAMES = ["cat", "traffic_light", "umbrella"]
START, END = 49406, 49407


def random_model(patch):
    tower = dict(num_hidden_layers=12, hidden_act="quick_gelu", projection_dim=512)
    config = CLIPConfig(
        text_config=dict(
            tower, hidden_size=512, intermediate_size=2048, num_attention_heads=8,
            vocab_size=49408, max_position_embeddings=77, bos_token_id=START, eos_token_id=END,
            pad_token_id=0),
        vision_config=dict(
            tower, hidden_size=768, intermediate_size=3072, num_attention_heads=12,
            image_size=224, patch_size=patch),
        projection_dim=512)
    model = CLIPModel(config).eval()
    # The library's start values are so small that attention is uniform and biases are zero.
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.ndim == 0:
                continue
            if "embedding" in name and "patch" not in name:
                value.normal_(0, 0.3)
            elif value.ndim > 1:
                value.normal_(0, value[0].numel() ** -0.5)
            elif "norm" in name and name.endswith("weight"):
                value.normal_(1, 0.1)
            else:
                value.normal_(0, 0.1)
    return model


class Capture:
    """Keeps the input and the output of a module's last call."""

    def __init__(self, module):
        module.register_forward_hook(self.keep, with_kwargs=True)

    def keep(self, module, arguments, named, output):
        self.input = arguments[0] if arguments else named["hidden_states"]
        self.output = output[0] if isinstance(output, tuple) else output


def tokens_of(layer, x, positions, references):
    """The last block where each position attends to itself alone, on the reference's residual."""
    value = layer.self_attn.out_proj(layer.self_attn.v_proj(layer.layer_norm1(x[positions])))
    h = x[references] + value
    return h + layer.mlp(layer.layer_norm2(h))


def unit(x):
    return torch.nn.functional.normalize(x, dim=-1)


def text_outputs(model, last, ids):
    """Unit features, projected and of the last block, and the ends of rows."""
    pooled = model.text_model(input_ids=ids).pooler_output
    ends = (ids == END).int().argmax(1)
    return unit(model.text_projection(pooled)), unit(last.output[range(len(ids)), ends]), ends


def text(model, last, out):
    words = [5, 20, 75]
    ids = torch.zeros(len(words), 77, dtype=torch.long)
    for row, count in enumerate(words):
        ids[row, 0] = START
        ids[row, 1:count + 1] = torch.randint(1, START, (count,))
        ids[row, count + 1] = END
    table = Capture(model.text_model.embeddings.token_embedding)
    features, block, ends = text_outputs(model, last, ids)
    table.output.retain_grad()
    rows = [r for r, count in enumerate(words) for _ in range(count)]
    positions = [p for count in words for p in range(1, count + 1)]
    variant = tokens_of(
        model.text_model.encoder.layers[-1], last.input, (rows, positions),
        (rows, [int(ends[r]) for r in rows]))
    tokens = model.text_projection(model.text_model.final_layer_norm(variant))
    grad_features, grad_tokens = torch.randn_like(features), 0.1 * torch.randn_like(tokens)
    ((features * grad_features).sum() + (tokens * grad_tokens).sum()).backward()
    out.update(
        ids=ids.int(), text_features=features, text_last_block=block, text_tokens=tokens,
        words=table.output[rows, positions], grad_text_features=grad_features,
        grad_text_tokens=grad_tokens, grad_words=table.output.grad[rows, positions])


@torch.no_grad()
def image(model, out):
    layers = model.vision_model.encoder.layers
    last = Capture(layers[-1])
    pixels = torch.randn(2, 3, 224, 224)
    pooled = model.vision_model(pixel_values=pixels).pooler_output
    count, length = last.input.shape[:2]
    rows = [r for r in range(count) for _ in range(length - 1)]
    positions = [p for _ in range(count) for p in range(1, length)]
    variant = tokens_of(layers[-1], last.input, (rows, positions), (rows, [0] * len(rows)))
    tokens = model.visual_projection(model.vision_model.post_layernorm(variant))
    # Channels last, as the program has them.
    out.update(
        pixels=pixels.permute(0, 2, 3, 1), image_features=model.visual_projection(pooled),
        image_tokens=tokens.reshape(count, length - 1, -1))


def write_vocabulary(merges, folder):
    """The tokenizer's files from CLIP's merge table."""
    lines = gzip.open(merges, "rt", encoding="utf-8").read().split("\n")[1:49152 - 256 - 2 + 1]
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    letters = [chr(byte) for byte in plain] + [chr(256 + n) for n in range(len(rest))]
    symbols = letters + [letter + "</w>" for letter in letters]
    symbols += ["".join(line.split()) for line in lines]
    symbols += ["<|startoftext|>", "<|endoftext|>"]
    with open(f"{folder}/vocab.json", "w", encoding="utf-8") as file:
        json.dump({symbol: number for number, symbol in enumerate(symbols)}, file)
    with open(f"{folder}/merges.txt", "w", encoding="utf-8") as file:
        file.write("#version: 0.2\n" + "\n".join(lines) + "\n")


def sentences(name):
    n = name.replace("_", " ").replace("/", " or ").lower().rstrip(".")
    A = "an" if name[0] in "aeiou" else "a"
    texts = [f"There is {a} {n} in the scene." for a in (A, "the")]
    texts += [f"a photo of {a} {n} in the scene." for a in (A, "the", "one")]
    texts += [f"itap of {a} {n}." for a in (A, "my", "the")]
    texts += [f"a photo of {a} {n}." for a in (A, "my", "the", "one", "many")]
    for adjective in ("good", "bad", "bright", "dark", "low resolution", "cropped", "close-up",
                      "jpeg corrupted", "blurry", "pixelated", "black and white"):
        texts += [f"a {adjective} photo of {a} {n}." for a in (A, "the")]
    for adjective in ("nice", "cool", "weird", "small", "large", "clean", "dirty", "hard to see"):
        texts += [f"a photo of {a} {adjective} {n}." for a in ("a", "the")]
    for material in ("plastic", "toy", "plushie", "cartoon"):
        texts += [f"{a} {material} {n}." for a in ("a", "the")]
    texts += [f"{a} embroidered {n}." for a in ("an", "the")]
    texts += [f"a painting of {a} {n}." for a in ("a", "the")]
    assert len(texts) == 63
    return ["This is " + t if t.startswith(("a", "the")) else t for t in texts]


@torch.no_grad()
def classes(model, last, folder, out):
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    final, block = [], []
    for name in NAMES:
        rows = [tokenizer(text)["input_ids"] for text in sentences(name)]
        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        for row, values in zip(ids, rows):
            row[:len(values)] = torch.tensor(values)
        features, states, _ = text_outputs(model, last, ids)
        final.append(unit(features.mean(0)))
        block.append(unit(states.mean(0)))
    out.update(classes_final=torch.stack(final), classes_last_block=torch.stack(block))


def main():
    folder, patch = sys.argv[1], int(sys.argv[2])
    torch.manual_seed(patch)
    model = random_model(patch)
    model.save_pretrained(folder, safe_serialization=True)
    last = Capture(model.text_model.encoder.layers[-1])
    out = {}
    text(model, last, out)
    image(model, out)
    if len(sys.argv) > 3:
        write_vocabulary(sys.argv[3], folder)
        classes(model, last, folder, out)
    save_file(
        {name: value.detach().contiguous() for name, value in out.items()},
        f"{folder}/expected.safetensors")


main()
