#!/usr/bin/python3
"""A subscriber in Python, written against schema/PROTOCOL.md section 4: pyzmq and msgpack, no more.

usage: scripts/alerts.py --broker ENDPOINT[,ENDPOINT…] [--keys FILE] [--stream PREFIX] [--count N] [--for SECONDS]

Prints one JSON object an alert. Says `subscribed` on stderr (and a line to --ready-fd) once the broker has
welcomed the subscription: what is published after that is not missed, also when the connection breaks or another
broker takes over: then comes another welcome, and the log is asked for what was published in between. Exit status: 0, 4 no broker, 7 fewer than
--count alerts within --for seconds, 130 interrupted.
"""
import argparse
import json
import os
import sys
import time

import msgpack
import zmq

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from submit import PROTOCOL, Client, Unreachable  # noqa: E402


def events_endpoint(jobs):
    """The events socket follows from the jobs socket (PROTOCOL.md section 2)."""
    if jobs.startswith("ipc://"):
        return jobs + ".events"
    host, port = jobs.rsplit(":", 1)
    return f"{host}:{int(port) + 2}"


def unlock(socket, key_file):
    """With keys the fleet lets in those alone whose key it knows (PROTOCOL.md section 2.1)."""
    with open(key_file, encoding="utf-8") as file:
        keys = json.load(file)
    own = keys.get("client") or keys["worker"]
    socket.curve_serverkey = keys["server"]["public"].encode()
    socket.curve_publickey, socket.curve_secretkey = own["public"].encode(), own["secret"].encode()


def receive(socket, milliseconds):
    """The next event's map, or None."""
    if not socket.poll(max(0, int(milliseconds))):
        return None
    _topic, protocol, event = socket.recv_multipart()
    if protocol != PROTOCOL:
        raise ValueError(f"events come in protocol {protocol!r}, not SL1")
    return msgpack.unpackb(event)


def number(event):
    """An id, "{epoch}-{n}", as something that can be compared."""
    return tuple(int(part) for part in event["id"].split("-"))


def log_since(client, last, topic):
    """What the broker kept of a topic after the number `last`."""
    while True:
        page = client.request({"type": "log", "since": "{}-{}".format(*last), "topics": [topic]})["entries"]
        yield from page
        if len(page) < 1000:
            return
        last = number(page[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--broker", default=os.environ.get("SIGHTLINE_BROKER", "ipc:///run/sightline/broker"))
    parser.add_argument("--keys", default=os.environ.get("SIGHTLINE__SECURITY__KEYS"), metavar="FILE", help="key file, if the fleet has keys")
    parser.add_argument("--stream", default="", help="only of streams whose name begins so")
    parser.add_argument("--count", type=int, default=0, help="end after so many")
    parser.add_argument("--for", type=float, default=0, dest="seconds", help="end after so many seconds")
    parser.add_argument("--ready-fd", type=int, help="write a line here when the subscription is in force")
    args = parser.parse_args()

    topic = "alert." + args.stream
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.setsockopt(zmq.LINGER, 0)
    if args.keys:
        unlock(socket, args.keys)
    for endpoint in args.broker.split(","):
        socket.connect(events_endpoint(endpoint))
    socket.setsockopt_string(zmq.SUBSCRIBE, topic)
    patience = time.monotonic() + 10
    while True:
        event = receive(socket, (patience - time.monotonic()) * 1000)
        if event is None:
            print(f"error: no welcome from {args.broker} within 10 s", file=sys.stderr)
            return 4
        if event.get("kind") == "welcome" and event.get("topic") == topic:
            break
    print("subscribed", file=sys.stderr, flush=True)
    if args.ready_fd is not None:
        os.write(args.ready_fd, b"subscribed\n")

    client = Client(args.broker, key_file=args.keys)
    deadline = time.monotonic() + args.seconds if args.seconds else float("inf")
    floor = number(event)  # up to here all was printed, or came before us
    printed = set()  # numbers above it
    shown = 0
    while not args.count or shown < args.count:
        event = receive(socket, min(1000, (deadline - time.monotonic()) * 1000))
        if event is None:
            if time.monotonic() < deadline:
                continue
            return 7 if args.count else 0
        welcome = event["kind"] == "welcome"  # after a new connection, or another subscriber's
        if welcome and event["topic"] != topic:
            continue
        for one in log_since(client, floor, topic) if welcome else [event]:
            if one["kind"] == "alert" and number(one) > floor and number(one) not in printed:
                printed.add(number(one))
                print(json.dumps(one["body"]), flush=True)
                shown += 1
                if shown == args.count:
                    break
        if welcome or len(printed) > 10000:
            floor = max(floor, number(event)) if welcome else sorted(printed)[5000]
            printed = {n for n in printed if n > floor}
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unreachable as away:
        print(f"error: {away}", file=sys.stderr)
        sys.exit(4)
    except KeyboardInterrupt:
        sys.exit(130)
