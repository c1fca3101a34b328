"""The clips: short, small, of real footage, each with one thing about it that goes wrong in lesser programs."""
import os
import struct

from tests.support.media_probe import make

X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-g", "10"]
REORDERED = ["-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-g", "20", "-bf", "3"]
SOUND = ["-f", "lavfi", "-i", "aevalsrc='if(gte(t,1.5),0.8*sin(2000*PI*t),0)':s=44100:d=4"]  # silence, then a tone


def quiet_sound(offset):
    return ["-itsoffset", str(offset), *SOUND]


def turned(path, out, right, down):
    """A copy of an MP4 that is shown turned: where a step to the right and a step down of the pixels go."""
    with open(path, "rb") as file:
        data = file.read()
    at = data.index(b"tkhd") + 44
    one = 1 << 16
    matrix = struct.pack(">9i", right[0] * one, right[1] * one, 0, down[0] * one, down[1] * one, 0, 0, 0, 1 << 30)
    with open(out, "wb") as file:
        file.write(data[:at] + matrix + data[at + 36:])


# How the eight display matrices lie, by name.
MATRICES = {"turned_90": ((0, 1), (-1, 0)), "turned_180": ((-1, 0), (0, -1)), "turned_270": ((0, -1), (1, 0)), "mirrored": ((-1, 0), (0, 1)),
            "upside_down": ((1, 0), (0, -1)), "transposed": ((0, 1), (1, 0)), "anti_transposed": ((0, -1), (-1, 0))}


def base_of(clip, scratch, size="384:288", frames=40):
    """The first frames of a clip, smaller, without loss."""
    out = os.path.join(scratch, "base.mkv")
    make("-i", clip, "-frames:v", str(frames), "-vf", f"scale={size}:flags=area,format=yuv420p", "-c:v", "libx264", "-qp", "0", "-preset",
         "ultrafast", "-bf", "0", out)
    return out


def make_matrix(base, folder, scratch):
    """All clips of the matrix into `folder`; base has 10 frames a second."""
    def clip(name, *words, source=("-i", base)):
        make(*source, *words, os.path.join(folder, name))

    slow = ("-r", "1", "-i", base)  # 40 s: keyframes rarer than a chunk may be long
    drops = ["-vf", "select='lt(n,20)+not(mod(n,7))'", "-fps_mode", "vfr"]
    open_gop = [*REORDERED, "-x264-params", "open-gop=1:keyint=15:min-keyint=15:scenecut=0"]
    late = ["-output_ts_offset", "5.3"]
    clip("whole.mp4", "-c:v", "libx264", "-preset", "ultrafast", "-g", "100", "-sc_threshold", "0")
    clip("vfr.mp4", *drops, *REORDERED)
    clip("vfr.mkv", *drops, *X264)
    clip("one_key.mp4", "-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-g", "999", "-sc_threshold", "0", source=slow)
    clip("intra_refresh.mp4", *X264, "-x264-params", "intra-refresh=1:keyint=10")
    clip("intra_refresh_slow.mp4", *X264, "-x264-params", "intra-refresh=1:keyint=10", source=slow)
    for kind in ("mp4", "ts"):
        clip("open_gop." + kind, *open_gop)
    clip("open_gop_265.mp4", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
         "open-gop=1:keyint=15:bframes=3:log-level=none:pools=none:frame-threads=1")
    clip("b_frames.mp4", *REORDERED)
    clip("b_frames.avi", *REORDERED)
    clip("ntsc.avi", *X264, "-bf", "0", source=("-r", "30000/1001", "-i", base))
    clip("one_frame.mp4", *REORDERED, "-frames:v", "1")
    clip("odd.mp4", "-vf", "scale=853:481,format=yuv444p", *X264)
    clip("ten_bit.mp4", "-pix_fmt", "yuv420p10le", *X264)
    clip("ten_bit_265.mp4", "-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=10")
    clip("wide_chroma.mp4", "-pix_fmt", "yuv422p", *X264)
    clip("anamorphic.mp4", "-vf", "scale=360:288,setsar=64/45", *X264)
    clip("full_range.mp4", "-vf", "scale=out_range=full", "-color_range", "pc", *X264)
    clip("sound.mp4", *SOUND, *X264, "-c:a", "aac")
    clip("sound.ts", *SOUND, *X264, "-c:a", "aac")
    clip("late_start.mkv", *SOUND, *X264, "-c:a", "aac", *late)
    clip("late_sound.mp4", *quiet_sound(0.39), *X264, "-c:a", "aac", "-video_track_timescale", "10")
    clip("early_sound.mkv", *SOUND, *X264, "-c:a", "aac", source=("-itsoffset", "0.77", "-i", base))
    clip("pcm.avi", *SOUND, *X264, "-bf", "0", "-c:a", "pcm_s16le")
    clip("pcm.mkv", *SOUND, *X264, "-c:a", "pcm_s16le", "-ac", "2", "-ar", "22050")
    clip("flac.mkv", *SOUND, *X264, "-c:a", "flac")
    upright = os.path.join(scratch, "upright.mp4")
    make("-i", base, *X264, upright)
    for name, (right, down) in MATRICES.items():
        turned(upright, os.path.join(folder, name + ".mp4"), right, down)


def make_pictures(base, folder):
    """Pictures of different sizes and kinds, two of them (d, e) damaged. Returns their sizes by name."""
    os.makedirs(folder)
    kinds = {"a.jpg": ["-vf", "scale=384:288"], "b.JPG": ["-vf", "scale=333:221"], "c.png": ["-vf", "scale=200:401", "-pix_fmt", "rgb24"],
             "f.jpg": ["-pix_fmt", "gray"], "g.png": ["-pix_fmt", "rgba"]}
    for name, words in kinds.items():
        make("-i", base, *words, "-frames:v", "1", "-update", "1", os.path.join(folder, name))
    with open(os.path.join(folder, "a.jpg"), "rb") as whole, open(os.path.join(folder, "d.jpg"), "wb") as part:
        part.write(whole.read()[:600])
    with open(os.path.join(folder, "e.jpg"), "w", encoding="ascii") as text:
        text.write("this is no picture\n" * 50)
    return {"a.jpg": (384, 288), "b.JPG": (333, 221), "c.png": (200, 401), "f.jpg": (384, 288), "g.png": (384, 288)}
