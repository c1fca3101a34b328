#!/usr/bin/python3
"""yolox_nano through `sightline run` on 64 held-out pictures is as good as the model is known to be."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.support import coco  # noqa: E402
from tests.system.accuracy_kit import DATA, Run, check, folder, need, need_model, verdict  # noqa: E402

data = need(os.path.join(DATA, "coco64"), "SIGHTLINE_TEST_DATA")
model = need_model()
with folder() as scratch:
    run = Run([os.path.join(data, "images")], scratch, f"model={model}", "confidence=0.001", "nms=0.65", "max_boxes=100", "exporters=json")
    frames = run.detections("images")["frames"]
found = {f["file"]: [(b["x"], b["y"], b["width"], b["height"], b["class_id"], b["score"]) for b in f["boxes"]] for f in frames}
truth = coco.read_labels(data)
check("each picture has its entry, by file name", [f["file"] for f in frames] == sorted(truth), len(frames))
check("no picture has more boxes than asked for", max(map(len, found.values())) <= 100)
whole, half = coco.score([(truth[name], found.get(name, [])) for name in truth])
check("mAP50-95 is at least 0.33", whole >= 0.33, f"{whole:.4f}")
check("mAP50 is at least 0.50", half >= 0.50, f"{half:.4f}")
verdict()
