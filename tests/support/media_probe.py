"""What ffmpeg and ffprobe say about a file: frames and their times, sound, warnings, likeness of pictures."""
import fractions
import json
import re
import subprocess

FFMPEG = ["ffmpeg", "-hide_banner", "-nostdin", "-threads", "1"]


def run(args, **options):
    done = subprocess.run(args, capture_output=True, check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(args)}: {done.stderr[-800:].decode(errors='replace')}")
    return done


def make(*args):
    """ffmpeg with these arguments; it must have nothing to complain about."""
    done = run([*FFMPEG, "-v", "error", "-y", *args])
    if done.stderr:
        raise RuntimeError(f"ffmpeg {' '.join(args)}: {done.stderr.decode(errors='replace')}")


class Probe:
    """The video stream that libav thinks best, and the first of sound."""

    def __init__(self, path):
        entries = "frame=best_effort_timestamp,pkt_duration:stream:stream_side_data=rotation:format=duration"
        done = run(["ffprobe", "-v", "error", "-threads", "1", "-select_streams", "V:0", "-show_entries", entries, "-of", "json", path])
        told = json.loads(done.stdout)
        self.path = path
        self.video = told["streams"][0]
        self.time_base = fractions.Fraction(self.video["time_base"])
        self.ticks = [int(f.get("best_effort_timestamp", 0)) for f in told.get("frames", [])]
        self.durations = [int(f.get("pkt_duration", 0)) for f in told.get("frames", [])]

    def times(self):
        """Seconds after the first frame."""
        return [(t - self.ticks[0]) * self.time_base for t in self.ticks]

    def rotation(self):
        return sum(int(d.get("rotation", 0)) for d in self.video.get("side_data_list", []))


def warnings(path):
    """All that ffmpeg says when it decodes everything in the file."""
    done = run([*FFMPEG, "-v", "warning", "-i", path, "-map", "0", "-fps_mode", "passthrough", "-f", "null", "-"])
    return done.stderr.decode(errors="replace").strip()


def sound_packets(path, filters=()):
    """[(size, hash)] of the packets of the first sound, as they lie in the file."""
    done = run([*FFMPEG, "-v", "error", "-i", path, "-map", "0:a:0", "-c", "copy", *filters, "-f", "framehash", "-hash", "md5", "-"])
    rows = [line.split(",") for line in done.stdout.decode().splitlines() if line and not line.startswith("#")]
    return [(int(row[4]), row[5].strip()) for row in rows]


class Sound:
    """The first sound as a player hears it, in s: how long it is, and when after the first picture it becomes loud."""

    def __init__(self, path):
        done = run(["ffprobe", "-v", "error", "-show_entries", "format=start_time:stream=codec_type,start_time", "-of", "json", path])
        told = json.loads(done.stdout)
        origin = float(told["format"]["start_time"])
        picture = next(float(s["start_time"]) for s in told["streams"] if s["codec_type"] == "video") - origin
        begin = next(float(s["start_time"]) for s in told["streams"] if s["codec_type"] == "audio") - origin
        rate = 8000
        done = run([*FFMPEG, "-v", "error", "-i", path, "-map", "0:a:0", "-af", f"aresample={rate}:async=1:first_pts=0", "-ac", "1", "-f",
                    "s16le", "-"])
        samples = memoryview(done.stdout).cast("h")
        self.length = len(samples) / rate - begin
        self.onset = next((at for at, s in enumerate(samples) if abs(s) > 6000), len(samples)) / rate - picture


def frame_hashes(path, filters="null"):
    done = run([*FFMPEG, "-v", "error", "-i", path, "-map", "0:V:0", "-fps_mode", "passthrough", "-vf", filters, "-f", "framehash",
                "-hash", "md5", "-"])
    return [line.rsplit(",", 1)[1].strip() for line in done.stdout.decode().splitlines() if line and not line.startswith("#")]


def psnr(path, reference, shape="null"):
    """Of each frame (dB, 99 where equal), n-th against n-th; `shape` is done to the first one's pictures.
    ffmpeg turns pictures as a player would."""
    graph = (f"[0:V:0]settb=1/25,setpts=N,{shape},format=yuv444p[a];[1:V:0]settb=1/25,setpts=N,format=yuv444p[b];"
             "[a][b]psnr=stats_file=-")
    done = run([*FFMPEG, "-v", "error", "-i", path, "-i", reference, "-lavfi", graph, "-fps_mode", "passthrough", "-f", "null", "-"])
    return [99.0 if v == "inf" else float(v) for v in re.findall(r"psnr_avg:(\S+)", done.stdout.decode())]


def raw_frames(path, width, height):
    """Every frame as I420 bytes, turned as a player would."""
    done = run([*FFMPEG, "-v", "error", "-i", path, "-map", "0:V:0", "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"])
    size = width * height * 3 // 2
    return [done.stdout[at:at + size] for at in range(0, len(done.stdout) - size + 1, size)]
