#!/usr/bin/python3
"""A chunk that kills every worker that touches it: five strikes, then it is dead, and nothing else is.

  poisoned clip ─▶ preprocess (or annotate) dies of it, five times    innocent clip ─▶ the bytes that it always has

The poison is tests/support/poison.cpp, preloaded: one packet of one clip ends the process that decodes it.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests/support"))
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position

POISON = os.path.join(os.environ["SIGHTLINE_BINARY_DIR"], "tests", "libpoison.so")
DEAD = 4  # the poisoned chunk: of twenty frames each, as the clip has a keyframe each ten


def packets(video):
    done = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=size,flags", "-of", "json", video],
                          capture_output=True, text=True, check=True, timeout=60)
    return [(int(p["size"]), "K" in p["flags"]) for p in json.loads(done.stdout)["packets"]]


def the_poison(video):
    """The size of a packet in the middle of chunk DEAD that no other packet has."""
    sizes = [size for size, _ in packets(video)]
    for at in range(DEAD * 20 + 3, DEAD * 20 + 17):
        if sizes.count(sizes[at]) == 1:
            return sizes[at]
    raise AssertionError("every packet of the chunk has a twin")


class Poison(kit.FleetTest):
    stage = "preprocess"
    workers = {"restart": True}

    @classmethod
    def setUpClass(cls):
        scratch = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"sl-poison-{os.getpid()}-{cls.stage}")
        clip = kit.clip(os.path.join(scratch, "poisoned.mp4"), 20)
        cls.flag = os.path.join(scratch, "on")
        open(cls.flag, "w", encoding="utf-8").close()
        os.environ.update(LD_PRELOAD=POISON, SIGHTLINE_POISON_SIZE=str(the_poison(clip)), SIGHTLINE_POISON_STAGE=cls.stage,
                          SIGHTLINE_POISON_FILE=cls.flag, SIGHTLINE__LOG__LEVEL="debug")
        try:
            super().setUpClass()
        finally:
            for name in ("LD_PRELOAD", "SIGHTLINE_POISON_SIZE", "SIGHTLINE_POISON_STAGE", "SIGHTLINE_POISON_FILE",
                         "SIGHTLINE__LOG__LEVEL"):
                os.environ.pop(name, None)

    @classmethod
    def prepare(cls):
        kit.clip(os.path.join(cls.fleet.media, "poisoned.mp4"), 20)
        kit.clip(os.path.join(cls.fleet.media, "innocent.mp4"), 20, start=30)

    def setUp(self):
        pass  # workers die here, and their supervisor starts others

    def restarts(self):
        # Of batch workers: the live one of the same process ends with it.
        return [e for e in self.fleet.log("pool.") if e["kind"] == "worker.crashed" and not e["topic"].startswith("pool.live/")]

    def test_one_chunk_is_dead_and_nothing_else(self):
        os.path.exists(self.flag) or open(self.flag, "w", encoding="utf-8").close()
        before = len(self.restarts())
        innocent = self.fleet.submit("innocent.mp4")
        poisoned = self.fleet.submit("poisoned.mp4")
        now = self.fleet.follow(poisoned)
        self.assertEqual(now["state"], "failed")
        self.assertEqual(len(now["dead"]), 1, now["dead"])
        dead = now["dead"][0]
        self.assertEqual((dead["seq"], dead["stage"]), (DEAD, self.stage))
        self.assertEqual(len(dead["causes"]), 5, dead)
        for cause in dead["causes"]:
            self.assertIn("signal 11", cause)
        self.assertEqual(len(self.restarts()) - before, 5)
        self.assertTrue(now["reconciliation"]["balanced"], now["reconciliation"])
        # What came before it is whole and plays; the manifest says what is missing.
        folder = self.fleet.folder_of(poisoned)
        self.assertEqual(kit.frames_in(os.path.join(folder, "poisoned.mp4/video.mp4")), DEAD * 20)
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        self.assertEqual(manifest["status"], "failed")
        self.assertIn(f"chunk {DEAD}", json.dumps(manifest))
        # The innocent job went through the same workers.
        self.succeed(innocent)
        reference = kit.digests(self.fleet.folder_of(self.finished("innocent.mp4")))
        self.assert_same(self.fleet.folder_of(innocent), reference)

        # Mended: only the dead chunk and the later ones are done again.
        done_before = now["chunks_done"]
        os.unlink(self.flag)
        attempts = self.leases(poisoned)
        self.assertIn(self.fleet.request("retry", job=poisoned)["state"], ("queued", "running"))
        now = self.succeed(poisoned, limit_s=120)
        self.assertEqual(now["retries"], 1)
        self.assertGreater(now["chunks_done"], done_before)
        after = self.leases(poisoned)
        self.assertEqual({k: v for k, v in after.items() if k < DEAD}, {k: v for k, v in attempts.items() if k < DEAD})
        self.assert_same(folder, kit.digests(self.fleet.folder_of(self.finished("poisoned.mp4"))))

    def finished(self, clip):
        """Another job of the same clip, done while nothing is poisoned."""
        was = os.path.exists(self.flag)
        if was:
            os.unlink(self.flag)
        job = self.fleet.submit(clip)
        self.succeed(job)
        if was:
            open(self.flag, "w", encoding="utf-8").close()
        return job

    def leases(self, job):
        """{seq: leases of that chunk so far}, from the broker's log."""
        counts = {}
        for name in os.listdir(os.path.join(self.fleet.state, "logs")):
            with open(os.path.join(self.fleet.state, "logs", name), encoding="utf-8", errors="replace") as file:
                for line in file:
                    entry = json.loads(line) if line.startswith("{") else {}
                    if entry.get("event") == "leased" and entry.get("job") == job and entry.get("unit") == "chunk":
                        counts[int(entry["seq"])] = counts.get(int(entry["seq"]), 0) + 1
        return counts


class PoisonAtHome(Poison):
    stage = "annotate"  # the chunk was detected and stepped, and kills what renders it


if __name__ == "__main__":
    kit.main()
