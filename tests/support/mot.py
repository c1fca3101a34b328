"""Precision and recall of boxes against a ground truth in MOT format (`frame,id,x,y,width,height,...`, frames
from 1). A box is (x, y, width, height), a found one (x, y, width, height, score)."""
import collections

from tests.support.coco import iou


def read_truth(path):
    """{frame from 0: boxes}"""
    out = collections.defaultdict(list)
    with open(path, encoding="ascii") as lines:
        for line in lines:
            fields = line.strip().split(",")
            if len(fields) >= 6:
                out[int(fields[0]) - 1].append(tuple(map(float, fields[2:6])))
    return out


def match(truth, found, least):
    """How many of the boxes found in one frame are right. The strongest first takes the free truth with the
    largest overlap of at least `least`."""
    free = list(truth)
    right = 0
    for box in sorted(found, key=lambda b: -b[4]):
        best = max(free, key=lambda t: iou(box, t), default=None)
        if best is not None and iou(box, best) >= least:
            free.remove(best)
            right += 1
    return right


def precision_recall(truth, found, least=0.5):
    """Of all frames that either names; both {frame: boxes}."""
    right = sum(match(truth.get(f, []), found.get(f, []), least) for f in set(truth) | set(found))
    of_found = sum(map(len, found.values()))
    of_truth = sum(map(len, truth.values()))
    return right / of_found if of_found else 0.0, right / of_truth if of_truth else 0.0
