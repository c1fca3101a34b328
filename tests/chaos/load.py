"""What the fleet works through: short videos, and a client that submits them without end until told to stop."""
import os
import random
import subprocess
import threading
import time
import uuid

import fleet as kit

WORK = (  # name, input, parameters of the submit
    ("street", "street.mp4", {}),
    ("corner", "corner.mp4", {"sample_fps": 5}),
    ("square", "square.mp4", {"sample_fps": 3, "video_preset": "ultrafast"}),
    ("plain", "plain.mp4", {"model": ["none"], "exporters": ["video", "json"]}),
    ("drawn", "drawn.synthetic", {"sample_fps": 2, "video_preset": "ultrafast"}),
    ("folder", "folder", {"sample_fps": 2, "exporters": ["json", "csv", "video"], "video_preset": "ultrafast"}),
)


def make_inputs(media):
    """Parts of the demo clip with many keyframes (a chunk is about two seconds), and made-up ones."""
    kit.clip(os.path.join(media, "street.mp4"), 12, gop=10)
    kit.clip(os.path.join(media, "corner.mp4"), 16, gop=10, start=20)
    kit.clip(os.path.join(media, "square.mp4"), 20, gop=20, start=40)
    kit.clip(os.path.join(media, "folder", "one.mp4"), 6, gop=10, start=5)
    kit.clip(os.path.join(media, "folder", "deep", "two.mp4"), 8, gop=20, start=30)
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "20", "-c:v", "libx264",
                    "-preset", "ultrafast", "-threads", "1", "-g", "50", "-pix_fmt", "yuv420p", os.path.join(media, "plain.mp4")],
                   check=True, timeout=60)
    with open(os.path.join(media, "drawn.synthetic"), "w", encoding="utf-8") as out:
        out.write("width: 320\nheight: 240\nfps: 10\nframes: 160\nseed: 7\n")


def submit_fields(name):
    path, params = next((p, q) for n, p, q in WORK if n == name)
    return {"inputs": [{"root": "media", "path": path}], "params": params, "tags": {"work": name}}


class Client:
    """kit.Client that waits through every outage: what the broker cannot keep now is sent again."""

    def __init__(self, endpoints):
        self.client = kit.Client(",".join(endpoints))

    def request(self, limit_s=120, **fields):
        deadline = time.monotonic() + limit_s
        while True:
            try:
                return self.client.request(limit_s=min(5, limit_s), **fields)
            except (kit.Refused, AssertionError) as e:
                if isinstance(e, kit.Refused) and e.code not in ("UNAVAILABLE", "ADMISSION_REJECT", "TIMEOUT"):
                    raise
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def close(self):
        self.client.close()


class Load(threading.Thread):
    """Keeps `many` jobs going; remembers each that was acknowledged: {job: work}."""

    def __init__(self, endpoints, witness, seed, many, work=None):
        super().__init__(name="load", daemon=True)
        self.endpoints = endpoints
        self.witness = witness
        self.random = random.Random(f"load {seed}")
        self.many = many
        self.work = work or [name for name, _, _ in WORK]
        self.enough = threading.Event()
        self.acknowledged = {}
        self.error = None

    def run(self):
        client = Client(self.endpoints)
        try:
            while not self.enough.is_set():
                open_jobs = sum(job not in self.witness.ended for job in list(self.acknowledged))
                if open_jobs >= self.many:
                    self.enough.wait(0.05)
                    continue
                work = self.random.choice(self.work)
                # The same key until it is answered: however often it is sent, it is one job.
                job = client.request(limit_s=300, type="submit", key=uuid.uuid4().hex, **submit_fields(work))["job"]
                self.acknowledged[job] = work
        except Exception as e:  # pylint: disable=broad-except
            self.error = e  # told by the campaign
        finally:
            client.close()

    def finish(self):
        """No more jobs; what was sent is acknowledged when this returns."""
        self.enough.set()
        self.join(330)
        if self.is_alive():
            raise AssertionError("the client that submits did not come to its end")
        if self.error:
            raise AssertionError(f"the client that submits failed: {self.error}")
