#!/usr/bin/python3
"""The soak, short: workers come and go, and neither memory nor descriptors of those that stay run away."""
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests", f) for f in ("chaos", "support")]
import campaign  # noqa: E402  pylint: disable=wrong-import-position
import soak  # noqa: E402  pylint: disable=wrong-import-position


class Soak(unittest.TestCase):
    def test_flat(self):
        result = soak.run(0.7, 1, lambda text: campaign.print_progress("soak", text))
        print(soak.markdown(result))
        self.assertEqual(result["violated"], [])
        self.assertGreaterEqual(result["churn"], 8)
        self.assertGreaterEqual(result["jobs"], 6)

    def test_a_leak_is_seen(self):
        def rising(kb_a_minute, fds_a_minute):
            series = soak.Series("leaky", 1, [(t / 10, {"rss_kb": 50_000 + kb_a_minute * t / 10, "pss_kb": 1, "fds": 20 + fds_a_minute * t / 10})
                                              for t in range(600)])
            return soak.judged([series], 60, [])["violated"]
        self.assertEqual(rising(500, 0), [])
        self.assertIn("rss_kb rises by 2048.0 a minute", rising(2048, 0)[0])
        self.assertIn("fds rises by 3.0 a minute", rising(0, 3)[0])


if __name__ == "__main__":
    campaign.test_main()
