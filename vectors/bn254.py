"""Writes bn254.json with py_ecc, an implementation that shares no code with Hum's: `python bn254.py > bn254.json`.

Needs py_ecc and pycryptodome. The byte layouts are those of docs/protocol.md.
"""

import json

from Crypto.Hash import keccak
from py_ecc.bn128 import G1, G2, add, curve_order, field_modulus, multiply

P = field_modulus


def H(data):
    return keccak.new(digest_bits=256, data=data).digest()


def word(n, size=32):
    return int(n).to_bytes(size, "big")


def g1(point):
    return word(point[0]) + word(point[1])


def g2(point):
    (x0, x1), (y0, y1) = point[0].coeffs, point[1].coeffs
    return word(x1) + word(x0) + word(y1) + word(y0)


def hash_to_g1(digest):
    x, step = int.from_bytes(digest, "big") % P, 0
    while True:
        square = (x**3 + 3) % P
        y = pow(square, (P + 1) // 4, P)
        if y * y % P == square:
            root = pow(y, (P + 1) // 4, P)
            assert root * root % P == y
            return x, y, step, root
        x, step = (x + 1) % P, step + 1


def point(x, y):
    field = type(G1[0])
    return (field(x), field(y))


def text(data):
    return "0x" + data.hex()


l1_chain_id, service_manager, operator_set = 31337, bytes([0xA5] * 20), 7
domain = H(b"hum/domain/1" + word(l1_chain_id, 8) + service_manager + word(operator_set, 4))


def digest(kind, epoch, height, subject):
    return H(domain + word(kind, 1) + word(epoch, 8) + word(height, 8) + subject)


hashes = []
digests = [H(b"hum/vector/" + word(n, 1)) for n in range(12)]
digests += [bytes(32), word(P - 1), word(P), word(2**256 - 1)]
for d in digests:
    x, y, step, root = hash_to_g1(d)
    hashes.append({"digest": text(d), "point": text(word(x) + word(y)), "step": step, "root": text(word(root))})

keys = []
secrets = [1, 2, curve_order - 1] + [int.from_bytes(H(b"hum/vector/key/" + word(n, 1)), "big") % curve_order for n in range(3)]
subject = H(b"a header")
attested = digest(1, 3, 9, subject)
hashed = point(*hash_to_g1(attested)[:2])
total1 = total2 = totals = None
for n, secret in enumerate(secrets):
    key1, key2, signature = multiply(G1, secret), multiply(G2, secret), multiply(hashed, secret)
    operator = bytes([n + 1] * 20)
    possession = digest(3, 0, 0, H(g1(key1) + operator))
    proof = multiply(point(*hash_to_g1(possession)[:2]), secret)
    if n > 2:
        total1 = add(total1, key1) if total1 else key1
        total2 = add(total2, key2) if total2 else key2
        totals = add(totals, signature) if totals else signature
    keys.append(
        {
            "secret": text(word(secret)),
            "g1": text(g1(key1)),
            "g2": text(g2(key2)),
            "operator_id": text(H(g1(key1))),
            "signature": text(g1(signature)),
            "operator": text(operator),
            "possession_digest": text(possession),
            "possession": text(g1(proof)),
        }
    )

print(
    json.dumps(
        {
            "domain": {
                "l1_chain_id": l1_chain_id,
                "service_manager": text(service_manager),
                "operator_set": operator_set,
                "hash": text(domain),
            },
            "hash_to_g1": hashes,
            "attestation": {"epoch": 3, "height": 9, "subject": text(subject), "digest": text(attested)},
            "keys": keys,
            "sum_of_last_three": {"g1": text(g1(total1)), "g2": text(g2(total2)), "signature": text(g1(totals))},
        },
        indent=1,
    )
)
