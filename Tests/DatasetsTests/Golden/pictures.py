"""What transformers, open_clip and torchvision make of small pictures: pictures.json, and the pictures themselves in pictures/.

Made with Python 3.11, transformers 5.24.0 (the PIL backend of its image processors), open_clip 3.3.0, torchvision 0.29.2, torch CPU,
Pillow 13.0.0, NumPy 2. Values are float32, [3, S, S], in base64.
"""
import base64, json, os, tempfile
import numpy as np
import open_clip.transform as oc
import torch
import torchvision.transforms.functional as F
from PIL import Image
from transformers import BlipImageProcessorPil, CLIPImageProcessorPil, DeiTImageProcessorPil, SiglipImageProcessorPil, ViTImageProcessorPil
from transformers import BitImageProcessorPil

here = os.path.dirname(os.path.abspath(__file__))
os.makedirs(os.path.join(here, "pictures"), exist_ok=True)
rng = np.random.default_rng(3)
pictures = {}
for name, (w, h) in {"wide": (61, 34), "tall": (23, 90), "small": (9, 11), "square": (40, 40)}.items():
    y, x = np.mgrid[0:h, 0:w]
    base = np.stack([128 + 100 * np.sin(x / 3 + y / 5), (x * 255) // max(1, w - 1), 255 * ((x // 4 + y // 3) % 2)], -1)
    pictures[name] = Image.fromarray(np.clip(base + rng.normal(0, 12, base.shape), 0, 255).astype(np.uint8))
    pictures[name].save(os.path.join(here, "pictures", name + ".png"))


def text(values):
    return base64.b64encode(np.ascontiguousarray(np.asarray(values, np.float32)).tobytes()).decode()


cases = []


def add(file, config, make):
    for name, picture in pictures.items():
        values = make(picture)
        cases.append({"file": file, "config": json.dumps(config), "picture": name, "size": values.shape[-1], "values": text(values)})


def processor(kind, config):
    """As transformers itself reads the configuration back, old forms included."""
    made = kind.from_dict(dict(config))
    return lambda picture: made(picture, return_tensors="np")["pixel_values"][0]


clip = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
for kind, config in [
    (CLIPImageProcessorPil, {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}}),
    (CLIPImageProcessorPil, {"feature_extractor_type": "CLIPFeatureExtractor", "crop_size": 15, "do_center_crop": True, "do_normalize": True, "do_resize": True, **clip, "resample": 3, "size": 18}),
    (CLIPImageProcessorPil, {"image_processor_type": "CLIPImageProcessorFast", "size": {"shortest_edge": 20}, "crop_size": {"height": 13, "width": 13}, "resample": 2, "rescale_factor": 0.00784313725490196, "image_mean": 0.5, "image_std": [0.1, 0.2, 0.3]}),
    (ViTImageProcessorPil, {"image_processor_type": "ViTImageProcessor", "size": {"height": 16, "width": 16}}),
    (ViTImageProcessorPil, {"feature_extractor_type": "ViTFeatureExtractor", "size": 14, "do_resize": True, "do_normalize": True, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.6, 0.7], "resample": 2}),
    (SiglipImageProcessorPil, {"image_processor_type": "SiglipImageProcessor", "size": {"height": 16, "width": 16}, "do_convert_rgb": None}),
    (DeiTImageProcessorPil, {"image_processor_type": "DeiTImageProcessor", "size": {"height": 20, "width": 20}, "crop_size": {"height": 15, "width": 15}}),
    (BlipImageProcessorPil, {"image_processor_type": "BlipImageProcessor", "size": {"height": 12, "width": 12}, "do_rescale": True, "do_normalize": False}),
    (BitImageProcessorPil, {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 17}, "crop_size": {"height": 14, "width": 14}, "resample": 1}),
]:
    add("preprocessor_config.json", config, processor(kind, config))
nested = {"processor_class": "CLIPProcessor", "image_processor": {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 12}, "crop_size": {"height": 12, "width": 12}}}
add("processor_config.json", nested, processor(CLIPImageProcessorPil, nested["image_processor"]))
for overlay in [
    {"size": 16},
    {"size": [15, 15], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic", "resize_mode": "squash"},
    {"size": 17, "resize_mode": "longest", "fill_color": 9, "interpolation": "bilinear"},
    {"mean": [0.1, 0.2, 0.3], "resize_mode": "shortest", "interpolation": "bilinear"},
]:
    config = {"model_cfg": {"embed_dim": 8, "vision_cfg": {"image_size": 13}}, "preprocess_cfg": overlay}
    full = oc.merge_preprocess_dict(oc.merge_preprocess_dict(oc.PreprocessCfg(), {"size": 13}), overlay)
    size = full["size"][0] if isinstance(full["size"], (list, tuple)) else full["size"]
    transform = oc.image_transform(size, False, mean=full["mean"], std=full["std"], resize_mode=full["resize_mode"], interpolation=full["interpolation"], fill_color=full["fill_color"])
    add("open_clip_config.json", config, lambda picture: transform(picture).numpy())

# Colours, on floats 0 ... 1: torchvision rounds bytes after every step, and its formulas are the same.
values = torch.from_numpy(np.asarray(pictures["small"])).permute(2, 0, 1).float() / 255
colours = []
for kind, function, factors in [
    ("brightness", F.adjust_brightness, (0.3, 1.7)), ("contrast", F.adjust_contrast, (0.0, 0.4, 1.9)),
    ("saturation", F.adjust_saturation, (0.0, 0.5, 2.5)), ("hue", F.adjust_hue, (-0.5, -0.21, 0.0, 0.07, 0.33, 0.5)),
]:
    for factor in factors:
        colours.append({"kind": kind, "factor": factor, "values": text(function(values, factor).permute(1, 2, 0) * 255)})
with open(os.path.join(here, "pictures.json"), "w") as out:
    rows = lambda items: "[\n" + ",\n".join(json.dumps(item) for item in items) + "\n]"
    out.write('{"prepared": ' + rows(cases) + ',\n"colours": ' + rows(colours) + "}\n")
