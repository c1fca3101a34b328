"""COCO-style mean average precision, as pycocotools measures it: area "all", 101 recall points, at most 100
detections an image and class, no crowds. And the labels of a folder in YOLO format.

A box is (x, y, width, height, class) in pixels, a found one (x, y, width, height, class, score)."""
import bisect
import os
import struct

THRESHOLDS = [0.5 + 0.05 * step for step in range(10)]


def iou(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h)


def verdicts(truth, found, least):
    """(score, right) of each of the boxes found in one image and class, the strongest first."""
    free = [True] * len(truth)
    out = []
    for box in sorted(found, key=lambda b: -b[5])[:100]:
        best, match = min(least, 1 - 1e-10), None
        for at, true in enumerate(truth):
            overlap = iou(box, true) if free[at] else -1
            if overlap >= best:  # of equals the last, as pycocotools
                best, match = overlap, at
        if match is not None:
            free[match] = False
        out.append((box[5], match is not None))
    return out


def average_precision(images, class_id, least):
    """Of one class at one IoU; images: [(truth, found)]. None where the truth has none of the class."""
    ranked, truths = [], 0
    for truth, found in images:
        true = [b for b in truth if b[4] == class_id]
        truths += len(true)
        ranked += verdicts(true, [b for b in found if b[4] == class_id], least)
    if truths == 0:
        return None
    ranked.sort(key=lambda v: -v[0])
    recall, precision, right = [], [], 0
    for at, (_, is_right) in enumerate(ranked):
        right += is_right
        recall.append(right / truths)
        precision.append(right / (at + 1))
    for at in range(len(precision) - 1, 0, -1):
        precision[at - 1] = max(precision[at - 1], precision[at])
    total = 0.0
    for point in range(101):
        at = bisect.bisect_left(recall, point / 100)
        total += precision[at] if at < len(recall) else 0
    return total / 101


def score(images):
    """(mAP50-95, mAP50) over the classes that occur in the truth."""
    classes = sorted({b[4] for truth, _ in images for b in truth})
    if not classes:
        return 0.0, 0.0
    table = [[average_precision(images, c, t) for t in THRESHOLDS] for c in classes]
    return sum(sum(row) / len(row) for row in table) / len(classes), sum(row[0] for row in table) / len(classes)


def jpeg_size(path):
    with open(path, "rb") as file:
        data = file.read()
    at = 2
    while at + 9 <= len(data):
        marker, length = struct.unpack(">HH", data[at:at + 4])
        if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            height, width = struct.unpack(">HH", data[at + 5:at + 9])
            return width, height
        at += 2 + length
    raise ValueError(f"{path} has no start of frame")


def read_labels(folder):
    """{picture's file name: truth} of images/*.jpg with labels/*.txt: `class cx cy width height`, relative."""
    out = {}
    for name in sorted(os.listdir(os.path.join(folder, "images"))):
        width, height = jpeg_size(os.path.join(folder, "images", name))
        labels = os.path.join(folder, "labels", os.path.splitext(name)[0] + ".txt")
        out[name] = []
        if os.path.exists(labels):  # a picture of nothing may have none
            with open(labels, encoding="ascii") as lines:
                for line in lines:
                    kind, cx, cy, w, h = line.split()
                    w, h = float(w) * width, float(h) * height
                    out[name].append((float(cx) * width - w / 2, float(cy) * height - h / 2, w, h, int(kind)))
    return out
