#!/usr/bin/python3
"""MOTA, id switches and IDF1, on cases whose value can be worked out by hand."""
import itertools
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.support import mot_metrics  # noqa: E402


def box(x):
    return (x, 0, 10, 10)


def still(ids, frames=10):
    """Objects that stand 100 pixels apart; ids[i] names the i-th, by frame where it is a function."""
    return {f: {(i(f) if callable(i) else i): box(100 * at) for at, i in enumerate(ids)} for f in range(frames)}


class Tracking(unittest.TestCase):
    def test_all_right(self):
        score = mot_metrics.score(still([1, 2]), still([7, 9]))
        self.assertEqual(score, (1, 1, 0, 0, 0, 20, 20))

    def test_nothing_found_and_nothing_there(self):
        self.assertEqual(mot_metrics.score(still([1]), {}), (0, 0, 0, 10, 0, 10, 0))
        self.assertEqual(mot_metrics.score({}, still([1])), (0, 0, 0, 0, 10, 0, 10))

    def test_misses_and_false_positives(self):
        # Of 20 true boxes 10 are missed; 10 boxes stand where nothing is: 1 - (10 + 10) / 20.
        found = {f: {1: box(0), 5: box(500)} for f in range(10)}
        score = mot_metrics.score(still([1, 2]), found)
        self.assertEqual((score.mota, score.misses, score.false_positives, score.switches), (0, 10, 10, 0))
        self.assertEqual(score.idf1, 2 * 10 / 40)

    def test_one_switch(self):
        # Number 7 until frame 5, 8 from then on: 1 - 1 / 10. The longer of the two is the object: 6 of 10.
        score = mot_metrics.score(still([1]), still([lambda f: 7 if f < 6 else 8]))
        self.assertAlmostEqual(score.mota, 0.9)
        self.assertEqual(score.switches, 1)
        self.assertAlmostEqual(score.idf1, 2 * 6 / 20)

    def test_two_that_change_places_are_two_switches(self):
        score = mot_metrics.score(still([1, 2]), still([lambda f: 7 + (f >= 5), lambda f: 8 - (f >= 5)]))
        self.assertEqual(score.switches, 2)
        self.assertAlmostEqual(score.mota, 1 - 2 / 20)
        self.assertAlmostEqual(score.idf1, 0.5)

    def test_a_gap_is_no_switch_and_another_number_after_it_is_one(self):
        gap = {f: boxes for f, boxes in still([7]).items() if f not in (4, 5)}
        self.assertEqual(mot_metrics.score(still([1]), gap)[2:5], (0, 2, 0))
        other = {f: {(7 if f < 5 else 8): box(0)} for f in range(10) if f not in (4, 5)}
        self.assertEqual(mot_metrics.score(still([1]), other)[2:5], (1, 2, 0))

    def test_a_pair_stays_while_it_overlaps_enough(self):
        # A closer box that appears later does not take the match over (CLEAR MOT keeps correspondences).
        found = {f: {7: (3, 0, 10, 10)} | ({8: box(0)} if f >= 5 else {}) for f in range(10)}
        self.assertEqual(mot_metrics.score(still([1]), found)[2:5], (0, 0, 5))

    def test_as_many_as_can_be_are_matched(self):
        # Box 8 fits both, box 7 only the first: both are matched, though 8 overlaps the first more.
        truth = {0: {1: box(0), 2: box(5)}}
        found = {0: {7: (-3, 0, 10, 10), 8: box(2)}}
        self.assertEqual(mot_metrics.score(truth, found)[2:5], (0, 0, 0))

    def test_half_an_overlap_is_needed(self):
        self.assertEqual(mot_metrics.score({0: {1: box(0)}}, {0: {1: box(5)}})[2:5], (0, 1, 1))  # IoU 1/3

    def test_assignment_is_the_best(self):
        chance = random.Random(1)
        for _ in range(200):
            rows, columns = chance.randint(1, 4), chance.randint(1, 4)
            weights = {(r, 10 + c): chance.randint(1, 9) for r in range(rows) for c in range(columns) if chance.random() < .7}
            chosen = mot_metrics.assign(weights)
            self.assertEqual(len(set(chosen.values())), len(chosen))
            names = list(range(10, 10 + columns)) + [None] * rows
            best = max(sum(weights.get((r, c), 0) for r, c in enumerate(order)) for order in itertools.permutations(names, rows))
            self.assertEqual(sum(weights[pair] for pair in chosen.items()), best)


if __name__ == "__main__":
    unittest.main()
