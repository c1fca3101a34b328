"""How well boxes are followed: MOTA and id switches (Bernardin and Stiefelhagen, CLEAR MOT, 2008), IDF1 (Ristani et al.,
2016). Truth and answer are {frame: {id: (x, y, width, height)}}."""
import collections

from tests.support.coco import iou

Score = collections.namedtuple("Score", "mota idf1 switches misses false_positives truth found")


def assign(weights):
    """{row: column} with the largest sum of weights; {(row, column): weight above 0}. Kuhn's method with shortest paths."""
    rows = sorted({r for r, _ in weights})
    columns = sorted({c for _, c in weights})
    if not rows:
        return {}
    if len(rows) > len(columns):
        return {r: c for c, r in assign({(c, r): w for (r, c), w in weights.items()}).items()}
    far = float("inf")
    row_price, column_price = [0] * (len(rows) + 1), [0] * (len(columns) + 1)
    row_of = [0] * (len(columns) + 1)
    for row in range(1, len(rows) + 1):
        row_of[0], column = row, 0
        distance, before, done = [far] * (len(columns) + 1), [0] * (len(columns) + 1), [False] * (len(columns) + 1)
        while row_of[column]:
            done[column] = True
            at, step, following = row_of[column], far, 0
            for c in range(1, len(columns) + 1):
                if done[c]:
                    continue
                d = -weights.get((rows[at - 1], columns[c - 1]), 0) - row_price[at] - column_price[c]
                if d < distance[c]:
                    distance[c], before[c] = d, column
                if distance[c] < step:
                    step, following = distance[c], c
            for c in range(len(columns) + 1):
                if done[c]:
                    row_price[row_of[c]] += step
                    column_price[c] -= step
                else:
                    distance[c] -= step
            column = following
        while column:
            row_of[column] = row_of[before[column]]
            column = before[column]
    chosen = {rows[row_of[c] - 1]: columns[c - 1] for c in range(1, len(columns) + 1) if row_of[c]}
    return {r: c for r, c in chosen.items() if weights.get((r, c), 0) > 0}


def score(truth, found, least=0.5):
    """A pair that was matched on the frame before stays matched while it overlaps by `least`; the others are matched
    so that most are, then so that they overlap most. A switch: a true object is matched to another id than last."""
    last, switches, right = {}, 0, 0
    together = collections.Counter()
    for frame in sorted(set(truth) | set(found)):
        true, boxes = truth.get(frame, {}), found.get(frame, {})
        near = {(t, f): v for t, a in true.items() for f, b in boxes.items() if (v := iou(a, b)) >= least}
        together.update(near.keys())
        matched = {t: last[t] for t in true if t in last and (t, last[t]) in near}
        taken = set(matched.values())
        rest = {(t, f): 10 + v for (t, f), v in near.items() if t not in matched and f not in taken}
        for t, f in assign(rest).items():
            switches += t in last and last[t] != f
            matched[t] = f
        last.update(matched)
        right += len(matched)
    of_truth, of_found = sum(map(len, truth.values())), sum(map(len, found.values()))
    same = sum(together[pair] for pair in assign(together).items())
    misses, wrong = of_truth - right, of_found - right
    return Score(1 - (misses + wrong + switches) / of_truth if of_truth else 0.0,
                 2 * same / (of_truth + of_found) if of_truth + of_found else 0.0, switches, misses, wrong, of_truth, of_found)


def read(path):
    """A MOT file (`frame,id,x,y,width,height,…`)."""
    out = collections.defaultdict(dict)
    with open(path, encoding="ascii") as lines:
        for line in lines:
            fields = line.strip().split(",")
            if len(fields) >= 6:
                out[int(fields[0])][int(fields[1])] = tuple(map(float, fields[2:6]))
    return out
