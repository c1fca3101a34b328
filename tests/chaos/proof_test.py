#!/usr/bin/python3
"""The proof is proven: with one protection of the broker switched off, a short campaign finds what that protection
is there for, and not something else. (The same campaigns with nothing off find nothing: chaos_test.py.)

The epoch is not among them: behind commit.lua's look at it stand the renewal of the lead, which ends an old leader,
and the rising ids of the log, which refuse what it writes: chaos with the first alone off is not expected to find
anything, and was not tried. contract/store_test shows that each refuses.

SIGHTLINE_TEST_OFF is for this test alone; a broker that gets it says so in its log.
"""
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests", f) for f in ("chaos", "support")]
import campaign  # noqa: E402  pylint: disable=wrong-import-position


class Proof(unittest.TestCase):
    def violated(self, off, kinds, kills, **more):
        outcome = campaign.run(kills, 1, kinds, off=off, pace_s=0.5, patience_s=12, settle_s=15, **more,
                               say=lambda text: campaign.print_progress(f"{off} off", text))
        for check, sentence in outcome.findings:
            print(f"{off} off: {check}: {sentence[:300]}")
        return {check for check, _ in outcome.findings}

    def test_without_fencing(self):
        # A home that was stopped past its lease is believed when it wakes.
        found = self.violated("fencing", ["stop"], 10, stages=("annotate",))
        self.assertIn("no chunk committed twice", found)
        self.assertIn("frames balance", found)

    def test_without_reissue(self):
        # What a killed worker held never comes back.
        found = self.violated("reissue", ["kill"], 3)
        self.assertIn("no job lost", found)

    def test_without_deduplication(self):
        # Each broker that takes over writes the whole log into the trail again.
        found = self.violated("dedup", ["kill-broker"], 3)
        self.assertIn("audit exactly once and in order", found)
        self.assertNotIn("the same bytes", found)
        self.assertNotIn("no job lost", found)


if __name__ == "__main__":
    campaign.test_main()
