#!/usr/bin/python3
"""Clips in one `sightline run` with detection on: every frame is accounted for, the picture is left alone outside
what was drawn, boxes of turned clips lie where they are seen, and the JSON is what the schemas say."""
import json
import math
import os
import shutil
import sys

import jsonschema

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.support import media_probe  # noqa: E402
from tests.support.coco import iou  # noqa: E402
from tests.system import clips_kit  # noqa: E402
from tests.system.accuracy_kit import DATA, SOURCE, VTEST, Run, check, folder, need, need_model, verdict  # noqa: E402

BOTH = ("one-by-one-person-detection.mp4", "person-bicycle-car-detection.mp4")


def validator(name):
    with open(os.path.join(SOURCE, "schema/json", name), encoding="utf-8") as text:
        return jsonschema.Draft202012Validator(json.load(text))


def boxes_of(run, stream):
    return {f["frame"]: f["boxes"] for f in run.detections(stream)["frames"]}


def rectangle(box):
    return box["x"], box["y"], box["width"], box["height"]


def spoiled(boxes, width, height):
    """What drawing may have touched: the boxes, and room around them for a line and for the label, which is above,
    inside or below, and pushed left where the picture ends."""
    out = []
    for box in boxes:
        label = 24 + 12 * len(f"{box['class']} 0.00")
        x0, x1 = box["x"] - 8, max(box["x"] + box["width"], box["x"] + label) + 8
        if x1 > width:
            x0 = min(x0, width - label - 8)
        y0, y1 = box["y"] - 40, box["y"] + box["height"] + 40
        out.append((max(0, int(x0) & ~1), max(0, int(y0) & ~1), min(width, int(x1) + 2 & ~1), min(height, int(y1) + 2 & ~1)))
    return out


def outside(before, after, boxes, width, height, paths):
    """(PSNR in dB outside the boxes, share of the picture that is outside) of I420 frames, n-th against n-th."""
    planes = ((0, width, height, 1), (width * height, width // 2, height // 2, 2), (width * height * 5 // 4, width // 2, height // 2, 2))
    left = total = 0
    with open(paths[0], "wb") as first, open(paths[1], "wb") as second:
        for n, (a, b) in enumerate(zip(before, after)):
            b, mask = bytearray(b), bytearray(width * height)
            for x0, y0, x1, y1 in spoiled(boxes.get(n, []), width, height):
                for y in range(y0, y1):
                    mask[y * width + x0:y * width + x1] = b"\1" * (x1 - x0)
                for at, stride, _, part in planes:
                    for y in range(y0 // part, y1 // part):
                        row = slice(at + y * stride + x0 // part, at + y * stride + x1 // part)
                        b[row] = a[row]
            left += mask.count(0)
            total += len(mask)
            first.write(a)
            second.write(b)
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}"]
    done = media_probe.run([*media_probe.FFMPEG, "-v", "info", *raw, "-i", paths[0], *raw, "-i", paths[1], "-lavfi", "psnr", "-f", "null", "-"])
    average = float(done.stderr.decode().rsplit("average:", 1)[1].split()[0])
    share = left / total
    # Masked pixels count as equal: as many dB too good as they are many.
    return average + 10 * math.log10(share or 1e-9), share


def check_accounts(run, names, sizes):
    validator("manifest.schema.json").validate(run.manifest)
    for name in names:
        told = run.detections(name)
        validator("detections.schema.json").validate(told)
        counters = run.manifest["counters"][name]
        listed = [f["frame"] for f in told["frames"]]
        dropped = sum(counters["dropped"].values())
        check(f"{name}: each frame was looked at, or is counted as dropped",
              told["complete"] and counters["read"] == told["stream"]["frames"] == len(listed) + dropped and
              counters["annotated"] == counters["detected"] == len(listed) == run.meta(name)["frames"] and
              listed == sorted(set(listed)) and (dropped == 0 or name == "pictures"), f"{len(listed)} of {counters['read']}")
        width, height = told["stream"]["width"], told["stream"]["height"]
        inside = all(b["x"] >= 0 and b["y"] >= 0 and b["x"] + b["width"] <= width + 0.02 and b["y"] + b["height"] <= height + 0.02
                     for f in told["frames"] for b in f["boxes"])
        check(f"{name}: boxes lie inside the picture as it is shown", inside and sizes.get(name, (width, height)) == (width, height))
        if name == "pictures":
            continue
        probe = media_probe.Probe(run.path(name, "video.mp4"))
        check(f"{name}: times are the video's", len(listed) == len(probe.ticks) and
              max(abs(f["time_s"] - float(t)) for f, t in zip(told["frames"], probe.times())) < 0.001)
        said = media_probe.warnings(run.path(name, "video.mp4"))
        check(f"{name}: the video decodes without a word", not said, said[:200])


def check_turned(run, names):
    upright = boxes_of(run, "upright.mp4")
    for name in names:
        other = boxes_of(run, name)
        strong = [(n, b) for n, boxes in upright.items() for b in boxes if b["score"] >= 0.5]
        found = sum(any(iou(rectangle(b), rectangle(o)) >= 0.8 and o["class"] == b["class"] for o in other[n]) for n, b in strong)
        check(f"{name}: boxes lie where the upright clip has them", len(strong) >= 40 and found >= 0.95 * len(strong), f"{found} of {len(strong)}")


def check_pictures(run, sizes):
    told = run.detections("pictures")
    check("pictures: one entry each, by file name; the damaged ones are dropped, with their reason",
          [f["file"] for f in told["frames"]] == sorted(sizes) and run.manifest["counters"]["pictures"]["dropped"] == {"decode:no_frame": 2})
    check("pictures: boxes lie inside their own picture", all(
        b["x"] + b["width"] <= sizes[f["file"]][0] + 0.02 and b["y"] + b["height"] <= sizes[f["file"]][1] + 0.02
        for f in told["frames"] for b in f["boxes"]))
    check("pictures: each kind of file shows people", all(any(b["class"] == "person" for b in f["boxes"]) for f in told["frames"]))


def make_turned(base, clips, scratch):
    """One clip upright, and the same pictures stored on their side, without loss, with a matrix that rights them."""
    lossless = ["-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", "-g", "10"]
    media_probe.make("-i", base, *lossless, os.path.join(clips, "upright.mp4"))
    stored = {"turned_90": "transpose=cclock", "turned_180": "hflip,vflip", "turned_270": "transpose=clock", "mirrored": "hflip",
              "transposed": "transpose=cclock_flip"}
    for name, words in stored.items():
        side = os.path.join(scratch, name + ".mp4")
        media_probe.make("-i", base, "-vf", words, *lossless, side)
        clips_kit.turned(side, os.path.join(clips, name + ".mp4"), *clips_kit.MATRICES[name])
    return [name + ".mp4" for name in stored]


with folder() as scratch:
    clips = os.path.join(scratch, "in")
    os.makedirs(clips)
    model = need_model()
    street = os.path.join(clips, "street.avi")
    media_probe.make("-i", need(VTEST, "SIGHTLINE_VTEST"), "-t", "20", "-c", "copy", street)
    for name in BOTH:
        source = need(os.path.join(DATA, "videos", name), "SIGHTLINE_TEST_DATA")
        if name == BOTH[1]:
            shutil.copy(source, clips)  # whole: its edit list hides eight frames
        else:
            media_probe.make("-i", source, "-t", "10", "-c", "copy", os.path.join(clips, name))
    base = clips_kit.base_of(VTEST, scratch, frames=24)
    turned = make_turned(base, clips, scratch)
    media_probe.make("-i", base, "-vf", "scale=853:481,format=yuv444p", *clips_kit.X264, os.path.join(clips, "odd.mp4"))
    sizes = clips_kit.make_pictures(base, os.path.join(clips, "pictures"))
    run = Run([clips], os.path.join(scratch, "out"), f"model={model}", "video_preset=ultrafast", "video_crf=20", "exporters=json,video")
    names = sorted(run.manifest["outputs"])
    check("every clip has its results", len(names) == 6 + len(turned) and run.manifest["status"] == "succeeded", names)
    check_accounts(run, names, {"street.avi": (768, 576), "odd.mp4": (853, 481), "turned_90.mp4": (384, 288), "pictures": (384, 401)})
    check_turned(run, turned)
    check_pictures(run, sizes)
    for name, source, size in (("street.avi", street, (768, 576)), ("turned_90.mp4", os.path.join(clips, "turned_90.mp4"), (384, 288)),
                               (BOTH[1], os.path.join(clips, BOTH[1]), (768, 432))):
        before = media_probe.raw_frames(source, *size)[::12]
        after = media_probe.raw_frames(run.path(name, "video.mp4"), *size)[::12]
        boxes = {n // 12: b for n, b in boxes_of(run, name).items() if n % 12 == 0}
        paths = [os.path.join(scratch, p) for p in ("before.yuv", "after.yuv")]
        ratio, share = outside(before, after, boxes, *size, paths)
        check(f"{name}: outside of what is drawn the picture is the input's", len(before) == len(after) > 0 and ratio >= 30 and share > 0.1,
              f"{ratio:.1f} dB over {share:.0%} of the picture")
        drawn, _ = outside(before, after, {}, *size, paths)
        check(f"{name}: inside of it something was drawn", drawn < ratio - 3, f"{drawn:.1f} dB with it")
    check(f"{BOTH[1]}: its sound is copied", run.meta(BOTH[1])["audio"] == "copy" and media_probe.sound_packets(
        run.path(BOTH[1], "video.mp4")) == media_probe.sound_packets(os.path.join(clips, BOTH[1])))
verdict()
