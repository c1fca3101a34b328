#!/usr/bin/python3
"""Bad input, servers that are away, and cancel: each mistake is named, with its remedy and its own exit code,
a good job runs along untouched, and no process is gone.
"""
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests/support"))
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position

def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


USAGE, NOT_FOUND, UNAVAILABLE, CANCELED, BAD_MEDIA, INTERRUPTED, JOB_FAILED = 2, 3, 4, 6, 8, 130, 1


class BadInput(kit.FleetTest):
    workers = {"detect": 1, "annotate": 2}

    @classmethod
    def prepare(cls):
        media = cls.fleet.media
        kit.clip(os.path.join(media, "good.mp4"), 6)
        kit.clip(os.path.join(media, "long.mp4"), 40)
        with open(os.path.join(media, "text.mp4"), "w", encoding="utf-8") as out:
            out.write("this is no video\n" * 100)
        os.makedirs(os.path.join(media, "empty"))
        whole = os.path.join(cls.fleet.folder, "whole.mkv")
        subprocess.run(["ffmpeg", "-v", "error", "-i", os.path.join(media, "good.mp4"), "-c", "copy", whole], check=True, timeout=60)
        with open(whole, "rb") as file, open(os.path.join(media, "cut.mkv"), "wb") as out:
            out.write(file.read()[:os.path.getsize(whole) * 6 // 10])
        secret = kit.clip(os.path.join(cls.fleet.folder, "outside/secret.mp4"), 2)
        os.symlink(secret, os.path.join(media, "link.mp4"))
        os.symlink(os.path.dirname(secret), os.path.join(media, "linked"))
        cls.quick = {"sample_fps": 2, "exporters": ["json"]}

    def refused(self, status, named, *words, remedy=True, env=None):
        """The program ends with this status; says all of `named`, and what to do."""
        done = kit.sightline(*words, env=env or self.fleet.env)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, status, f"{words}: {said}")
        for name in named:
            self.assertIn(name, said)
        if remedy:
            self.assertIn("hint:", done.stderr)
        return done

    def test_refused_at_the_door(self):
        along = self.fleet.submit("good.mp4", params=self.quick)
        jobs = len(self.fleet.request("jobs", limit=1000)["jobs"])
        for status, named, words in [
                (NOT_FOUND, ["none.mp4"], ["media:none.mp4"]),
                (USAGE, ["nowhere", "media"], ["nowhere:good.mp4"]),
                (USAGE, [".."], ["media:../outside/secret.mp4"]),
                (USAGE, [".."], ["media:empty/../../outside/secret.mp4"]),
                (USAGE, ["link.mp4", "symlink"], ["media:link.mp4"]),
                (USAGE, ["linked", "symlink"], ["media:linked/secret.mp4"]),
                (USAGE, ["secret.mp4"], [os.path.join(self.fleet.folder, "outside/secret.mp4")]),
                (USAGE, ["peple", "people"], ["media:good.mp4", "--preset", "peple"]),
                (USAGE, ["annotat", "annotate"], ["media:good.mp4", "--pipeline", "annotat"]),
                (USAGE, ["confidense", "confidence"], ["media:good.mp4", "--set", "confidense=1"]),
                (USAGE, ["confidence", "7"], ["media:good.mp4", "--set", "confidence=7"]),
                (USAGE, ["confidence", "much"], ["media:good.mp4", "--set", "confidence=much"]),
                (USAGE, ["yolo99", "yolox_nano"], ["media:good.mp4", "--set", "model=yolo99"])]:
            with self.subTest(" ".join(words)):
                self.refused(status, named, "submit", *words)
        for path in ("/etc/passwd", "..", "a/../../b", "link.mp4"):
            with self.assertRaises(kit.Refused) as no:
                self.fleet.request("submit", inputs=[{"root": "media", "path": path}])
            self.assertEqual(no.exception.code, "INVALID_PARAMS", path)
        for path in ("/tmp", "../x", "a/../../b"):
            with self.assertRaises(kit.Refused) as no:
                self.fleet.request("submit", inputs=[{"root": "media", "path": "good.mp4"}], output={"root": "out", "path": path})
            self.assertEqual(no.exception.code, "INVALID_PARAMS", path)
        self.assertEqual(len(self.fleet.request("jobs", limit=1000)["jobs"]), jobs, "what was refused is no job")
        self.succeed(along)

    def test_failed_in_work(self):
        """Only the decoder can tell: the job fails and says why; one beside it, and streams beside it, do not."""
        along = self.fleet.submit("good.mp4", params=self.quick)
        self.refused(BAD_MEDIA, ["text.mp4", "BAD_MEDIA"], "submit", "media:text.mp4", "--wait", remedy=False)
        self.refused(JOB_FAILED, ["NOT_FOUND", "no video"], "submit", "media:empty", "--wait", remedy=False)
        mixed = self.fleet.follow(self.fleet.submit("text.mp4", "good.mp4", params=self.quick))
        self.assertEqual((mixed["state"], mixed["error"]["code"]), ("failed", "BAD_MEDIA"))
        self.assertIn("text.mp4", mixed["error"]["message"])
        streams = {s["name"]: s for s in mixed["streams"]}
        self.assertEqual(streams["good.mp4"]["counters"]["annotated"], 60)
        self.assertEqual(streams["text.mp4"]["counters"]["read"], 0)
        self.assertTrue(os.path.exists(os.path.join(self.fleet.folder_of(mixed["job"]), "good.mp4/detections.json")))
        with open(os.path.join(self.fleet.folder_of(mixed["job"]), "manifest.json"), encoding="utf-8") as file:
            self.assertIn("text.mp4", json.dumps(json.load(file)["warnings"]))
        self.succeed(along)

    def test_symlinks_in_a_folder_are_passed_by(self):
        job = self.fleet.submit(".", params=self.quick)
        streams = kit.eventually("the folder was searched", lambda: self.fleet.job(job)["streams"])
        self.assertEqual({s["name"] for s in streams}, {"good.mp4", "long.mp4", "text.mp4", "cut.mkv"})
        self.fleet.request("cancel", job=job)
        self.canceled(job)

    def check_truncated(self, folder, annotated):
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        self.assertIn("input_truncated", json.dumps(manifest["warnings"]["cut.mkv"]))
        self.assertEqual(kit.frames_in(os.path.join(folder, "cut.mkv/video.mp4")), annotated)
        self.assertGreater(annotated, 20)
        self.assertLess(annotated, 60)
        self.assertTrue(kit.balanced(manifest["counters"]["cut.mkv"]))

    def test_truncated_video(self):
        now = self.fleet.follow(self.fleet.submit("cut.mkv", params={"sample_fps": 2}))
        self.assertEqual(now["state"], "succeeded", now.get("error"))
        self.check_truncated(self.fleet.folder_of(now["job"]), now["streams"][0]["counters"]["annotated"])

    # `sightline run`

    def run_here(self, *words):
        return ["run", *words, "-o", os.path.join(self.fleet.folder, "run")]

    def test_run_refuses(self):
        media = self.fleet.media
        good = os.path.join(media, "good.mp4")
        self.refused(NOT_FOUND, ["none.mp4"], *self.run_here(os.path.join(media, "none.mp4")))
        self.refused(USAGE, ["peple", "people"], *self.run_here(good, "--preset", "peple"))
        self.refused(USAGE, ["confidense", "confidence"], *self.run_here(good, "--set", "confidense=1"))
        self.refused(BAD_MEDIA, ["text.mp4", "BAD_MEDIA"], *self.run_here(os.path.join(media, "text.mp4")), remedy=False)
        self.refused(JOB_FAILED, ["NOT_FOUND", "no video"], *self.run_here(os.path.join(media, "empty")), remedy=False)
        done = kit.sightline(*self.run_here(os.path.join(media, "cut.mkv"), "--name", "cut", "--set", "sample_fps=2", "--json"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_truncated(os.path.join(self.fleet.folder, "run/cut"), json.loads(done.stdout)["streams"][0]["counters"]["annotated"])

    def test_run_interrupted(self):
        out = os.path.join(self.fleet.folder, "interrupted")
        with subprocess.Popen([kit.PROGRAM, "run", os.path.join(self.fleet.media, "long.mp4"), "-o", out, "--name", "half"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            parts = os.path.join(out, ".work/half/parts/0")
            begun = lambda: {name.split(".")[0] for name in os.listdir(parts)} if os.path.isdir(parts) else ()
            kit.eventually("some chunks are done", lambda: len(begun()) > 4 or process.poll() is not None, 120)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=120)[0]
        self.assertEqual(process.returncode, INTERRUPTED, said)
        self.check_partial(os.path.join(out, "half"), 400)
        self.assertEqual(sorted(n for n in os.listdir(out) if n.startswith(".")), [], "no work folder is left")

    def check_partial(self, folder, whole):
        """What was done until the cancel: playable, a prefix, and it says so."""
        frames = kit.frames_in(os.path.join(folder, "long.mp4/video.mp4"))
        self.assertGreater(frames, 0)
        self.assertLess(frames, whole)
        self.assertEqual(frames % 20, 0)  # whole chunks
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        self.assertEqual(manifest["status"], "canceled")
        self.assertIn("incomplete", manifest["warnings"]["long.mp4"])
        with open(os.path.join(folder, "long.mp4/detections.json"), encoding="utf-8") as file:
            detections = json.load(file)
        self.assertEqual((detections["complete"], len(detections["frames"])), (False, frames))

    # cancel

    def canceled(self, job):
        """Waits for the job's last event; nothing follows it. Says its events."""
        of_job = lambda: [e["kind"] for e in self.fleet.log() if e["job"] == job]
        kit.eventually(f"job {job} is canceled", lambda: "job.canceled" in of_job(), 60)
        self.fleet.follow(job, swept=True)
        self.succeed(self.fleet.submit("good.mp4", params=self.quick))  # the same workers went on to this one
        kinds = of_job()
        self.assertEqual((kinds[-1], kinds.count("job.canceled")), ("job.canceled", 1))
        self.assertEqual(self.fleet.job(job)["state"], "canceled")
        self.assertFalse(os.path.exists(os.path.join(self.fleet.results, ".work", job)))
        return kinds

    def test_cancel(self):
        along = self.fleet.submit("good.mp4", params=self.quick)
        job = self.fleet.submit("long.mp4")
        self.fleet.midway(job, 2)
        self.assertEqual(self.fleet.request("cancel", job=job)["state"], "canceled")
        self.assertIn("job.started", self.canceled(job))
        self.assertFalse(os.path.exists(self.fleet.folder_of(job)))
        self.assertEqual(self.fleet.request("cancel", job=job)["state"], "canceled")  # again: the same
        self.assertEqual(kit.sightline("job", job, env=self.fleet.env).returncode, 0)
        self.succeed(along)
        # One that has ended stays what it is.
        self.assertEqual(self.fleet.request("cancel", job=along)["state"], "succeeded")

    def test_cancel_at_once(self):
        job = self.fleet.submit("long.mp4")
        self.fleet.request("cancel", job=job)
        self.canceled(job)
        self.assertFalse(os.path.exists(self.fleet.folder_of(job)))

    def test_cancel_that_keeps_what_is_done(self):
        job = self.fleet.submit("long.mp4")
        self.fleet.midway(job, 3)
        self.assertEqual(self.fleet.request("cancel", job=job, keep_partial=True)["state"], "canceled")
        self.canceled(job)
        self.check_partial(self.fleet.folder_of(job), 400)

    def test_watched_cancel(self):
        with subprocess.Popen([kit.PROGRAM, "submit", "media:long.mp4", "--wait", "--json"], env=self.fleet.env, stdout=subprocess.PIPE, text=True) as watch:
            job = json.loads(watch.stdout.readline())["job"]
            self.fleet.midway(job)
            self.fleet.request("cancel", job=job)
            watch.communicate(timeout=60)
        self.assertEqual(watch.returncode, CANCELED)

    # servers and models

    def ends(self, status, named, words, **env):
        done = kit.sightline(*words, "--config", self.fleet.config, env=dict(os.environ, **env))
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, status, said)
        for name in named:
            self.assertIn(name, said)
        self.assertIn("hint:", said)

    def test_model_with_a_wrong_checksum(self):
        folder = os.path.join(self.fleet.folder, "models")
        os.makedirs(folder, exist_ok=True)
        name = kit.default_model() + ".onnx"
        with open(os.path.join(folder, name), "wb") as out:
            out.write(b"not these weights" * 1000)
        only = {"SIGHTLINE_MODEL_PATH": folder}
        words = ["worker", "detect", "--model", kit.default_model(), "--broker", self.fleet.endpoint, "--option", f"models.dirs=[{folder}]"]
        self.ends(USAGE, [name, "sha256"], words, **only)
        self.assertEqual(len(self.fleet.pids("detect")), 1)

    def test_unreachable_broker(self):
        nobody = "ipc://" + os.path.join(self.fleet.folder, "nobody")
        for words in (["jobs"], ["submit", "media:good.mp4"], ["cancel", "X"]):
            self.refused(UNAVAILABLE, [nobody, "sightline up"], *words, "--broker", nobody, "--timeout", "1")

    def stays(self, named, *words):
        """A broker that cannot serve yet says for what it waits, and goes on waiting until SIGTERM: exit 0."""
        log = os.path.join(self.fleet.folder, "waits.log")
        folder = os.path.join(self.fleet.folder, "w")
        with open(log, "w", encoding="utf-8") as out, subprocess.Popen(
                [kit.PROGRAM, "broker", "--broker", f"ipc://{folder}/b", "--option", f"broker.run_dir={folder}", *words], stdout=out, stderr=out) as broker:
            try:
                kit.eventually(f"the broker names {named}", lambda: all(name in read(log) for name in named), 30)
                self.assertIsNone(broker.poll())
            finally:
                broker.terminate()
            self.assertEqual(broker.wait(30), 0)

    def test_redis(self):
        nowhere = os.path.join(self.fleet.folder, "nowhere.sock")
        self.stays([nowhere, "start Redis"], "--option", f"redis.url=unix://{nowhere}")
        words = ["broker", "--broker", f"ipc://{self.fleet.folder}/x", "--option"]
        url = self.fleet.settings["redis"]["url"]
        wrong = url.replace("unix://", "unix://:wrong@")
        self.refused(USAGE, ["Redis", "password"], *words, f"redis.url={wrong}")
        self.refused(USAGE, ["http"], *words, "redis.url=http://localhost")

    def test_postgres(self):
        nowhere = os.path.join(self.fleet.folder, "nowhere")
        self.stays([nowhere, "start PostgreSQL"], "--option", f"postgres.dsn=host={nowhere} user=x",
                   "--option", f"redis.url={self.fleet.settings['redis']['url']}", "--option", "fleet.name=other")

    def test_redis_stands_still_for_a_while(self):
        """Health says so, a submit is refused meanwhile, and the job ends well with its trail whole."""
        job = self.fleet.submit("long.mp4", params=dict(self.quick))
        part = lambda name: next(p for p in self.fleet.request("health")["parts"] if p["name"] == name)
        redis = self.fleet.pids("redis")[0]
        os.kill(redis, signal.SIGSTOP)
        try:
            kit.eventually("health says that the store is away", lambda: not part("store")["ok"], 30)
            self.assertIn("Redis", part("store")["detail"])
            with self.assertRaises(kit.Refused) as no:
                self.fleet.submit("good.mp4")
            self.assertEqual(no.exception.code, "UNAVAILABLE")
        finally:
            os.kill(redis, signal.SIGCONT)
        kit.eventually("the store is back", lambda: part("store")["ok"], 30)
        self.succeed(job)
        rows = kit.eventually("the trail has the job's end",
                              lambda: (lambda r: r if r and r[-1]["kind"] == "job.succeeded" else None)(self.fleet.audit(f"job = '{job}'")), 30)
        self.assertEqual([r["kind"] for r in rows if r["kind"] != "alert"], ["job.queued", "job.started", "job.succeeded"])


if __name__ == "__main__":
    kit.main()
