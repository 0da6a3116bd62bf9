"""A second implementation of the signatures that the host makes: botocore's for AWS, Python's hmac for canonical strings.

Reads JSON lines, each a request as it would be sent:

    {"name": "...", "scheme": "sigv4", "method": "PUT", "url": "https://...", "headers": [["name", "value"], ...],
     "body": base64 or null, "keys": {"id": "...", "secret": "...", "session_token": null},
     "service": "s3", "region": "eu-central-1"}

    {"name": "...", "scheme": "hmac", ... as above, "keys": {"id": null, "secret": "..."}, "algorithm": "hmac-sha256",
     "encoding": "hex", "message": the template, "header": "X-Signature", "template": "v1={signature}",
     "facts": {"timestamp": ..., "timestamp-ms": ..., "date": ..., "nonce": ...}}

Prints a JSON line for each: {"name": ..., "verified": true} or {"name": ..., "verified": false, "why": ...}. With a file as
its argument it reads an array of them from there, and prints an array. Nothing is fetched, and no key is printed. Needs
botocore for sigv4.
"""

import base64
import hashlib
import hmac
import json
import re
import sys
from datetime import datetime, timezone
from urllib.parse import parse_qsl, urlsplit, urlunsplit


class Refused(Exception):
    """What is not right with a signature."""


def fields(request):
    """The header fields: lower-case name to its values."""
    found = {}
    for name, value in request["headers"]:
        found.setdefault(name.lower(), []).append(value)
    return found


def body(request):
    return base64.b64decode(request["body"]) if request.get("body") else b""


def host(url):
    """As the Host field has it: without the port that is the scheme's own."""
    parts = urlsplit(url)
    own = {"https": ":443", "http": ":80"}[parts.scheme]
    return parts.netloc.removesuffix(own)


def sigv4(request):
    """Signs the same request anew with botocore, at the time that it names, over the fields that it names."""
    from botocore import auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    sent = fields(request)
    written = sent.get("authorization", [""])[0]
    shape = r"AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})"
    parts = re.fullmatch(shape, written)
    if not parts:
        raise Refused("Authorization is not one of version 4")
    scope, signed, signature = parts.groups()
    signed = signed.split(";")
    for name in sent:
        if (name in ("content-type", "host") or name.startswith("x-amz-")) and name not in signed:
            raise Refused(f"{name} is not signed")
    if "host" not in signed:
        raise Refused("host is not signed")
    time = datetime.strptime(sent["x-amz-date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    keys = request["keys"]
    expected_scope = f"{keys['id']}/{time:%Y%m%d}/{request['region']}/{request['service']}/aws4_request"
    if scope != expected_scope:
        raise Refused(f"the scope is {scope}, not {expected_scope}")
    s3 = request["service"] in ("s3", "s3express", "s3-object-lambda", "s3-outposts")
    if (s3 or request["service"] == "aoss") != ("x-amz-content-sha256" in sent):
        raise Refused("x-amz-content-sha256 stands where it should not, or is missing")
    if "x-amz-content-sha256" in sent and sent["x-amz-content-sha256"][0] != hashlib.sha256(body(request)).hexdigest():
        raise Refused("x-amz-content-sha256 is not the hash of the body")
    if keys.get("session_token") and sent.get("x-amz-security-token") != [keys["session_token"]]:
        raise Refused("x-amz-security-token is not the session token")

    # Decoded, so that botocore escapes it by itself: what a URL may hold as it is, a canonical query may not.
    parts = urlsplit(request["url"])
    query = parse_qsl(parts.query, keep_blank_values=True)
    again = AWSRequest(
        method=request["method"], url=urlunsplit(parts._replace(query="")), params=query, data=body(request)
    )
    for name in signed:
        for value in sent.get(name, []):
            again.headers.add_header(name, value)
    again.context["timestamp"] = sent["x-amz-date"][0]
    signer = (auth.S3SigV4Auth if s3 else auth.SigV4Auth)(
        Credentials(keys["id"], keys["secret"], keys.get("session_token")), request["service"], request["region"]
    )
    canonical = signer.canonical_request(again)
    if canonical.splitlines()[-2] != ";".join(signed):
        raise Refused(f"botocore would sign {canonical.splitlines()[-2]}")
    expected = signer.signature(signer.string_to_sign(again, canonical), again)
    if not hmac.compare_digest(expected, signature):
        raise Refused(f"the signature differs; botocore's canonical request has the SHA-256 "
                      f"{hashlib.sha256(canonical.encode()).hexdigest()}")


def canonical_string(request):
    """The bytes that the template stands for."""
    url = request["url"]
    parts = urlsplit(url)
    sent = fields(request)
    path = parts.path
    values = {
        "method": request["method"],
        "host": host(url),
        "path": path,
        "query": parts.query,
        "target": path + (f"?{parts.query}" if "?" in url else ""),
        "url": url,
        "body-sha256": hashlib.sha256(body(request)).hexdigest(),
        "key-id": request["keys"].get("id") or "",
        **{name: str(value) for name, value in request.get("facts", {}).items()},
    }
    made = b""
    for piece in re.split(r"(\{[^{}]*\})", request["message"]):
        name = piece[1:-1]
        if not piece.startswith("{"):
            made += piece.replace("\\n", "\n").encode()
        elif name == "body":
            made += body(request)
        elif name.startswith("header:"):
            own = name[len("header:"):].lower()
            default = [values["host"]] if own == "host" else []
            made += ", ".join(sent.get(own, default)).encode()
        else:
            made += values[name].encode()
    return made


def keyed_hash(request):
    """Computes the keyed hash anew, and compares the whole field that carries it."""
    algorithm = {"hmac-sha1": "sha1", "hmac-sha256": "sha256", "hmac-sha512": "sha512"}[request["algorithm"]]
    mac = hmac.new(request["keys"]["secret"].encode(), canonical_string(request), algorithm).digest()
    written = {
        "hex": mac.hex(),
        "base64": base64.b64encode(mac).decode(),
        "base64-url": base64.urlsafe_b64encode(mac).decode().rstrip("="),
    }[request["encoding"]]
    values = {"signature": written, "key-id": request["keys"].get("id") or "", **request.get("facts", {})}
    expected = re.sub(r"\{([^{}]*)\}", lambda found: str(values[found.group(1)]), request["template"])
    if fields(request).get(request["header"].lower()) != [expected]:
        raise Refused(f"{request['header']} is another")


def judged(request):
    """What there is to say of one request."""
    answer = {"name": request.get("name")}
    try:
        {"sigv4": sigv4, "hmac": keyed_hash}[request["scheme"]](request)
        answer["verified"] = True
    except Refused as refused:
        answer.update(verified=False, why=str(refused))
    except (KeyError, IndexError, ValueError) as error:
        # Not the error's own words: they may hold a value.
        answer.update(verified=False, why=f"the line lacks something, or it is not what it should be: {type(error).__name__}")
    return answer


def main():
    if len(sys.argv) > 1:
        with open(sys.argv[1], encoding="utf-8") as given:
            print(json.dumps([judged(request) for request in json.load(given)]))
        return
    for line in sys.stdin:
        if line.strip():
            print(json.dumps(judged(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
