"""Cookies and records of format 1, made from their description alone.

    python3 session-core/tests/it/known/known.py

writes the `.cookie` and `.record` files beside this script. It shares no code with the crate:
HMAC, SHA-2 and base64 are Python's, ChaCha20 and Poly1305 are written out from RFC 8439,
HChaCha20 from draft-irtf-cfrg-xchacha-03, HKDF from RFC 5869. The files are never made anew: a
release that does not read them has lost its users' sessions.
"""

import base64
import hashlib
import hmac
import pathlib
import struct

SECRET = bytes(range(32))
SID = bytes.fromhex("6f1d3c5ab0e94d279c81f2a4b6d8e013")
TOKEN = bytes(range(0xA0, 0xB0))
NONCE = bytes(range(0x40, 0x58))
EPOCH = bytes(range(0xC0, 0xC8))
SALT = bytes(range(0x80, 0xA0))
REALM, NAME = b"known", b"__Host-sid"


def hkdf(secret, info, length=32):
    key = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(key, info + b"\x01", "sha256")[:length]


def derived(purpose, algorithm, length=32):
    return hkdf(SECRET, f"session-core v1 {purpose} hmac-{algorithm}".encode(), length)


def joined(*parts):
    return b"".join(struct.pack(">Q", len(part)) + part for part in parts)


def cookie(algorithm, token):
    named = joined(b"session-core v1", REALM, NAME)
    key = hmac.digest(derived("cookie", algorithm), named, algorithm)
    digest = hmac.digest(key, SID + token, algorithm)
    text = SID.hex()
    sid = "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])
    return sid + "!" + base64.urlsafe_b64encode(token + digest).decode().rstrip("=")


def verifier(token):
    return hashlib.sha256(b"session-core v1 token" + SID + token).digest()


def successor(token):
    return hmac.digest(SALT, b"session-core v1 successor" + SID + token, "sha256")[:16]


def rounds(state):
    def quarter(a, b, c, d):
        for x, y, z, by in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]:
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            mixed = state[z] ^ state[x]
            state[z] = (mixed << by | mixed >> 32 - by) & 0xFFFFFFFF

    for _ in range(10):
        for at in range(4):
            quarter(at, at + 4, at + 8, at + 12)
        for at in range(4):
            quarter(at, 4 + (at + 1) % 4, 8 + (at + 2) % 4, 12 + (at + 3) % 4)
    return state


def initial(key, rest):
    return list(struct.unpack("<16I", b"expand 32-byte k" + key + rest))


def block(key, counter, nonce):
    start = initial(key, struct.pack("<I", counter) + nonce)
    mixed = rounds(start[:])
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(start, mixed)))


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    sum = 0
    for at in range(0, len(message), 16):
        sum = (sum + int.from_bytes(message[at : at + 16] + b"\x01", "little")) * r % (2**130 - 5)
    return ((sum + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def seal(key, nonce, header, body):
    mixed = rounds(initial(key, nonce[:16]))
    key, nonce = struct.pack("<8I", *mixed[:4], *mixed[12:]), bytes(4) + nonce[16:]
    blocks = (block(key, 1 + at, nonce) for at in range(-(-len(body) // 64)))
    text = bytes(a ^ b for a, b in zip(body, b"".join(blocks)))
    padded = b"".join(part + bytes(-len(part) % 16) for part in [header, text])
    lengths = struct.pack("<QQ", len(header), len(text))
    return text + poly1305(block(key, 0, nonce)[:32], padded + lengths)


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def string(text):
    return varint(len(text)) + text


def record(algorithm, token, rotated_from=None):
    created, bound, token_at = 1735689600000, 1735689660000, 1735689660000
    deadline, expires_at = bound + 31 * 86400_000, bound + 20 * 86400_000
    values = [(b"cart", b"\x92\xa6apples\xa5pears"), (b"theme", b"\xa4dark"), (b"visits", b"\x03")]
    rotation = b"\x00"
    if rotated_from:
        rotation = b"\x01" + verifier(rotated_from) + SALT + b"\x00"
    body = b"".join(
        [
            varint(created),
            b"\x01",  # permanent
            b"\x01" + string(b"user 17"),
            b"\x01" + varint(bound),
            b"\x01" + string(b"Firefox on Linux"),
            verifier(token),
            varint(token_at),
            EPOCH,
            b"\x00",  # no token kept from before a login
            b"\x00",  # no end of its own
            rotation,
            varint(len(values)),
            *(string(key) + string(value) for key, value in values),
        ]
    )
    key_id = derived("key id", algorithm, 8)
    principal = joined(REALM, NAME, b"user 17")
    tag = hmac.digest(derived("principal", algorithm), principal, "sha256")[:16]
    header = struct.pack("<4sHH8s16sQQ16s", b"SSNR", 1, 0, key_id, SID, 7, deadline, tag)
    sealed = NONCE + seal(derived("record", algorithm), NONCE, header, body)
    return header + struct.pack("<Q", expires_at) + sealed


def main():
    here = pathlib.Path(__file__).parent
    for algorithm in ["sha1", "sha256"]:
        (here / f"{algorithm}.cookie").write_text(cookie(algorithm, TOKEN))
        (here / f"{algorithm}.record").write_bytes(record(algorithm, TOKEN))
    (here / "rotated.cookie").write_text(cookie("sha256", successor(TOKEN)))
    (here / "rotated.record").write_bytes(record("sha256", successor(TOKEN), rotated_from=TOKEN))


main()
