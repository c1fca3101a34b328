#!/usr/bin/python3
"""An RTSP camera on the loopback, for tests: GStreamer's server, fed in real time by an endless ffmpeg.

  rtsp_camera.py --clip clip.ts --port 8554 [--path /Streaming/Channels/101] [--user u --password p [--basic]]

The clip is H.264 in MPEG-TS with a key frame each second or so; it may change its size in the middle. Prints
"ready" when it listens. Looping a file inside the server stops at its end: hence the feed. Without the queue, frames
that wait for their time hold up udpsrc, which stamps what comes after them too late: most of it is thrown away."""
import argparse
import ctypes
import signal
import socket
import subprocess
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def feed(clip, port):
    return subprocess.Popen(["ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", clip, "-c", "copy",
                             "-an", "-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316"],
                            preexec_fn=die_with_parent)


def guard(server, factory, user, password, basic):
    """Lets in only who has the password."""
    auth = GstRtspServer.RTSPAuth.new()
    token = GstRtspServer.RTSPToken.new()
    token.set_string("media.factory.role", "viewer")
    if basic:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    role = Gst.Structure.new_empty("viewer")
    role.set_value("media.factory.access", True)
    role.set_value("media.factory.construct", True)
    factory.add_role_from_structure(role)
    server.set_auth(auth)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clip", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/Streaming/Channels/101")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--basic", action="store_true", help="basic authentication instead of digest")
    args = parser.parse_args()

    Gst.init(None)
    udp = free_udp_port()
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(str(args.port))
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(f"( udpsrc address=127.0.0.1 port={udp} caps=video/mpegts,systemstream=true ! tsdemux "
                       "! queue ! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 )")
    factory.set_shared(True)
    if args.user:
        guard(server, factory, args.user, args.password, args.basic)
    server.get_mount_points().add_factory(args.path, factory)
    if not server.attach(None):
        sys.exit(f"rtsp_camera: cannot listen on port {args.port}")
    feeder = feed(args.clip, udp)
    print("ready", flush=True)
    loop = GLib.MainLoop()
    for number in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, loop.quit)
    loop.run()
    feeder.kill()
    feeder.wait()


if __name__ == "__main__":
    main()
