#!/usr/bin/python3
"""A client of the broker in Python, written against schema/PROTOCOL.md section 3: pyzmq and msgpack, no more.

usage: scripts/submit.py --broker ENDPOINT[,ENDPOINT…] [--keys FILE] ROOT:PATH… [--preset NAME] [--set NAME=VALUE]… [--wait]

Prints the job's id; with --wait also its end. Exit status: 0 ok, 1 job failed, 2 refused, 4 no broker, 6 canceled.
"""
import argparse
import json
import os
import sys
import time
import uuid

import msgpack
import zmq

PROTOCOL = b"SL1"


class Unreachable(Exception):
    """Nobody answered."""


class Refused(Exception):
    """The broker said no: code, message, hint."""

    def __init__(self, reply):
        super().__init__(": ".join(filter(None, [reply.get("message", reply.get("code", "")), reply.get("hint", "")])))
        self.code = reply.get("code", "INTERNAL")
        self.retry_after_s = reply.get("retry_after_s")  # of a full queue


def unlock(socket, key_file):
    """With keys the fleet lets in those alone whose key it knows (PROTOCOL.md section 2.1)."""
    with open(key_file, encoding="utf-8") as file:
        keys = json.load(file)
    own = keys.get("client") or keys["worker"]
    socket.curve_serverkey = keys["server"]["public"].encode()
    socket.curve_publickey, socket.curve_secretkey = own["public"].encode(), own["secret"].encode()


class Client:
    """Sends a request again while there is no answer: all are idempotent, submit by its key.

    Of several brokers (a,b) only the one that leads listens: one socket connected to all of them finds it."""

    def __init__(self, endpoint, timeout_s=10, key_file=None):
        self.endpoint = endpoint
        self.timeout_s = timeout_s
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing waits for a broker that is not there
        self.socket.setsockopt(zmq.RECONNECT_IVL, 50)
        if key_file:
            unlock(self.socket, key_file)
        for one in endpoint.split(","):
            self.socket.connect(one)

    def request(self, fields):
        req = uuid.uuid4().hex
        message = [PROTOCOL, msgpack.packb(dict(fields, req=req))]
        deadline = time.monotonic() + self.timeout_s
        patience = 0.5  # two rounds
        while time.monotonic() < deadline:
            again = min(deadline, time.monotonic() + patience)
            if self.socket.poll(max(0, int((again - time.monotonic()) * 1000)), zmq.POLLOUT):
                self.socket.send_multipart(message)
                again = min(deadline, time.monotonic() + patience)
            while self.socket.poll(max(0, int((again - time.monotonic()) * 1000))):
                frames = self.socket.recv_multipart()
                if frames[0] != PROTOCOL:
                    raise Unreachable(f"{self.endpoint} speaks another protocol than SL1")
                reply = msgpack.unpackb(frames[1])
                if reply.get("req") != req:
                    continue
                if not reply.get("ok"):
                    raise Refused(reply)
                return reply
        raise Unreachable(f"cannot reach the broker at {self.endpoint}: no answer within {self.timeout_s} s")

    def submit(self, inputs, preset="default", params=None, tags=None):
        return self.request({"type": "submit", "key": uuid.uuid4().hex, "inputs": inputs, "preset": preset,
                             "params": params or {}, "tags": tags or {}})

    def wait(self, job):
        while True:
            state = self.request({"type": "job", "job": job})["job"]
            if state["state"] in ("succeeded", "failed", "canceled"):
                return state
            time.sleep(0.2)


def setting(text):
    """"confidence=0.4" → ("confidence", 0.4); what is no JSON is a text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("write NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("inputs", nargs="+", metavar="ROOT:PATH")
    parser.add_argument("--broker", default=os.environ.get("SIGHTLINE_BROKER", "ipc:///run/sightline/broker"))
    parser.add_argument("--keys", default=os.environ.get("SIGHTLINE__SECURITY__KEYS"), metavar="FILE", help="key file, if the fleet has keys")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--set", action="append", default=[], type=setting, metavar="NAME=VALUE", dest="params")
    parser.add_argument("--wait", action="store_true")
    args = parser.parse_args()
    if any(":" not in text for text in args.inputs):
        parser.error("name inputs as ROOT:PATH")
    inputs = [dict(zip(("root", "path"), text.split(":", 1))) for text in args.inputs]
    try:
        client = Client(args.broker, key_file=args.keys)
        job = client.submit(inputs, args.preset, dict(args.params))["job"]
        print(job, flush=True)
        if not args.wait:
            return 0
        end = client.wait(job)
    except Refused as refused:
        print(f"error: {refused}", file=sys.stderr)
        return 2
    except Unreachable as away:
        print(f"error: {away}", file=sys.stderr)
        return 4
    print(end["state"], (end.get("error") or {}).get("message", ""))
    return {"succeeded": 0, "failed": 1, "canceled": 6}[end["state"]]


if __name__ == "__main__":
    sys.exit(main())
