"""`sightline replay`: the alerts of a clip are those that a job gives, and what comes and goes by other rules is told."""
import json
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.environ["SIGHTLINE_SOURCE_DIR"])
from tests.support.fleet import SOURCE, clip, main, sightline  # noqa: E402

USAGE, NOT_FOUND, BAD_MEDIA = 2, 3, 8
ZONES = """
zones:
  - {name: right, points: [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}
  - {name: middle, points: [[0.5, 1], [0.5, 0]]}
"""
RULES = """
rules:
  - {name: inside, classes: [person], zone: right, min_frames: 2, cooldown_s: 0}
  - {name: over, classes: [person], zone: middle, kind: line, min_frames: 1, min_score: 0.3, cooldown_s: 0}
  - {name: somebody, classes: [person]}
"""


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="replay_test")
        cls.clip = clip(os.path.join(cls.dir, "walk.mp4"), 12)
        cls.kept = os.path.join(cls.dir, "walk.msgpack")
        cls.rules = cls.file("rules.yaml", ZONES + RULES)
        cls.first = cls.replay(cls.clip, "--rules", cls.rules, "--keep", cls.kept)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir, ignore_errors=True)

    @classmethod
    def file(cls, name, text):
        path = os.path.join(cls.dir, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    @classmethod
    def replay(cls, *words, status=0):
        ran = sightline("replay", *words, "--json")
        if ran.returncode != status:
            raise AssertionError(f"exit {ran.returncode}: {ran.stdout[-500:]} {ran.stderr}")
        return json.loads(ran.stdout)

    def keys(self, document):
        return [a["key"] for a in document["alerts"]]

    def test_alerts_are_those_of_a_job(self):
        out = os.path.join(self.dir, "out")
        ran = sightline("run", self.clip, "-o", out, "--name", "job", "--zones", self.rules, "--set", "exporters=json")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        with open(os.path.join(out, "audit.jsonl"), encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        told = [row["body"] for row in rows if row.get("kind") == "alert"]
        told = [json.loads(body) if isinstance(body, str) else body for body in told]
        self.assertEqual([a["key"].removeprefix("job-") for a in told], [k.removeprefix("replay-") for k in self.keys(self.first)])
        kinds = {(a["rule"], a["kind"]) for a in told}
        self.assertTrue({("inside", "new"), ("inside", "end"), ("over", "new"), ("somebody", "new")} <= kinds, kinds)
        self.assertNotIn(("somebody", "end"), kinds)
        for a in told:
            if a["rule"] == "inside" and a["kind"] == "new":
                self.assertTrue(a["roi_hit"])
                self.assertGreater(a["box"]["x"] + a["box"]["width"] / 2, 384 - 1e-3)
                self.assertGreater(a["box"]["track"], 0)

    def test_alerts_are_as_published(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("no python3-jsonschema")
        with open(os.path.join(SOURCE, "schema/json/alert.schema.json"), encoding="utf-8") as text:
            validator = jsonschema.Draft202012Validator(json.load(text))
        for alert in self.first["alerts"]:
            validator.validate(alert)

    def test_what_was_kept_gives_the_same(self):
        again = self.replay(self.kept, "--rules", self.rules)
        self.assertEqual(again["alerts"], self.first["alerts"])
        self.assertEqual(again["frames"], 120)

    def test_equal_rules_do_not_differ(self):
        same = self.replay(self.kept, "--rules", self.rules, "--diff", self.rules)
        self.assertEqual((same["diff"]["gone"], same["diff"]["come"], same["diff"]["moved"]), ([], [], []))
        self.assertEqual(same["diff"]["same"], sum(a["kind"] == "new" for a in self.first["alerts"]))

    def test_other_rules_differ(self):
        fewer = self.file("fewer.yaml", ZONES + "rules:\n  - {name: inside, classes: [person], zone: right, min_frames: 2, cooldown_s: 0}\n")
        diff = self.replay(self.kept, "--rules", fewer, "--diff", self.rules, status=1)["diff"]
        self.assertEqual({a["rule"] for a in diff["gone"]}, {"over", "somebody"})
        self.assertEqual(diff["come"], [])
        back = self.replay(self.kept, "--rules", self.rules, "--diff", fewer, status=1)["diff"]
        self.assertEqual(back["come"], diff["gone"])
        later = self.file("later.yaml", ZONES + RULES.replace("min_frames: 2", "min_frames: 3"))
        moved = self.replay(self.kept, "--rules", later, "--diff", self.rules, status=1)["diff"]["moved"]
        self.assertTrue(moved)
        for pair in moved:
            self.assertEqual((pair["before"]["rule"], pair["before"]["box"]["track"]), ("inside", pair["after"]["box"]["track"]))
            self.assertGreater(pair["after"]["frame"], pair["before"]["frame"])
        text = sightline("replay", self.kept, "--rules", later, "--diff", self.rules)
        self.assertEqual(text.returncode, 1)
        self.assertIn("~ ", text.stdout)
        self.assertIn(f"{len(moved)} moved", text.stdout)

    def test_it_says_why_and_why_not(self):
        told = self.replay(self.kept, "--rules", self.rules, "--explain")
        tracks = {t["track"]: t for t in told["traces"] if t["track"]}
        alerted = next(a for a in told["alerts"] if a["rule"] == "inside" and a["kind"] == "new")
        self.assertTrue(any(alerted["alert"] in text for text in tracks[alerted["box"]["track"]]["decisions"]), tracks)
        self.assertTrue(any("px outside zone right" in text for t in tracks.values() for text in t["decisions"]), tracks)
        text = sightline("replay", self.kept, "--rules", self.rules, "--track", str(alerted["box"]["track"])).stdout
        self.assertIn(f"person {alerted['box']['track']}  ", text)
        self.assertIn("rule inside: alert replay-", text)

    def test_as_a_camera_it_keeps_hours(self):
        night = self.file("night.yaml", ZONES + RULES.replace("zone: right,", "zone: right, schedule: [{from: '22:00', to: '06:00'}],"))
        count = lambda at: [a["rule"] for a in self.replay(self.kept, "--rules", night, "--camera", "gate", "--at", at)["alerts"]].count("inside")
        self.assertGreater(count("2026-11-27T23:30:00Z"), 0)
        self.assertEqual(count("2026-11-27T12:00"), 0)
        noon = self.replay(self.kept, "--rules", night, "--camera", "gate", "--at", "2026-11-27T12:00", "--explain")
        self.assertTrue(any("rule inside: out of schedule at 2026-11-27T12:00:" in text for t in noon["traces"] for text in t["decisions"]))
        ended = [a for a in noon["alerts"] if a["rule"] == "somebody"]
        self.assertTrue(ended and all(a["camera"] == "gate" and a["capture_ns"] > 0 for a in ended))

    def test_mistakes_are_told_before_anything_is_detected(self):
        def refused(status, told, *words):
            ran = sightline("replay", *words)
            self.assertEqual(ran.returncode, status, ran.stderr)
            self.assertIn(told, ran.stderr)

        wrong = self.file("wrong.yaml", ZONES + "rules:\n  - {name: a, zone: rihgt}\n")
        refused(USAGE, "did you mean 'right'?", self.clip, "--rules", wrong)
        refused(USAGE, "did you mean 'right'?", self.clip, "--rules", self.rules, "--diff", wrong)
        refused(NOT_FOUND, "cannot find the clip", os.path.join(self.dir, "none.mp4"), "--rules", self.rules)
        refused(USAGE, "as a time", self.kept, "--camera", "gate", "--at", "noon")
        refused(BAD_MEDIA, "no replay file", self.file("bad.msgpack", "nothing of the kind"), "--rules", self.rules)


if __name__ == "__main__":
    main()
