#!/usr/bin/python3
"""All kinds of clip in one `sightline run` with detection off: what comes out is what went in. Frames and their
times, the picture as it is displayed, the sound and when it is heard; nothing a decoder complains about."""
import concurrent.futures
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.support import media_probe  # noqa: E402
from tests.system import clips_kit  # noqa: E402
from tests.system.accuracy_kit import VTEST, Run, check, folder, need, verdict  # noqa: E402

PRESET, CRF = "veryfast", "12"
RECUT = {"one_key.mp4", "intra_refresh_slow.mp4", "b_frames.avi"}
ODD = {"odd.mp4"}
AUDIO = {"sound.mp4": "copy", "sound.ts": "copy", "late_start.mkv": "copy", "late_sound.mp4": "copy", "early_sound.mkv": "copy",
         "pcm.avi": "aac", "pcm.mkv": "aac", "flac.mkv": "aac"}
TURNS = {"turned_90": (90, False), "turned_180": (180, False), "turned_270": (270, False), "mirrored": (0, True),
         "upside_down": (180, True), "transposed": (90, True), "anti_transposed": (270, True)}
NO_TIMES = {"b_frames.avi"}  # n-th frame at n frame lengths


def look(source, out, meta, name):
    """The wrongs of one clip, as sentences."""
    wrongs = []

    def must(ok, words):
        if not ok:
            wrongs.append(words)

    a, b = media_probe.Probe(source), media_probe.Probe(out)
    n = len(a.ticks)
    must(n > 0 and len(b.ticks) == n == meta["frames"], f"{n} frames became {len(b.ticks)}, meta says {meta['frames']}")
    times = [i * a.time_base * (a.ticks[1] - a.ticks[0]) for i in range(n)] if name in NO_TIMES else a.times()
    off = max(abs(x - y) for x, y in zip(times, b.times()))
    must(off <= max(a.time_base, b.time_base), f"times are off by up to {float(off)} s")
    right, bottom = (1, 1) if name in ODD else (0, 0)
    must(meta["padding"] == {"right": right, "bottom": bottom}, f"padding {meta['padding']}")
    shape = f"format=yuv444p,crop=iw-{right}:ih-{bottom}:0:0:exact=1" if right else "null"
    must(b.video["width"] == meta["width"] and b.video["height"] == meta["height"], "another size than meta says")
    must(b.rotation() == 0, "the output is to be turned once more")
    ratio = [s.video.get("sample_aspect_ratio", "1:1") for s in (a, b)]
    must(ratio[0] == ratio[1], f"pixels of {ratio[0]} became {ratio[1]}")
    likeness = media_probe.psnr(out, source, shape)  # fails when the displayed sizes differ
    must(len(likeness) == n and min(likeness) >= 38, f"PSNR {min(likeness):.1f} dB over {len(likeness)} frames")
    must((meta["rotation"], meta["flip"]) == TURNS.get(name[:-4], (0, False)), f"turned by {meta['rotation']}, {meta['flip']}")
    must(("recut" in meta) == (name in RECUT), f"recut: {meta.get('recut')}")
    must(meta["audio"] == AUDIO.get(name, "none"), f"audio: {meta['audio']}")
    if name in AUDIO and not wrongs:
        wrongs += listen(source, out, name)
    said = media_probe.warnings(out)
    must(not said, f"ffmpeg says: {said[:300]}")
    return wrongs


def listen(source, out, name):
    wrongs = []
    if AUDIO[name] == "copy":
        unpacked = ["-bsf:a", "aac_adtstoasc"] if name.endswith(".ts") else []
        if media_probe.sound_packets(source, unpacked) != media_probe.sound_packets(out):
            wrongs.append("the packets of the sound differ")
    before, after = media_probe.Sound(source), media_probe.Sound(out)
    if abs(before.onset - after.onset) > 0.005:
        wrongs.append(f"the tone is heard at {after.onset:.4f} s after the first picture, not {before.onset:.4f}")
    if not before.length - 0.001 <= after.length <= before.length + 0.06:  # AAC comes in frames of up to 46 ms
        wrongs.append(f"{before.length:.3f} s of sound became {after.length:.3f}")
    return wrongs


def transcode(source, out):
    """What ffmpeg makes of it with the encoder's settings that annotate has; one chunk, so one encoder."""
    media_probe.make("-i", source, "-c:v", "libx264", "-preset", PRESET, "-crf", CRF, "-bf", "0", "-threads", "1", "-g", "20", "-flags",
                     "+cgop+global_header", "-a53cc", "0", "-x264-params", "stitchable=1:cpu-independent=1:lookahead-threads=1:open-gop=0",
                     "-fps_mode", "passthrough", "-enc_time_base", "-1", out)


with folder() as scratch:
    clips = os.path.join(scratch, "in")
    os.makedirs(clips)
    base = clips_kit.base_of(need(VTEST, "SIGHTLINE_VTEST"), scratch)
    clips_kit.make_matrix(base, clips, scratch)
    run = Run([clips], os.path.join(scratch, "out"), "model=none", "exporters=video", f"video_preset={PRESET}", f"video_crf={CRF}")
    names = sorted(os.listdir(clips))
    check("every clip has its results", sorted(run.manifest["outputs"]) == names and run.manifest["status"] == "succeeded", len(names))
    check("nothing was to be warned of", run.manifest["warnings"] == {})

    def one(name):
        return look(os.path.join(clips, name), run.path(name, "video.mp4"), run.meta(name), name)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, wrongs in zip(names, pool.map(one, names)):
            check(f"{name} comes out as it went in", not wrongs, "; ".join(wrongs))
    plain = os.path.join(scratch, "plain.mp4")
    transcode(os.path.join(clips, "whole.mp4"), plain)
    hashes = media_probe.frame_hashes(plain)
    check("without detection a chunk is a plain transcode, bit for bit",
          len(hashes) == 40 and hashes == media_probe.frame_hashes(run.path("whole.mp4", "video.mp4")))
verdict()
