#!/usr/bin/python3
"""A short campaign: at least 40 faults, each kind at least three times, nothing violated."""
import os
import sys
import unittest
from collections import Counter

sys.path[:0] = [os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests", f) for f in ("chaos", "support")]
import adversary  # noqa: E402  pylint: disable=wrong-import-position
import campaign  # noqa: E402  pylint: disable=wrong-import-position
import table  # noqa: E402  pylint: disable=wrong-import-position

KILLS = 42
SEED = int(os.environ.get("SIGHTLINE_CHAOS_SEED", "1"))
KINDS = [k for k in os.environ.get("SIGHTLINE_CHAOS_KINDS", "").split(",") if k] or list(adversary.KINDS)


class Chaos(unittest.TestCase):
    def test_nothing_is_lost(self):
        outcome = campaign.run(KILLS, SEED, KINDS, pace_s=0.6, say=lambda text: campaign.print_progress("chaos", text))
        print(f"seed {SEED}, {outcome.seconds:.0f} s, {sum(outcome.jobs.values())} jobs\n{table.markdown(outcome.table)}")
        self.assertEqual(outcome.findings, [])
        self.assertGreaterEqual(len(outcome.faults), 40)
        self.assertGreaterEqual(min(Counter(f.kind for f in outcome.faults)[k] for k in KINDS), 3)
        self.assertGreaterEqual(outcome.table["held_share"], adversary.HELD_SHARE)


if __name__ == "__main__":
    campaign.test_main()
