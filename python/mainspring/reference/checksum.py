"""XXH3-64, the checksum of event files, for inputs of more than 16 bytes.

Source: the specification of XXH3 by Yann Collet (xxHash, `doc/xxhash_spec.md`), seed 0.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

U64 = 2**64 - 1
P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P64_4, P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
MIX = 0x165667919E3779F9

SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
STRIPE, STRIPES = 64, 16
"""Bytes of a stripe, and stripes of a block."""


def xxh3_64(data: bytes) -> int:
    """The checksum.

    Raises:
        ValueError: 16 bytes or less, which nothing in an event file is.
    """
    if len(data) <= 16:
        raise ValueError(f"{len(data)} bytes: this checksum is of more than 16")
    if len(data) <= 128:
        return _short(data)
    return _middle(data) if len(data) <= 240 else _long(data)


def _short(data: bytes) -> int:
    """17 to 128 bytes: pairs from both ends towards the middle."""
    total = len(data) * P64_1
    for pair in range((len(data) - 1) // 32 + 1):
        total += _mix(data, 16 * pair, 32 * pair)
        total += _mix(data, len(data) - 16 * (pair + 1), 32 * pair + 16)
    return _avalanche(total & U64)


def _middle(data: bytes) -> int:
    """129 to 240 bytes: sixteen at a time, and the last sixteen."""
    pieces = len(data) // 16
    first = sum(_mix(data, 16 * n, 16 * n) for n in range(8))
    rest = sum(_mix(data, 16 * n, 16 * (n - 8) + 3) for n in range(8, pieces))
    last = _mix(data, len(data) - 16, 119)
    return _avalanche((_avalanche((len(data) * P64_1 + first) & U64) + rest + last) & U64)


def _long(data: bytes) -> int:
    """More: blocks of sixteen stripes into eight lanes, the last stripe once more."""
    lanes = np.array([P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1], dtype="<u8")
    block = STRIPE * STRIPES
    blocks = (len(data) - 1) // block
    whole = np.frombuffer(data, "<u8", count=blocks * block // 8).reshape(blocks, STRIPES, 8)
    scramble = _words(len(SECRET) - STRIPE)
    with np.errstate(over="ignore"):
        for added in _accumulated(whole):
            lanes = lanes + added
            lanes = (lanes ^ (lanes >> np.uint64(47)) ^ scramble) * np.uint64(P32_1)
        left = (len(data) - 1 - blocks * block) // STRIPE
        rest = np.frombuffer(data, "<u8", count=left * 8, offset=blocks * block)
        lanes = lanes + _accumulated(rest.reshape(1, left, 8))[0]
        last = np.frombuffer(data[-STRIPE:], "<u8").reshape(1, 1, 8)
        lanes = lanes + _accumulated(last, len(SECRET) - STRIPE - 7)[0]
    return _merged([int(lane) for lane in lanes], len(data))


def _accumulated(stripes: NDArray[np.uint64], secret_at: int = 0) -> NDArray[np.uint64]:
    """What the stripes of each block add to the lanes: `(blocks, 8)` of `(blocks, stripes, 8)`."""
    secret = np.stack([_words(secret_at + 8 * n) for n in range(stripes.shape[1])] or [_words(0)])
    keyed = stripes ^ secret[: stripes.shape[1]]
    low, high = keyed & np.uint64(0xFFFFFFFF), keyed >> np.uint64(32)
    neighbours = stripes[:, :, [1, 0, 3, 2, 5, 4, 7, 6]]
    added: NDArray[np.uint64] = (neighbours + low * high).sum(axis=1, dtype=np.uint64)
    return added


def _words(at: int) -> NDArray[np.uint64]:
    """Eight words of the secret."""
    return np.frombuffer(SECRET[at : at + STRIPE], "<u8")


def _merged(lanes: list[int], length: int) -> int:
    total = length * P64_1
    for pair in range(4):
        low, high = struct.unpack_from("<QQ", SECRET, 11 + 16 * pair)
        total += _folded(lanes[2 * pair] ^ low, lanes[2 * pair + 1] ^ high)
    return _avalanche(total & U64)


def _mix(data: bytes, at: int, secret_at: int) -> int:
    """Sixteen bytes with sixteen of the secret."""
    low, high = struct.unpack_from("<QQ", data, at)
    secret_low, secret_high = struct.unpack_from("<QQ", SECRET, secret_at)
    return _folded(low ^ secret_low, high ^ secret_high)


def _folded(a: int, b: int) -> int:
    """Both halves of a product of 128 bits, one over the other."""
    product = a * b
    return (product & U64) ^ (product >> 64)


def _avalanche(value: int) -> int:
    value ^= value >> 37
    value = value * MIX & U64
    return value ^ (value >> 32)
