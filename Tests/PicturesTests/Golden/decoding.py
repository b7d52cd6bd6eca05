"""Small picture files of every kind that Pillow can write, and what Pillow makes of them.

Writes decoding/NAME.EXT and decoding.json: for each file width, height, the greatest difference allowed, and the pixels as hexadecimal RGB.
Expected pixels: PIL.ImageOps.exif_transpose, RGBA over white, convert("RGB").
Made with Python 3.11, Pillow 13.0.0 (libjpeg-turbo 3.2.0, libwebp 1.6.0), NumPy 2.
"""
import io, json, os, struct, zlib
import numpy as np
from PIL import Image, ImageCms, ImageOps

here = os.path.dirname(os.path.abspath(__file__))
folder = os.path.join(here, "decoding")
os.makedirs(folder, exist_ok=True)
for old in os.listdir(folder):
    os.remove(os.path.join(folder, old))
W, H = 21, 14
y, x = np.mgrid[0:H, 0:W].astype(float)
rng = np.random.default_rng(7)
base = np.stack([x * 255 / W, y * 255 / H, 127 + 120 * np.sin(x / 3) * np.cos(y / 2)], -1)
rgb = Image.fromarray(np.clip(base + rng.normal(0, 6, base.shape), 0, 255).astype(np.uint8))
alpha = Image.fromarray(np.clip((x + y) * 9 - 20, 0, 255).astype(np.uint8))
rgba = rgb.copy()
rgba.putalpha(alpha)
grey = rgb.convert("L")
files = {}


def save(name, image, **options):
    out = io.BytesIO()
    image.save(out, format={"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF"}[name.split(".")[-1]], **options)
    files[name] = out.getvalue()


def orientation(value, big=False):
    """EXIF with one other tag before and one after the orientation."""
    order, mark = (">", b"MM\0*") if big else ("<", b"II*\0")
    entry = lambda tag, v: struct.pack(order + "HHI", tag, 3, 1) + struct.pack(order + "HH", v, 0)
    return b"Exif\0\0" + mark + struct.pack(order + "IH", 8, 3) + entry(256, 21) + entry(274, value) + entry(277, 3) + bytes(4)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels, colour, before=()):
    """A 16-bit PNG; pixels [H, W, channels] uint16."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *[chunk(*c) for c in before], chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
    for progressive in (False, True):
        kind = ("progressive-" if progressive else "baseline-") + subsampling.replace(":", "")
        save(f"{kind}.jpg", rgb, quality=85, subsampling=subsampling, progressive=progressive)
save("grey.jpg", grey, quality=85)
save("low-quality.jpg", rgb, quality=12)
save("restarts.jpg", rgb, quality=85, restart_marker_blocks=1)
save("rgb-components.jpg", rgb, quality=90, keep_rgb=True)
save("profile.jpg", rgb, quality=85, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes())
save("cmyk.jpg", rgb.convert("CMYK"), quality=85)
cmyk = files["cmyk.jpg"]
adobe = cmyk.index(b"Adobe")
files["ycck.jpg"] = cmyk[: adobe + 11] + b"\x02" + cmyk[adobe + 12 :]
files["cmyk-without-adobe.jpg"] = cmyk[: adobe - 4] + cmyk[adobe + 12 :]
for value in range(1, 9):
    save(f"orientation-{value}.jpg", rgb, quality=85, exif=orientation(value))
    save(f"orientation-{value}-big.jpg", rgb, quality=85, exif=orientation(value, big=True))
save("orientation-9.jpg", rgb, quality=85, exif=orientation(9))
for value in (3, 5, 6):
    save(f"orientation-{value}.png", rgba, exif=orientation(value))
    save(f"orientation-{value}.webp", rgba, exif=orientation(value, big=True), lossless=True, exact=True)

save("rgb.png", rgb)
save("rgba.png", rgba)
save("grey.png", grey)
save("grey-alpha.png", Image.merge("LA", (grey, alpha)))
save("one-bit.png", rgb.convert("1"))
save("palette.png", rgb.quantize(31))
save("palette-4.png", rgb.quantize(4), bits=2)
save("palette-alpha.png", rgba.quantize(40))
save("palette-key.png", rgb.quantize(9), transparency=3)
save("rgb-key.png", rgb, transparency=rgb.getpixel((4, 5)))
save("grey-key.png", grey, transparency=grey.getpixel((4, 5)))
deep = (np.clip(base, 0, 255) * 257 + rng.integers(-128, 128, base.shape)).clip(0, 65535).astype(np.uint16)
files["deep-rgb.png"] = png(deep, 2)
files["deep-rgba.png"] = png(np.concatenate([deep, deep[:, :, :1]], -1), 6)
files["deep-grey-alpha.png"] = png(deep[:, :, :2], 4)
files["gamma.png"] = png(deep, 2, [(b"gAMA", struct.pack(">I", 100000)), (b"cHRM", struct.pack(">8I", *range(20000, 28000, 1000)))])

save("lossy.webp", rgb, quality=70)
save("lossy-alpha.webp", rgba, quality=70)
save("lossless.webp", rgb, lossless=True)
save("lossless-alpha.webp", rgba, lossless=True, exact=True)
save("animated.webp", rgba, save_all=True, append_images=[rgba.rotate(90), rgb], duration=50, lossless=True, background=(9, 9, 9, 255))

save("plain.gif", rgb.quantize(30), interlace=0)
save("interlaced.gif", rgb.quantize(30), interlace=1)
save("grey.gif", grey)
save("transparent.gif", rgb.quantize(12), transparency=2)
save("animated.gif", rgb.quantize(30), save_all=True, append_images=[rgb.rotate(90).quantize(20), rgb.rotate(180).quantize(9)], duration=50)
plain = files["plain.gif"]
descriptor = plain.index(b"\x2c\0\0\0\0" + struct.pack("<HH", W, H))
moved = plain[:descriptor] + b"\x2c" + struct.pack("<HH", 2, 1) + plain[descriptor + 5 :]
files["larger-than-its-screen.gif"] = moved
files["smaller-than-its-screen.gif"] = moved[:6] + struct.pack("<HH", W + 5, H + 4) + moved[10:]

cases = []
for name, data in files.items():
    with open(os.path.join(folder, name), "wb") as out:
        out.write(data)
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBA"):
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    image = image.convert("RGB")
    exact = not name.endswith(".jpg")
    cases.append({"file": name, "width": image.width, "height": image.height, "tolerance": 0 if exact else 2, "rgb": image.tobytes().hex()})
with open(os.path.join(here, "decoding.json"), "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
print(len(cases), "cases,", sum(map(len, files.values())), "bytes of files")
