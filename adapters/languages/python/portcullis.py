"""What an adapter in Python needs beside the contract: send a request, read its answer, fail with a code.

It says what the Rust SDK says, so that callers see the same whatever an adapter was written in. Copy it beside your adapter.
"""

import json
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from componentize_py_types import Err
from wit_world.exports import operations
from wit_world.imports import credentials, http, types


# The contract's JSON is at most this deep.
MAX_DEPTH = 128
# What of JSON opens or closes a level, and texts, in which it does neither.
LEVELS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')


def failed(code, message, retryable=False, retry_after_ms=None, details=None):
    """The contract's `error`, to be raised."""
    details = None if details is None else dump(details)
    return Err(operations.Error_Failed(operations.Failure(code, message, retryable, retry_after_ms, details)))


def dump(value):
    """JSON as the twins write it: no spaces, and text as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def exchange(method, url, slots=(), key=None, body=None, repeat=False):
    """Sends one request and returns its answer, whatever its status. `repeat` says whether it may be sent twice."""
    headers = [header("accept", "application/json")]
    if body is not None:
        headers.append(header("content-type", "application/json"))
        body = dump(body).encode()
    if key is not None:
        headers.append(header(*key))
    request = http.Request(types.Method[method], url, headers, body)
    try:
        answer = http.send(request, [credentials.open(slot) for slot in slots])
    except Err as error:
        raise unsent(error.value, repeat) from None
    return Answer(answer.status, answer.headers, answer.body)


@dataclass
class Answer:
    status: int
    headers: list
    body: bytes

    @property
    def success(self):
        return 200 <= self.status < 300

    def header(self, name):
        found = (header.value for header in self.headers if header.name.lower() == name)
        return next(found, b"").decode(errors="replace")

    @property
    def retry_after_ms(self):
        """`Retry-After` in seconds, or as a date beside the answer's own; at most a day."""
        text = self.header("retry-after").strip()
        try:
            if text.isascii() and text.isdigit():
                seconds = int(text)
            else:
                dates = (parsedate_to_datetime(text), parsedate_to_datetime(self.header("date")))
                seconds = max(int((dates[0] - dates[1]).total_seconds()), 0)
        except (ValueError, TypeError):
            return None
        return min(seconds, 86_400) * 1_000

    def read(self, shape):
        """The body, read by `shape`, which raises `Mismatch` where it is not what was declared."""
        try:
            return shape(parse(self.body.decode()) if self.body else None)
        except Mismatch as mismatch:
            why = f": {mismatch}"
        except ValueError:
            # What is not UTF-8 is not JSON either.
            why = ""
        message = f"the answer ({self.status}) is not what the route's response type describes{why}"
        raise failed("http.unexpected-body", message)


class Mismatch(Exception):
    """A value is not of the shape that was declared."""


def expect(right, value, what):
    if not right:
        raise Mismatch(f"expected {what}")
    return value


def parse(text):
    """JSON, and nothing else that Python reads."""
    if text.count("[") + text.count("{") > MAX_DEPTH:
        # The parser calls itself for each level, and would run out of stack, which nothing catches.
        depth = 0
        for found in LEVELS.finditer(text):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
            if depth > MAX_DEPTH:
                raise ValueError("too deep")
    return json.loads(text, parse_constant=no_number)


def no_number(name):
    """Python reads NaN and Infinity; JSON has neither."""
    raise ValueError(name)


# Shapes: each returns the value it was given, or says what it expected instead.


def boolean(value):
    return expect(isinstance(value, bool), value, "a boolean")


def text(value):
    # A lone surrogate is no character: it cannot be written again.
    right = isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)
    return expect(right, value, "text")


def unsigned(value):
    # In Python a boolean is a number too.
    right = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFFFF_FFFF
    return expect(right, value, "an id")


def optional(shape):
    return lambda value: None if value is None else shape(value)


def array(shape):
    return lambda value: [shape(item) for item in expect(isinstance(value, list), value, "a list")]


def record(**fields):
    def read(value):
        expect(isinstance(value, dict), value, "an object")
        return {name: shape(value.get(name)) for name, shape in fields.items()}

    return read


def unsent(error, repeat):
    """What the host said instead of a response."""
    said = getattr(error, "value", None)
    match error:
        case http.Error_Denied():
            return failed("host.denied", said.message, details={"rule": said.rule, "allowWith": said.allow_with})
        case http.Error_Bound():
            message = f"the limit `{said.name}` of {said.limit} was reached"
            return failed("host.bound", message, details={"bound": said.name, "limit": said.limit})
        case http.Error_Unavailable():
            details = {"origin": said.origin, "reason": kebab(said.reason), "retryAfterMs": said.retry_after_ms}
            return failed("host.unavailable", f"{said.origin} is not asked now", True, said.retry_after_ms, details)
        case http.Error_Timeout():
            phase = kebab(said.phase)
            details = {"phase": phase, "limitMs": said.limit_ms}
            message = f"no answer within {said.limit_ms} ms ({phase})"
            return failed("host.timeout", message, repeat or phase in ("dns", "connect"), details=details)
        case http.Error_Dns() | http.Error_Connect():
            return fault(error, said, True)
        case http.Error_Tls():
            return fault(error, said, False)
        case http.Error_Protocol():
            return fault(error, said, repeat)
    # A credential that cannot be used, when it was opened or when it was to be sent.
    reason = said if isinstance(error, http.Error_Credential) else error
    name = type(reason).__name__.removeprefix("CredentialError_")
    kind = "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")
    return failed("host.credential", f"the credential cannot be used: {reason.value}", details={"reason": kind})


def fault(error, said, retryable):
    kind = type(error).__name__.removeprefix("Error_").lower()
    return failed(f"host.{kind}", said.message, retryable, details={"origin": said.origin})


def kebab(case):
    return case.name.lower().replace("_", "-")


def header(name, value):
    return http.Header(name, value.encode())
