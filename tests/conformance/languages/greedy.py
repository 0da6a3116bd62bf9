"""A hostile adapter in Python: it takes what it can, catches every error on the way, and says how far it got."""

import json
import os
import random
import socket
import sys
import time
import uuid
from urllib.parse import urlsplit

from wit_world import exports
from wit_world.imports.descriptor import Descriptor, Effect, Operation


def loop(_):
    """For ever, whatever is thrown at it."""
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def grow(_):
    """Until there is no more memory, and then on."""
    kept = []
    while True:
        try:
            kept.append(b"\x01" * (1 << 20))
        except BaseException:
            pass


def write(path):
    with open(path, "w") as file:
        return file.write("here")


def connect(address):
    with socket.create_connection(address) as connection:
        return connection.send(b"GET / HTTP/1.0\r\n\r\n")


def udp(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"here", address)


def reach(given):
    """One way that could lead out. Answers with what it came to."""
    url = urlsplit(given["url"])
    address = (url.hostname, url.port)
    ways = {
        "read": lambda: open("/etc/passwd").read(),
        "write": lambda: write("/tmp/here"),
        "list": lambda: os.listdir("/"),
        "folder": lambda: os.mkdir("here"),
        "descriptor": lambda: os.read(3, 10),
        "environment": lambda: 1 / len(os.environ),
        "arguments": lambda: 1 / len("".join(sys.argv)),
        "process": lambda: os.fork(),
        "connect": lambda: connect(address),
        "resolve": lambda: socket.getaddrinfo("localhost", 80),
        "udp": lambda: udp(address),
        "listen": lambda: socket.create_server(("127.0.0.1", 0)),
    }
    try:
        return f"reached {ways[given['way']]()!r}"
    except BaseException:
        return "refused"


def dice(_):
    """What must differ from call to call."""
    return [str(uuid.uuid4()), random.random(), time.time()]


RUN = {"loop": loop, "grow": grow, "reach": reach, "dice": dice}


class Operations(exports.Operations):
    def config_schema(self):
        return "{}"

    def describe(self, config):
        # Dice are thrown here as well: a descriptor that varies could not be reviewed.
        return Descriptor(
            name="greedy",
            version="0.1.0",
            description=f"Takes what it can. {dice(None)}",
            slots=[],
            routes=[],
            operations=[Operation(name, "Takes.", Effect.READ, "{}", "{}", []) for name in RUN],
        )

    def invoke(self, call):
        return json.dumps(RUN[call.operation](json.loads(call.input)))
