#!/usr/bin/python3
"""Receivers of alerts, for tests: written against what README says of the sinks, with nothing of ours.

usage: alert_receiver.py webhook|hikvision|tcp --port N --out FILE [--answer FILE] [--secret KEY | --user U --password P]
                         [--auth digest|basic] [--cert FILE --key FILE] [--space NAMESPACE] [--scale N] [--delay SECONDS] [--trust]

Listens on loopback and appends one JSON line to OUT for each message that it takes, in the order in which they came:
{"key": …, and what else it was}. What it does not accept it answers with an error and a line {"refused": why}.
The file ANSWER, if it is there, holds what is answered instead of "well": a status code, "nack", "silent" or "close".
"""
import argparse
import base64
import email.parser
import email.policy
import hashlib
import hmac
import http.server
import json
import os
import re
import socketserver
import ssl
import sys
import time
import xml.etree.ElementTree

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../schema/json/alert.schema.json")


class Refused(Exception):
    """What came is not what was promised."""


def need(holds, why):
    if not holds:
        raise Refused(why)


class Receiver:
    def __init__(self, args):
        self.args = args
        self.schema = None
        if not args.trust:
            with open(SCHEMA, encoding="utf-8") as file:
                self.schema = json.load(file)

    def note(self, **what):
        with open(self.args.out, "a", encoding="utf-8") as file:
            file.write(json.dumps(what) + "\n")

    def answer(self):
        try:
            with open(self.args.answer, encoding="utf-8") as file:
                return file.read().strip()
        except (OSError, TypeError):
            return ""

    def check_alert(self, text):
        alert = json.loads(text)
        if self.schema:
            import jsonschema  # pylint: disable=import-outside-toplevel
            jsonschema.validate(alert, self.schema)
        return alert


def key_of(alert):
    update = alert.get("update", 0)
    return f'{alert["alert"]}:{alert.get("kind", "new")}{update if update else ""}'


# --- HTTP

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver = None

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass

    def reply(self, status, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):  # pylint: disable=invalid-name
        args, receiver = self.receiver.args, self.receiver
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        instead = receiver.answer()
        time.sleep(args.delay)
        if instead == "silent":
            time.sleep(30)
            return
        if instead == "close":
            self.close_connection = True
            return
        if args.user and not self.authorized():
            return
        if instead:
            receiver.note(answered=int(instead))
            self.reply(int(instead))
            return
        try:
            receiver.note(**(webhook if args.mode == "webhook" else hikvision)(receiver, self.headers, body))
            self.reply(200)
        except (Refused, ValueError, KeyError) as why:
            receiver.note(refused=f"{type(why).__name__}: {why}")
            self.reply(400)

    def authorized(self):
        args, given = self.receiver.args, self.headers.get("Authorization", "")
        if args.auth == "basic":
            wanted = "Basic " + base64.b64encode(f"{args.user}:{args.password}".encode()).decode()
            if given == wanted:
                return True
            self.reply(401, [("WWW-Authenticate", 'Basic realm="alarm host"')])
            return False
        # RFC 2617, MD5, qop=auth
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', given.removeprefix("Digest ")))
        md5 = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
        if given.startswith("Digest ") and fields.get("nonce") == "f00d" and fields.get("uri") == self.path and fields.get("username") == args.user:
            expected = md5(":".join([md5(f"{args.user}:alarm host:{args.password}"), "f00d", fields["nc"], fields["cnonce"], "auth",
                                     md5(f"POST:{self.path}")]))
            if hmac.compare_digest(expected, fields.get("response", "")):
                return True
        self.reply(401, [("WWW-Authenticate", 'Digest realm="alarm host", nonce="f00d", qop="auth", algorithm=MD5')])
        return False


def webhook(receiver, headers, body):
    need(headers.get("Content-Type") == "application/json", f"content type {headers.get('Content-Type')}")
    if receiver.args.secret:
        stamp = headers.get("X-Sightline-Timestamp", "")
        need(stamp.isdigit() and abs(time.time() - int(stamp)) < 300, f"timestamp {stamp!r}")
        wanted = "sha256=" + hmac.new(receiver.args.secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        need(hmac.compare_digest(wanted, headers.get("X-Sightline-Signature", "")), "signature")
    alert = receiver.check_alert(body)
    need(headers.get("Idempotency-Key") == key_of(alert), f"key {headers.get('Idempotency-Key')} of {key_of(alert)}")
    return {"key": key_of(alert), "alert": alert}


HEAD = ["ipAddress", "portNo", "protocol", "macAddress", "channelID", "dateTime", "activePostCount", "eventType", "eventState",
        "eventDescription"]


def hikvision(receiver, headers, body):
    jpeg = b""
    kind = headers.get("Content-Type", "")
    if kind.startswith("multipart/form-data"):
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        need(not message.defects, f"multipart: {message.defects}")
        parts = list(message.iter_parts())
        need(len(parts) == 2, f"{len(parts)} parts")
        need(parts[1].get_content_type() == "image/jpeg", parts[1].get_content_type())
        jpeg = parts[1].get_payload(decode=True)
        need(jpeg[:2] == b"\xff\xd8" and jpeg[-2:] == b"\xff\xd9", "the second part is no JPEG")
        kind, body = parts[0]["Content-Type"], parts[0].get_payload(decode=True)
    need(kind.startswith("application/xml"), f"content type {kind}")
    need(body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>'), "declaration")
    root = xml.etree.ElementTree.fromstring(body)
    space = "{" + receiver.args.space + "}"
    need(root.tag == space + "EventNotificationAlert", root.tag)
    need(root.get("version") == "2.0", "version")
    names = [child.tag.removeprefix(space) for child in root]
    text = {name: child.text or "" for name, child in zip(names, root)}
    for child in root.iter():
        need(child.tag.startswith(space), f"{child.tag} is not in the namespace")
    heartbeat = text["eventType"] == "videoloss"
    need(names == HEAD + ([] if heartbeat else ["DetectionRegionList"]), f"elements {names}")
    need(re.fullmatch(r"\d+\.\d+\.\d+\.\d+", text["ipAddress"]), text["ipAddress"])
    need(0 < int(text["portNo"]) < 65536 and text["protocol"] in ("HTTP", "HTTPS"), "portNo, protocol")
    need(re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", text["macAddress"]), text["macAddress"])
    need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", text["dateTime"]), text["dateTime"])
    need(text["eventState"] in ("active", "inactive"), text["eventState"])
    if heartbeat:
        need((text["eventState"], text["activePostCount"]) == ("inactive", "0"), "a heartbeat is inactive, with count 0")
        return {"heartbeat": True}
    need(text["eventType"] in ("fielddetection", "linedetection", "regionEntrance", "regionExiting"), text["eventType"])
    need(int(text["activePostCount"]) >= 1, "activePostCount")
    regions = root[-1]
    need(len(regions) == 1 and regions[0].tag == space + "DetectionRegionEntry", "DetectionRegionEntry")
    entry = {child.tag.removeprefix(space): child for child in regions[0]}
    need([n for n in entry if n != "detectionTarget"] == ["regionID", "sensitivityLevel", "TargetRect"] and
         list(entry)[-1] == "TargetRect", f"region {list(entry)}")
    if "detectionTarget" in entry:
        need(entry["detectionTarget"].text in ("human", "vehicle"), entry["detectionTarget"].text)
    need([c.tag.removeprefix(space) for c in entry["TargetRect"]] == ["X", "Y", "width", "height"], "TargetRect")
    rect = [(float if receiver.args.scale == 1 else int)(c.text) for c in entry["TargetRect"]]
    need(all(0 <= v <= receiver.args.scale for v in rect) and rect[0] + rect[2] <= receiver.args.scale * 1.001, f"rect {rect}")
    return {"key": headers["Idempotency-Key"], "event": text, "rect": rect, "jpeg": len(jpeg), "region": entry["regionID"].text,
            "target": entry["detectionTarget"].text if "detectionTarget" in entry else None}


# --- TCP

class Lines(socketserver.StreamRequestHandler):
    receiver = None

    def handle(self):
        for line in self.rfile:
            instead = self.receiver.answer()
            alert = self.receiver.check_alert(line)
            key = key_of(alert)
            if instead == "silent":
                continue
            if instead == "close":
                return
            if instead == "nack":
                self.receiver.note(answered="nack")
                self.wfile.write(f"nack {key} not now\n".encode())
                continue
            self.receiver.note(key=key, alert=alert)
            self.wfile.write(f"ack {key}\n".encode())


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 16


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["webhook", "hikvision", "tcp"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--out", required=True)
    for name in ("--answer", "--secret", "--user", "--password", "--cert", "--key"):
        parser.add_argument(name)
    parser.add_argument("--auth", default="digest")
    parser.add_argument("--space", default="http://www.isapi.org/ver20/XMLSchema")
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--delay", type=float, default=0, help="before each answer to a POST")
    parser.add_argument("--trust", action="store_true", help="alerts are not held against their schema: it takes 20 ms each")
    args = parser.parse_args()
    handler = Lines if args.mode == "tcp" else Handler
    handler.receiver = Receiver(args)
    with Server(("127.0.0.1", args.port), handler) as server:
        if args.cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(args.cert, args.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        print("listening", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
