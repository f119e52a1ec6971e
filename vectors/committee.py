"""Writes committee.json: committees with known secret keys, for tests that must sign (never for a network).

    pip install py_ecc==8.0.0 pycryptodome && python committee.py > committee.json

An independent implementation (py_ecc) makes the keys, so that neither crates/bls nor contracts/ checks itself.
Secret key of seed i: keccak256("hum test operator" ‖ i 4) mod r. Operators ascend by operator id, as docs/protocol.md says.
`absent` holds the signers' G2 key sum for the sets of absentees that tests use.
"""

import json

from Crypto.Hash import keccak
from py_ecc.optimized_bn128 import G1, G2, add, curve_order, multiply, normalize


def h(data):
    return keccak.new(digest_bits=256, data=data).digest()


def g1(point):
    x, y = normalize(point)
    return x.n.to_bytes(32, "big") + y.n.to_bytes(32, "big")


def g2(point):
    x, y = normalize(point)
    return b"".join(c.to_bytes(32, "big") for c in (x.coeffs[1], x.coeffs[0], y.coeffs[1], y.coeffs[0]))


def total(points):
    result = points[0]
    for p in points[1:]:
        result = add(result, p)
    return result


VALID_UNTIL = 4_000_000_000


def committee(first_seed, stakes, absent_sets):
    secrets = [int.from_bytes(h(b"hum test operator" + i.to_bytes(4, "big")), "big") % curve_order
               for i in range(first_seed, first_seed + len(stakes))]
    keyed = sorted((h(g1(multiply(G1, s))), s) for s in secrets)
    secrets = [s for _, s in keyed]
    keys = [multiply(G1, s) for s in secrets]
    table = g1(total(keys)) + g2(multiply(G2, sum(secrets) % curve_order)) + sum(stakes).to_bytes(16, "big")
    table += VALID_UNTIL.to_bytes(8, "big")
    for key, stake in zip(keys, stakes):
        table += g1(key) + stake.to_bytes(16, "big")
    absent = []
    for indexes in absent_sets:
        signing = sum(s for i, s in enumerate(secrets) if i not in indexes) % curve_order
        absent.append({"indexes": indexes, "signers_g2": "0x" + g2(multiply(G2, signing)).hex()})
    return {
        "secrets": ["0x" + s.to_bytes(32, "big").hex() for s in secrets],
        "stakes": stakes,
        "valid_until": VALID_UNTIL,
        "table": "0x" + table.hex(),
        "table_hash": "0x" + h(table).hex(),
        "absent": absent,
    }


if __name__ == "__main__":
    print(json.dumps({
        "note": "made by vectors/committee.py; test keys",
        "one": committee(0, [7], []),
        "three": committee(10, [5, 5, 5], [[0], [1], [2]]),
        "four": committee(20, [100, 100, 100, 100], [[0], [1], [2], [3], [0, 1], [1, 2]]),
        "uneven": committee(30, [10, 20, 30, 40], [[0, 1], [2], [3]]),
        "hundred": committee(100, [32_000] * 100, [[0], [99], list(range(33)), list(range(1, 99, 3)), list(range(0, 99, 3))]),
    }, indent=1))
