"""Verifies an export of the ledger: python3 verify.py EXPORT [PUBLIC_KEY.pem]. The chain needs the standard library alone."""

import base64, hashlib, json, sys

sha = lambda data: hashlib.sha256(data).hexdigest()
key = None
if len(sys.argv) > 2:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    key = load_pem_public_key(open(sys.argv[2], "rb").read())

lines = open(sys.argv[1], "rb").read().split(b"\n")
assert lines.pop() == b"", "the last line has no end: the file was cut off"
header, end = json.loads(lines[0])["export"], json.loads(lines[-1])["end"]
hashes, heads, time = {}, [], ""
prev = header.get("prev") or sha(b"portcullis ledger 1\n" + header["workspace"].encode())
for number, line in enumerate(lines[1:-1], 2):
    if line.startswith(b'{"head":'):
        heads.append(line)
        continue
    record, seq = json.loads(line), header["from"] + len(hashes)
    assert record["workspace"] == header["workspace"], f"line {number}: of another workspace"
    assert record["seq"] == seq, f"line {number}: record {record['seq']} stands where {seq} should"
    assert record["prev"] == prev, f"line {number}: record {seq} does not follow from record {seq - 1}"
    assert record["time"].rstrip("Z") >= time, f"line {number}: time goes back"
    prev = hashes[seq] = sha(line)
    time = record["time"].rstrip("Z")
assert end["records"] == len(hashes) == header["to"] - header["from"] + 1, "records are missing at the end"
assert end["sha256"] == sha(b"".join(line + b"\n" for line in lines[:-1])), "the file was changed"

signed = 0
for line in heads:
    head = json.loads(line)
    if key:
        body = line[len(b'{"head":') : line.rindex(b',"signature":')]
        key.verify(base64.b64decode(head["signature"]), body)  # InvalidSignature, if it is not the key's
    at = head["head"]["heads"].get(header["workspace"], {"seq": 0})
    if at["seq"] in hashes:
        assert at["hash"] == hashes[at["seq"]], f"record {at['seq']} is not the one that was signed"
        signed = max(signed, at["seq"])
print(f"{len(hashes)} records hold; signed up to {signed or 'none'}" + ("" if key else ", signatures not checked"))
