#!/usr/bin/python3
"""The measures themselves, on cases whose value can be worked out by hand."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.support import coco, mot  # noqa: E402


def true(x, width=10, kind=0):
    return (x, 0, width, 10, kind)


def found(x, score, width=10, kind=0):
    return (x, 0, width, 10, kind, score)


class Coco(unittest.TestCase):
    def test_overlap(self):
        self.assertEqual(coco.iou((0, 0, 10, 10), (10, 0, 10, 10)), 0)
        self.assertAlmostEqual(coco.iou((0, 0, 10, 10), (5, 0, 10, 10)), 1 / 3)
        self.assertAlmostEqual(coco.iou((0, 0, 4, 4), (2, 2, 4, 4)), 4 / 28)

    def test_perfect_and_nothing(self):
        self.assertEqual(coco.score([([true(0)], [found(0, .9)])]), (1, 1))
        self.assertEqual(coco.score([([true(0)], [])]), (0, 0))
        self.assertEqual(coco.score([]), (0, 0))

    def test_each_overlap_counts_for_the_thresholds_it_reaches(self):
        whole, half = coco.score([([true(0, 8)], [found(0, .9)])])  # IoU 0.8: 0.50 to 0.80, 7 of 10
        self.assertAlmostEqual(whole, .7)
        self.assertEqual(half, 1)

    def test_recall_points_are_interpolated(self):
        # Right, wrong, right: 51 points (0 to 0.50) of precision 1 and 50 of 2/3.
        images = [([true(0), true(100)], [found(0, .9), found(50, .8), found(100, .7)])]
        self.assertAlmostEqual(coco.average_precision(images, 0, .5), (51 + 50 * 2 / 3) / 101)

    def test_a_miss_costs_the_points_behind_it(self):
        self.assertAlmostEqual(coco.average_precision([([true(0), true(100)], [found(0, .9)])], 0, .5), 51 / 101)

    def test_one_truth_is_found_once(self):
        double = [([true(0), true(100)], [found(0, .9), found(0, .8), found(100, .7)])]
        self.assertAlmostEqual(coco.average_precision(double, 0, .5), (51 + 50 * 2 / 3) / 101)

    def test_scores_are_ranked_over_all_images(self):
        self.assertEqual(coco.average_precision([([true(0)], [found(0, .5)]), ([], [found(0, .9)])], 0, .5), .5)

    def test_classes_are_averaged_and_strangers_ignored(self):
        images = [([true(0), true(50, kind=1)], [found(0, .9), found(50, .9, kind=2)])]
        self.assertEqual(coco.score(images), (.5, .5))
        self.assertIsNone(coco.average_precision(images, 2, .5))

    def test_only_a_hundred_an_image_count(self):
        wrong = [found(500, .9) for _ in range(100)]
        self.assertEqual(coco.average_precision([([true(0)], wrong + [found(0, .1)])], 0, .5), 0)
        self.assertAlmostEqual(coco.average_precision([([true(0)], wrong[1:] + [found(0, .1)])], 0, .5), .01)

    def test_a_truth_goes_to_the_better_overlap(self):
        self.assertEqual(coco.average_precision([([true(0), true(4)], [found(3, .9), found(0, .8)])], 0, .5), 1)


class Mot(unittest.TestCase):
    def test_counts(self):
        # Frame 0: one right, one wrong, one missed. Frame 1: one found where nothing is. Frame 2: one missed.
        truth = {0: [(0, 0, 10, 10), (100, 0, 10, 10)], 2: [(0, 0, 10, 10)]}
        boxes = {0: [(1, 0, 10, 10, .9), (50, 0, 10, 10, .8)], 1: [(0, 0, 10, 10, .7)]}
        precision, recall = mot.precision_recall(truth, boxes)
        self.assertAlmostEqual(precision, 1 / 3)
        self.assertAlmostEqual(recall, 1 / 3)

    def test_one_truth_is_found_once_and_by_enough_overlap(self):
        self.assertEqual(mot.match([(0, 0, 10, 10)], [(0, 0, 10, 10, .9), (1, 0, 10, 10, .8)], .5), 1)
        self.assertEqual(mot.match([(0, 0, 10, 10)], [(5, 0, 10, 10, .9)], .5), 0)  # IoU 1/3
        self.assertEqual(mot.precision_recall({}, {}), (0, 0))


if __name__ == "__main__":
    unittest.main()
