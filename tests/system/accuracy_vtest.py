#!/usr/bin/python3
"""yolox_nano through `sightline run` finds the pedestrians of vtest.avi, each in the right frame."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.support import mot  # noqa: E402
from tests.system.accuracy_kit import DATA, VTEST, Run, check, folder, need, need_model, verdict  # noqa: E402

clip = need(VTEST, "SIGHTLINE_VTEST")
truth = mot.read_truth(need(os.path.join(DATA, "tracking/PETS09-S2L1.gt.mot.txt"), "SIGHTLINE_TEST_DATA"))
model = need_model()
with folder() as scratch:
    run = Run([clip], scratch, f"model={model}", "confidence=0.3", "exporters=json")
    frames = run.detections(os.path.basename(clip))["frames"]
check("every frame was looked at, in order", [f["frame"] for f in frames] == list(range(795)), len(frames))
found = {f["frame"]: [(b["x"], b["y"], b["width"], b["height"], b["score"]) for b in f["boxes"] if b["class"] == "person"] for f in frames}
precision, recall = mot.precision_recall(truth, found)
check("precision is at least 0.74", precision >= 0.74, f"{precision:.4f}")
check("recall is at least 0.89", recall >= 0.89, f"{recall:.4f}")
verdict()
