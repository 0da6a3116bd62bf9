"""Verifies an export of the ledger: python3 verify.py EXPORT [KEY.pem ...] [--heads FILE] [--from SEQ] [--to SEQ]

Exit codes, as of `portcullis audit verify --file`: 0 nothing is wrong and signatures vouch for it; 2 usage; 7 damaged; 8 nothing
is wrong, and no signature vouches for it. The standard library alone, signatures (Ed25519, RFC 8032) included."""

import argparse, base64, datetime, hashlib, json, re, sys

MAX_LINE, MAX_INTEGER, MAX_DEPTH, REMEMBERED = 8 << 20, (1 << 53) - 1, 127, 1 << 20
sha = lambda data: hashlib.sha256(data).hexdigest()


class Damaged(Exception):
    pass


def must(holds, what):
    if not holds:
        raise Damaged(what)


# Ed25519.

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, I = -121665 * pow(121666, P - 2, P) % P, pow(2, (P - 1) // 4, P)


def root(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    x = x if x * x % P == x2 else x * I % P
    if x * x % P != x2 or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x = root(y, sign) if y < P else None
    return None if x is None else (x, y, 1, x * y % P)


def add(a, b):
    s, t, u, v = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0]), 2 * D * a[3] * b[3], 2 * a[2] * b[2]
    e, f, g, h = (t - s) % P, (v - u) % P, (v + u) % P, (t + s) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, p):
    q = (0, 1, 1, 0)
    while n:
        q, p, n = add(q, p) if n & 1 else q, add(p, p), n >> 1
    return q


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed_by(key, message, signature):
    a, s = point(key), int.from_bytes(signature[32:], "little")
    if a is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    x, y, z, _ = add(times(s, BASE), times(h, (P - a[0], a[1], 1, P - a[3])))
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def keys_of(path):
    found = re.findall(r"-----BEGIN PUBLIC KEY-----\s*([A-Za-z0-9+/=\s]+?)-----END PUBLIC KEY-----", open(path).read())
    ders = [base64.b64decode(text) for text in found]
    if not ders or any(len(der) != 44 or der[:12].hex() != "302a300506032b6570032100" for der in ders):
        raise OSError(f"{path} is no Ed25519 public key in PEM")
    return {sha(der[12:])[:16]: der[12:] for der in ders}


# JSON in the one form in which it is written (RFC 8785), with integers below 2^53 alone.

def refuse(text):
    raise Damaged(f"the number {text[:40]}: only integers below 2^53, written as such, stand in a record")


def integer(text):
    must(len(text) <= 17 and abs(int(text)) <= MAX_INTEGER, "a number of 2^53 or more")
    return int(text)


def written(value, depth=0):
    must(depth <= MAX_DEPTH, "it nests too deeply")
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(json.dumps(n, ensure_ascii=False) + ":" + written(value[n], depth + 1) for n in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(item, depth + 1) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def read(line, what):
    try:
        value = json.loads(line.decode("utf-8"), parse_float=refuse, parse_constant=refuse, parse_int=integer)
        # A name that stands there twice, another order, white space, needless escapes: all of it differs here.
        canonical = written(value).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{what} cannot be read: {error}")
    must(isinstance(value, dict) and canonical == line, f"{what} is not written in the one form that there is (RFC 8785)")
    return value


def number(value, most=MAX_INTEGER):
    return type(value) is int and 0 <= value <= most


def digest(value):
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def is_time(value):
    shape = r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{0,8}[1-9])?Z"
    found = re.fullmatch(shape, value, re.ASCII) if isinstance(value, str) else None
    try:
        return bool(found and datetime.datetime(*(int(part) for part in found.groups()[:6])))
    except ValueError:
        return False


def instant(time):
    return time.rstrip("Z")


def is_object(value, needed, optional=()):
    return isinstance(value, dict) and set(needed) <= set(value) <= set(needed) | set(optional)


def signature_of(value):
    try:
        data = base64.b64decode(value, validate=True)
    except (ValueError, TypeError):
        data = b""
    must(isinstance(value, str) and len(data) == 64 and base64.b64encode(data).decode() == value, "no signature of 64 bytes")
    return data


class Heads:
    """Signed heads of one place, in their order."""

    def __init__(self, place, keys, gaps):
        self.place, self.keys, self.gaps, self.before, self.hashes, self.marks = place, keys, gaps, None, {}, []

    def line(self, line):
        value = read(line, "a signed head")
        must(is_object(value, ["head", "signature"]), "unknown members in a signed head")
        head, signature = value["head"], signature_of(value["signature"])
        must(isinstance(head, dict) and number(head.get("v"), 255), "a signed head without a version")
        must(head["v"] <= HEAD_VERSION, f"a signed head of version {head['v']}; use a newer verify.py")
        must(is_object(head, ["heads", "key", "prev", "seq", "time", "v"], HEAD_MORE), "unknown members in a signed head")
        seq, key, chains = head["seq"], head["key"], head["heads"]
        right = number(seq) and digest(head["prev"]) and is_time(head["time"]) and isinstance(key, str)
        must(right and isinstance(chains, dict), "a signed head that is none")
        for at in chains.values():
            must(is_object(at, ["hash", "seq"]) and digest(at["hash"]) and number(at["seq"]), "a signed head that is none")
        if self.keys:
            must(key in self.keys, f"signed head {seq} is signed by {key!a}, which is none of the keys given")
            body = line[len(b'{"head":') : line.rindex(b',"signature":')]
            must(signed_by(self.keys[key], body, signature), f"the signature of head {seq} is wrong")
        before = self.before
        if before:
            must(seq == before[0] + 1 or (self.gaps and seq > before[0]), f"signed head {seq} is out of order")
            must(seq != before[0] + 1 or head["prev"] == before[1], f"signed head {seq} does not follow from the one before")
            must(head["time"] and instant(head["time"]) >= before[2], f"signed head {seq}: time goes back")
        elif seq == 1:
            must(head["prev"] == sha(b"portcullis heads 1"), "signed head 1 does not begin the chain of heads")
        self.before, self.hashes[seq] = (seq, sha(line), instant(head["time"])), sha(line)
        self.marks += [(name, at["seq"], at["hash"], seq) for name, at in chains.items()]
        return chains


HEAD_VERSION, HEAD_MORE = 1, ()


class Export:
    """One export: a header, records, signed heads, an end."""

    def __init__(self, line, keys):
        must(line.startswith(b'{"export":'), "an export begins with a line `{\"export\":…}`; this is none")
        value = read(line, "the header")
        header = value["export"]
        must(is_object(value, ["export"]) and is_object(header, ["from", "time", "to", "v", "workspace"], ["prev"]),
             "unknown or missing members in the header")
        must(number(header["v"], 255) and header["v"] <= 2, f"an export of version {header['v']!a}; use a newer verify.py")
        must(number(header["from"]) and number(header["to"]) and 0 < header["from"] <= header["to"], "no range of records")
        must(is_time(header["time"]) and isinstance(header["workspace"], str), "a header that is none")
        must(("prev" not in header) == (header["from"] == 1), "the header must say what is before the first record")
        must("prev" not in header or digest(header["prev"]), "the header's `prev` is no hash")
        self.header, self.keys, self.heads = header, keys, Heads("the export", keys, True)
        self.prev = header.get("prev") or sha(b"portcullis ledger 1\n" + header["workspace"].encode())
        self.hashes, self.sum, self.time, self.newest = {}, hashlib.sha256(line + b"\n"), "", None

    def record(self, line):
        record, seq, workspace = read(line, "the record"), self.header["from"] + len(self.hashes), self.header["workspace"]
        right = digest(record.get("prev")) and number(record.get("seq")) and is_time(record.get("time"))
        must(right and number(record.get("v")) and isinstance(record.get("workspace"), str), "it is no record")
        must(record["v"] <= 1, f"a record of version {record['v']}; use a newer verify.py")
        must(record["workspace"] == workspace, f"record {seq} is of another workspace")
        must(record["seq"] == seq, f"record {record['seq']} stands where {seq} should")
        must(record["prev"] == self.prev, f"record {seq} does not follow from what is before it")
        must(instant(record["time"]) >= self.time, f"record {seq}: time goes back")
        self.prev = self.hashes[seq] = sha(line)
        self.time = instant(record["time"])

    def end(self, line):
        value = read(line, "the last line")
        end = value["end"]
        signed = "signature" in value
        must(is_object(value, ["end"], ["signature"]), "unknown members in the last line")
        must(is_object(end, ["records", "sha256"] + (["head", "key"] if signed else [])), "unknown or missing members")
        must(number(end["records"]) and digest(end["sha256"]), "a last line that is none")
        must(not signed or self.header["v"] == 2, "it is signed, in a form in which it cannot be")
        must(end["records"] == len(self.hashes), "the number of records is another than the last line says")
        must(end["sha256"] == self.sum.hexdigest(), "the file was changed: its SHA-256 is another than the last line says")
        must(len(self.hashes) == self.header["to"] - self.header["from"] + 1, "records are missing, or too many")
        if signed:
            signature, key = signature_of(value["signature"]), end["key"]
            must(isinstance(key, str) and number(end["head"]), "a last line that is none")
            if self.keys:
                must(key in self.keys, f"the export is signed by {key!a}, which is none of the keys given")
                message = b"portcullis export 2\n" + written(end).encode()
                must(signed_by(self.keys[key], message, signature), "the export's signature is wrong")
                self.newest = end["head"]

    def line(self, line):
        if line.startswith(b'{"end":'):
            self.end(line)
            return True
        if line.startswith(b'{"head":'):
            must(self.header["workspace"] in self.heads.line(line), "a signed head of other workspaces")
        elif line.startswith(b'{"export":'):
            raise Damaged("another export begins here, before the end of the one that it stands in")
        else:
            self.record(line)
        self.sum.update(line + b"\n")
        return False

    def signed(self, outside):
        """The last record that a signature vouches for."""
        first, last, name = self.header["from"], self.header["to"], self.header["workspace"]
        signed = 0
        for place in [self.heads] + outside:
            for of, seq, digest, head in place.marks:
                if of != name:
                    continue
                if place is self.heads:
                    must(first <= seq <= last, f"signed head {head} names record {seq}, which is not in its export")
                elif not first <= seq <= last:
                    continue
                # The other verifier remembers no more hashes than these, and leaves to newer heads what is older.
                if place is self.heads and last - seq >= REMEMBERED:
                    continue
                must(self.hashes[seq] == digest, f"record {seq} is not the one that head {head} signed")
                if self.keys:
                    signed = max(signed, seq)
        for place in outside:
            for seq, found in self.heads.hashes.items():
                must(place.hashes.get(seq, found) == found, f"signed head {seq} is another one in {place.place}")
        return last if self.newest is not None else signed


def holds_all(exports, outside, first, last):
    """Whether there is all that signed heads elsewhere name, or the part that was asked for."""
    pieces = {}
    for export in exports:
        header, of = export.header, pieces.setdefault(export.header["workspace"], [])
        if of and header["from"] == of[-1][1] + 1 and header.get("prev") == of[-1][2]:
            of[-1] = (of[-1][0], header["to"], export.prev, export.newest)
        else:
            of.append((header["from"], header["to"], export.prev, export.newest))
    for workspace, of in pieces.items():
        marks = [(seq, head) for place in outside for name, seq, _, head in place.marks if name == workspace]
        begins = first or (1 if marks else None)

        def holds(piece):
            most = max((seq for seq, head in marks if piece[3] is None or head <= piece[3]), default=0)
            return (begins is None or piece[0] <= begins) and piece[1] >= (last if last is not None else most)

        must(any(map(holds, of)), f"`{workspace}` ends at record {of[-1][1]}, and more was to be there: it was shortened, or "
             "made earlier, or of a part (--from and --to verify it as one)")


def usage(what):
    print(f"verify.py: {what}", file=sys.stderr)
    return 2


def lines_of(path):
    with open(path, "rb") as file:
        while line := file.readline(MAX_LINE):
            yield line


def main(arguments):
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    options.add_argument("export")
    options.add_argument("keys", nargs="*", metavar="KEY.pem")
    options.add_argument("--heads", metavar="FILE")
    options.add_argument("--from", type=int, metavar="SEQ", dest="first")
    options.add_argument("--to", type=int, metavar="SEQ", dest="last")
    given = options.parse_args(arguments)
    line, keys, outside = 0, {}, []
    try:
        for path in given.keys:
            keys.update(keys_of(path))
        if given.heads:
            place = Heads(given.heads, keys, False)
            whole = [text[:-1] for text in lines_of(given.heads) if text.endswith(b"\n")]
            if not whole:
                return usage(f"{given.heads} has no signed heads")
            outside.append(place)
            for text in whole:
                place.line(text)
        exports, export = [], None
        for line, text in enumerate(lines_of(given.export), 1):
            if export is None:
                export = Export(text.rstrip(b"\n"), keys)
                must(text.endswith(b"\n"), "the header is cut short")
            else:
                must(text.endswith(b"\n"), "it has no end: the file was cut off")
                if export.line(text[:-1]):
                    exports.append(export)
                    export = None
        line += 1
        must(line > 1, "the file is empty")
        must(export is None, "the file ends here, without its last line: it was cut off")
        ends = [(export, export.signed(outside)) for export in exports]
        holds_all(exports, outside, given.first, given.last)
    except Damaged as damaged:
        print(f"DAMAGED: line {line}: {damaged}")
        return 7
    except OSError as error:
        return usage(error)
    for export, signed in ends:
        print(f"{len(export.hashes)} records of `{export.header['workspace']}` hold; signed up to {signed or 'none'}")
    if all(signed for _, signed in ends):
        return 0
    print("No signature vouches for it: whoever could write it could have made all of it." if keys
          else "No signature was checked: give the public key.")
    return 8


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
