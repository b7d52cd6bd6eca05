"""Writes the files beside it: one data set of twelve pairs, in every format, each by the tool that people make it with.

    python sources.py        (pandas 2.x or 3.x, webdataset 1.x, Pillow; the versions used stand in VERSIONS.txt)

The rows: i in 0..11, picture i (6 x 6 pixels of colour (20 i, 255 - 20 i, i)), caption i. Captions have what quoting is for: commas,
tabs, quotation marks, line feeds, carriage returns, and letters outside ASCII.
"""

import gzip
import io
import json
import os
import shutil
import tarfile

import pandas
import PIL
import webdataset
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
os.chdir(HERE)

CAPTIONS = [
    "a plain caption",
    "one, two, three",
    'she said "yes"',
    "line one\nline two",
    "tab\there",
    "Grüße aus Köln",
    "绿色的树",
    "emoji 🌳 and ‍ joiner",
    "  leading space",
    "windows\r\nline",
    '"',
    "x" * 300,
]
QUESTIONS = [f"question {i}, or so?" for i in range(12)]
NEGATIVES = [[f"wrong {i}.{j}" for j in range(i % 4)] for i in range(12)]


def picture(i):
    return Image.new("RGB", (6, 6), (20 * i, 255 - 20 * i, i))


def png(i):
    data = io.BytesIO()
    picture(i).save(data, "png")
    return data.getvalue()


frame = pandas.DataFrame({"anchor": QUESTIONS, "positive": CAPTIONS, "number": range(12)})
frame.to_csv("pairs.csv", index=False)
frame.to_csv("pairs.bom.csv", index=False, encoding="utf-8-sig", lineterminator="\r\n", quoting=1)
frame.to_csv("pairs.tsv", index=False, sep="\t")
frame.to_json("pairs.jsonl", orient="records", lines=True, force_ascii=True)
frame.to_json("pairs.jsonl.gz", orient="records", lines=True, force_ascii=False, compression={"method": "gzip", "mtime": 0})

# FlagEmbedding and Tevatron write JSON with these keys.
with open("flag.jsonl", "w", encoding="utf-8") as out:
    for i in range(12):
        row = {"query": QUESTIONS[i], "pos": [CAPTIONS[i], f"other {i}"], "neg": NEGATIVES[i]}
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
with open("tevatron.jsonl", "w", encoding="utf-8") as out:
    for i in range(12):
        row = {
            "query_id": str(i),
            "query": QUESTIONS[i],
            "positive_passages": [{"docid": f"d{i % 6}", "title": f"title {i}", "text": CAPTIONS[i]}],
            "negative_passages": [{"docid": f"d{(i + j + 1) % 12}", "title": "", "text": t} for j, t in enumerate(NEGATIVES[i])],
        }
        out.write(json.dumps(row) + "\n")

with webdataset.ShardWriter("shard-%06d.tar", maxcount=5, verbose=0, mtime=0) as sink:
    for i in range(12):
        sink.write(
            {
                "__key__": f"part/{i:04d}",
                "png": png(i),
                "txt": CAPTIONS[i],
                "json": {"meta": {"question": QUESTIONS[i]}, "number": i},
                "cls": i % 3,
            }
        )
with webdataset.TarWriter("whole.tar.gz", mtime=0) as sink:
    for i in range(12):
        sink.write({"__key__": f"{i:04d}", "png": png(i), "txt": CAPTIONS[i]})

# Names beyond a header's hundred bytes, and outside ASCII, as GNU and as pax write them; a folder, a link and a file without an ending.
for name, kind in [("gnu.tar", tarfile.GNU_FORMAT), ("pax.tar", tarfile.PAX_FORMAT)]:
    with tarfile.open(name, "w", format=kind) as tar:
        folder = tarfile.TarInfo("deep")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for i in range(3):
            key = "deep/" + "long name " * 14 + f"é{i}"
            for ending, data in [("PNG", png(i)), ("seg.txt", CAPTIONS[i].encode())]:
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
            if i == 0:
                link = tarfile.TarInfo("deep/link.png")
                link.type = tarfile.SYMTYPE
                link.linkname = "/etc/passwd"
                tar.addfile(link)
        tar.addfile(tarfile.TarInfo("README"))

for folder in ["imagefolder", "sidecar", "classes"]:
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
for i in range(12):
    picture(i).save(f"imagefolder/{i:02d}.png")
    picture(i).save(f"sidecar/{i:02d}.png")
    with open(f"sidecar/{i:02d}.txt", "w", encoding="utf-8", newline="") as out:
        out.write(CAPTIONS[i] + "\n")
    os.makedirs(f"classes/{'abc'[i % 3]} class", exist_ok=True)
    picture(i).save(f"classes/{'abc'[i % 3]} class/{i:02d}.png")
pandas.DataFrame({"file_name": [f"{i:02d}.png" for i in range(12)], "text": CAPTIONS}).to_json(
    "imagefolder/metadata.jsonl", orient="records", lines=True
)

with open("rows.json", "w", encoding="utf-8") as out:
    json.dump({"captions": CAPTIONS, "questions": QUESTIONS, "negatives": NEGATIVES}, out)
with open("VERSIONS.txt", "w") as out:
    out.write(f"pandas {pandas.__version__}, webdataset {webdataset.__version__}, Pillow {PIL.__version__}\n")
