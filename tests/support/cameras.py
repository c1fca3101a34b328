"""Cameras for the system tests of live work: RTSP servers on the loopback, and what a fleet says of its cameras."""
import os
import socket
import subprocess
import sys

import fleet as kit

HERE = os.path.dirname(os.path.abspath(__file__))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def transport_stream(path, start=0, seconds=30):
    """A part of the demo clip as an RTSP server wants it: H.264 in MPEG-TS, a key frame each second."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-ss", str(start), "-i", kit.CLIP, "-t", str(seconds), "-an", "-c:v", "libx264",
                    "-preset", "ultrafast", "-g", "10", "-bf", "0", "-f", "mpegts", path], check=True, timeout=60)
    return path


class RtspCamera:
    """A process of its own, which may be ended and started again on its port."""

    def __init__(self, clip, user=None, password=None):
        self.clip, self.user, self.password = clip, user, password
        self.port = free_port()
        self.url = f"rtsp://127.0.0.1:{self.port}/Streaming/Channels/101"
        self.process = None
        self.start()

    def start(self):
        words = ["/usr/bin/python3", os.path.join(HERE, "rtsp_camera.py"), "--clip", self.clip, "--port", str(self.port)]
        if self.user:
            words += ["--user", self.user, "--password", self.password]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise AssertionError("the RTSP server did not start")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def needs_rtsp():
    """Without GStreamer's RTSP server: skipped."""
    done = subprocess.run(["/usr/bin/python3", "-c", "import gi; gi.require_version('GstRtspServer', '1.0'); "
                           "from gi.repository import GstRtspServer"], check=False, capture_output=True, timeout=60)
    if done.returncode != 0:
        print("skipped: there is no RTSP server; run scripts/setup --tests")
        sys.exit(1 if os.environ.get("SIGHTLINE_REQUIRE_DATA") == "1" else 77)


class LiveTest(kit.FleetTest):
    """A fleet with cameras. Alerts are read from the log, where all of them are, in order."""

    def add(self, camera, url, **fields):
        fields.setdefault("params", {}).setdefault("model", [kit.default_model()])
        return self.fleet.request("camera_set", camera=camera, url=url, **fields)["camera"]

    def camera(self, camera):
        return self.fleet.request("camera", camera=camera)["camera"]

    def streams(self, camera, limit_s=60):
        def there():
            now = self.camera(camera)
            return now if now["state"] == "streaming" and now["detected"] > 0 else None
        return kit.eventually(f"{camera} streams and is detected", there, limit_s, 0.1)

    def alerts(self, camera):
        return [e["body"] for e in self.fleet.log(f"alert.{camera}")]

    def alerts_go_on(self, camera, limit_s=60):
        """Waits for a `new` alert that was captured from now on."""
        known = len(self.alerts(camera))
        return kit.eventually(f"alerts of {camera} go on", lambda: [a for a in self.alerts(camera)[known:] if a["kind"] == "new"],
                              limit_s, 0.1)

    def assert_told_once(self, camera):
        keys = [a["key"] for a in self.alerts(camera)]
        self.assertEqual(len(keys), len(set(keys)), "alerts that were told twice")

    def assert_balanced(self, camera):
        counters = self.camera(camera)["counters"]
        self.assertGreater(counters["read"], 0)
        self.assertTrue(kit.balanced(counters), counters)


def main():
    kit.main()
