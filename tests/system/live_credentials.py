#!/usr/bin/python3
"""The password of a camera appears nowhere: not in logs, events, errors, the audit trail, artifacts, command lines, Redis or
PostgreSQL, plain, URL-encoded or in base64."""
import base64
import json
import os
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests/support"))
import cameras  # noqa: E402  pylint: disable=wrong-import-position
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position

USER, PASSWORD, WRONG = "operator", "s3cr3t/+&Zaun~Tor", "wr0ng/+&Zaun~Tor"
os.environ["SIGHTLINE_SECRET_GATE"] = f"{USER}:{PASSWORD}"
os.environ["SIGHTLINE_SECRET_LOCKED"] = f"{USER}:{WRONG}"


def forms(password):
    both = f"{USER}:{password}".encode()
    yield password.encode()
    yield urllib.parse.quote(password, safe="").encode()
    yield urllib.parse.quote(password).encode()
    yield json.dumps(password).encode()[1:-1]
    for text in (both, password.encode()):
        yield base64.b64encode(text).rstrip(b"=")
        yield base64.urlsafe_b64encode(text).rstrip(b"=")


class Credentials(cameras.LiveTest):
    workers = {"ingest": 1, "preprocess": 1, "detect": 1, "annotate": 1}

    @classmethod
    def prepare(cls):
        clip = cameras.transport_stream(os.path.join(cls.fleet.folder, "a.ts"), seconds=10)
        cls.rtsp = cameras.RtspCamera(clip, USER, PASSWORD)
        cls.addClassCleanup(cls.rtsp.kill)

    def assert_absent(self, where, data):
        for password in (PASSWORD, WRONG):
            for form in forms(password):
                self.assertNotIn(form, data, f"a password is in {where}")

    def assert_absent_below(self, folder):
        count = 0
        for at, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(at, name)
                if not os.path.isfile(path):
                    continue
                try:
                    with open(path, "rb") as file:
                        self.assert_absent(path, file.read())
                        count += 1
                except OSError:
                    continue
        return count

    def test_a_password_appears_nowhere(self):
        url = self.rtsp.url
        with self.assertRaises(kit.Refused) as refused:
            self.add("bad", url.replace("rtsp://", f"rtsp://{USER}:{urllib.parse.quote(PASSWORD, safe='')}@"))
        self.assert_absent("a refusal", str(refused.exception).encode())
        self.add("gate", url, secret="gate", fps=5, preset="live", snapshots=True)
        self.add("locked", url, secret="locked", fps=5, preset="live")
        self.streams("gate")
        kit.eventually("the wrong password is told", lambda: self.camera("locked")["error"] == "auth_failed", 60, 0.1)
        self.alerts_go_on("gate")
        kit.eventually("it is told offline", lambda: [e for e in self.fleet.log("camera.locked") if e["kind"] == "camera.offline"], 60)

        for what in ("cameras", "pools", "health"):
            self.assert_absent(what, json.dumps(self.fleet.request(what)).encode())
        self.assert_absent("the view of a camera", json.dumps([self.camera("gate"), self.camera("locked")]).encode())
        self.assert_absent("the events", json.dumps(self.fleet.log()).encode())
        pids = [pid for stage in ("broker", "ingest", "preprocess", "detect", "annotate", "alert") for pid in self.fleet.pids(stage)]
        self.assertGreater(len(pids), 5)
        for pid in pids:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                self.assert_absent(f"the command line of {pid}", file.read())
        shown = kit.sightline("cameras", "show", "gate", env=self.fleet.env)
        self.assert_absent("cameras show", (shown.stdout + shown.stderr).encode())
        tested = kit.sightline("cameras", "test", url, "--secret", "locked", env=self.fleet.env)
        self.assertNotEqual(tested.returncode, 0)
        self.assert_absent("cameras test", (tested.stdout + tested.stderr).encode())

        dsn = self.fleet.settings["postgres"]["dsn"]
        for table in ("audit", "cameras", "zones"):
            rows = subprocess.run(["psql", "-X", "-A", "-t", "-d", dsn, "-c", f"SELECT row_to_json(t) FROM sightline.{table} t"],
                                  capture_output=True, check=True, timeout=60).stdout
            self.assert_absent(f"PostgreSQL's table {table}", rows)
            self.assertTrue(rows or table == "zones")
        # Below it are Redis' append-only file, PostgreSQL's data, logs, configuration and snapshots.
        self.assertGreater(self.assert_absent_below(self.fleet.folder), 10)


if __name__ == "__main__":
    cameras.needs_rtsp()
    cameras.main()
