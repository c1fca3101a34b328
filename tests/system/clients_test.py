#!/usr/bin/python3
"""A fleet of real processes, used the way scripts use it: the Python clients, batch annotation, the commands.

  alerts.py (SUB) ◀── events ── broker ── ingest, preprocess, 2 detect, annotate, alert
  submit.py, scripts/annotate, sightline (DEALER) ──▶ jobs

Needs SIGHTLINE_VTEST (the demo clip) and a model; skips without (77), or fails when SIGHTLINE_REQUIRE_DATA=1.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ["SIGHTLINE_SOURCE_DIR"]
PROGRAM = os.path.join(os.environ["SIGHTLINE_BINARY_DIR"], "sightline")
CLIP = os.environ.get("SIGHTLINE_VTEST", os.path.join(SOURCE, ".sightline/clips/vtest.avi"))
PYTHON = "/usr/bin/python3"


def skip(why):
    print("skipped:", why)
    sys.exit(1 if os.environ.get("SIGHTLINE_REQUIRE_DATA") == "1" else 77)


def run(*words, status=0, **more):
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, **more)
    if done.returncode != status:
        sys.exit(f"{' '.join(words)}: status {done.returncode}, want {status}\n{done.stdout}{done.stderr}")
    return done


def check(ok, what):
    if not ok:
        sys.exit(f"not so: {what}")
    print("ok:", what)


def script(name):
    return os.path.join(SOURCE, "scripts", name)


def use(env, media, broker):
    # A subscriber that knows when its subscription is in force, and only then a submit.
    with subprocess.Popen([PYTHON, script("alerts.py"), "--broker", broker, "--count", "1", "--for", "60"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as subscriber:
        check(subscriber.stderr.readline().strip() == "subscribed", "the subscriber was welcomed")
        done = run(PYTHON, script("submit.py"), "--broker", broker, "media:good/a.avi", "--set", "sample_fps=5", "--wait")
        check(done.stdout.split("\n")[1].split()[0] == "succeeded", "the Python client's job succeeded")
        job = done.stdout.split()[0]
        alert = json.loads(subscriber.stdout.readline())
        check(subscriber.wait(60) == 0, "the subscriber ended after one alert")
    check(alert["job"] == job and alert["stream"] == "good/a.avi" and alert["class_name"] == "person", "the alert is the job's")
    check({"alert", "rule", "frame", "time_s", "box"} <= alert.keys(), "the alert has its fields")

    state = json.loads(run(PROGRAM, "job", job, "--json", env=env).stdout)
    counters = state["streams"][0]["counters"]
    check(counters["read"] == counters["annotated"] + sum(counters.get("dropped", {}).values()), "every frame is accounted for")
    artifacts = json.loads(run(PROGRAM, "artifacts", job, "--json", env=env).stdout)
    files = [f["path"] for outputs in artifacts["manifest"]["outputs"].values() for f in outputs]
    check(len(files) == 6 and all(os.path.getsize(os.path.join(artifacts["folder"], f)) for f in files), "all results are there")

    # Batch annotation: two good videos, one that is none; one line each, status 1.
    done = run(PYTHON, script("annotate"), os.path.join(media, "mixed"), "--broker", broker, "--root", f"media={media}",
               "--set", "sample_fps=2", "--json", status=1)
    ends = {os.path.basename(line["video"]): line["state"] for line in map(json.loads, done.stdout.splitlines())}
    check(ends == {"a.avi": "succeeded", "b.avi": "succeeded", "text.mp4": "failed"}, f"each video ended as it should: {ends}")

    # Mistakes: each its own status, each names the thing.
    good = os.path.join(media, "good/a.avi")
    for status, named, words in [
            (2, "peple", ["submit", good, "--preset", "peple"]), (2, "confidense", ["submit", good, "--set", "confidense=1"]),
            (3, "none.avi", ["submit", "media:none.avi"]), (2, "nowhere", ["submit", "nowhere:a.avi"]), (2, "..", ["submit", "media:../x.avi"]),
            (3, "NOJOB", ["job", "NOJOB"]), (8, "text.mp4", ["submit", os.path.join(media, "mixed/text.mp4"), "--wait"])]:
        done = run(PROGRAM, *words, status=status, env=env)
        check(named in done.stdout + done.stderr, f"`{' '.join(words)}` is refused with {status} and names {named}")
    check(json.loads(run(PROGRAM, "status", "--json", "--state", os.environ["STATE"], env=env).stdout)["ready"], "the fleet is still whole")


def main():
    if not os.path.exists(CLIP):
        skip(f"there is no clip {CLIP}; run scripts/setup")
    models = json.loads(run(PROGRAM, "models", "list", "--json", cwd=SOURCE).stdout)["models"]
    usable = [m["model"] for m in models if m["usable"] and m["file"]] or ["hog_people"]
    model = "yolox_nano" if "yolox_nano" in usable else usable[0]
    scratch = tempfile.mkdtemp(prefix="sl-sys-")
    os.chmod(scratch, 0o755)
    os.environ["STATE"] = state = os.path.join(scratch, "fleet")
    media = os.path.join(scratch, "media")
    try:
        for folder in ("good", "mixed"):
            os.makedirs(os.path.join(media, folder))
        good = os.path.join(media, "good/a.avi")
        run("ffmpeg", "-v", "error", "-i", CLIP, "-t", "4", "-c", "copy", good)
        for name in ("a.avi", "b.avi"):
            shutil.copy(good, os.path.join(media, "mixed", name))
        with open(os.path.join(media, "mixed/text.mp4"), "w", encoding="utf-8") as text:
            text.write("this is no video\n" * 100)
        config = os.path.join(scratch, "c.yaml")
        with open(config, "w", encoding="utf-8") as out:
            json.dump({"roots": {"media": media, "out": scratch}, "output": {"root": "out", "path": "results"},
                       "models": {"dirs": [os.path.join(SOURCE, ".sightline/models")]}}, out)
        up = json.loads(run(PROGRAM, "up", "--config", config, "--state", state, "--model", model, "--json").stdout)
        use(dict(os.environ, SIGHTLINE_CONFIG=up["config"]), media, up["broker"])
        run(PROGRAM, "down", "--state", state)
        check(not any(os.path.exists(f"/proc/{p['pid']}/exe") for p in up["processes"]), "nothing runs after down")
    finally:
        subprocess.run([PROGRAM, "down", "--state", state], capture_output=True, check=False)
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
