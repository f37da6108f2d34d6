"""The byte layer of a greffe archive, from FORMAT.md alone: CIDs, DAG-CBOR, UnixFS, CARv1, trees and tiles.

It turns bytes into values and says `Malformed` when they are not what FORMAT.md asks for; what the values mean
is not its business.
"""
import base64
import hashlib

RAW, DAG_PB, DAG_CBOR = 0x55, 0x70, 0x71
MIB = 1 << 20


class Malformed(Exception):
    """Bytes that do not say what their place asks for."""


def demand(condition, what):
    if not condition:
        raise Malformed(what)


def sha256(data):
    return hashlib.sha256(data).digest()


# --- CIDs, numbers, base64 (FORMAT §1). A CID is held as its 36 bytes. -------------------------------------------

def cid_of(codec, data):
    return bytes([1, codec, 0x12, 0x20]) + sha256(data)


def is_cid(cid):
    return len(cid) == 36 and cid[0] == 1 and cid[1] in (RAW, DAG_PB, DAG_CBOR) and cid[2:4] == b"\x12\x20"


def cid_text(cid):
    return "b" + base64.b32encode(cid).decode().lower().rstrip("=")


def read_varint(data, at):
    value = shift = 0
    while True:
        demand(at < len(data) and shift < 63, "a varint is cut off or too long")
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            demand(byte or shift == 7, "a varint is longer than it needs to be")
            return value, at


def decode_base64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Malformed("it is not standard base64 with padding") from None
    demand(base64.b64encode(data).decode() == text, "it is not standard base64 with padding")
    return data


# --- DAG-CBOR, strictly -------------------------------------------------------------------------------------------

class Link(bytes):
    """A CID under tag 42."""


def decode_cbor(data):
    def take(at, count):
        demand(at + count <= len(data), "CBOR ends too early")
        return data[at:at + count], at + count

    def argument(at):
        first, at = take(at, 1)
        major, info = first[0] >> 5, first[0] & 31
        if info < 24 or major == 7:
            return major, info, at
        demand(info < 28, "CBOR has an indefinite or reserved length")
        width = 1 << (info - 24)
        raw, at = take(at, width)
        value = int.from_bytes(raw, "big")
        demand(value >= (24 if width == 1 else 1 << (4 * width)), "CBOR has an integer that is not the shortest")
        return major, value, at

    def item(at, depth):
        demand(depth <= 16, "CBOR is deeper than 16")
        major, value, at = argument(at)
        if major == 0:
            return value, at
        if major == 1:
            return -1 - value, at
        if major in (2, 3):
            raw, at = take(at, value)
            return (raw if major == 2 else raw.decode("utf-8")), at
        if major == 4:
            items = []
            for _ in range(value):
                element, at = item(at, depth + 1)
                items.append(element)
            return items, at
        if major == 5:
            members, last = {}, None
            for _ in range(value):
                key, at = item(at, depth + 1)
                demand(isinstance(key, str), "CBOR has a map key that is no text")
                order = (len(key.encode()), key.encode())
                demand(last is None or order > last, "CBOR has map keys that are unsorted or not unique")
                members[key], at = item(at, depth + 1)
                last = order
            return members, at
        if major == 6:
            demand(value == 42, "CBOR has a tag other than 42")
            raw, at = item(at, depth + 1)
            demand(isinstance(raw, bytes) and raw[:1] == b"\0" and is_cid(raw[1:]), "CBOR has a link that is no CID")
            return Link(raw[1:]), at
        demand(value in (20, 21, 22), "CBOR has a float or another simple value")
        return {20: False, 21: True, 22: None}[value], at

    value, end = item(0, 1)
    demand(end == len(data), "CBOR has bytes after its end")
    return value


# --- dag-pb and UnixFS --------------------------------------------------------------------------------------------

def protobuf_fields(data):
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if key & 7 == 2:
            demand(at + value <= len(data), "dag-pb ends too early")
            value, at = data[at:at + value], at + value
        else:
            demand(key & 7 == 0, "dag-pb has a field of another wire type")
        yield key >> 3, value


def decode_unixfs(block):
    """The node's type, its links as (name, CID), the file size and the block sizes."""
    links, data = [], None
    for field, value in protobuf_fields(block):
        if field == 2:
            demand(data is None, "dag-pb has a link after the data")
            parts = list(protobuf_fields(value))
            demand([number for number, _ in parts] == [1, 2, 3], "a dag-pb link is not hash, name, size")
            demand(is_cid(parts[0][1]), "a dag-pb link holds no CID")
            links.append((parts[1][1].decode("utf-8"), parts[0][1]))
        else:
            demand(field == 1 and data is None, "dag-pb has an unknown or repeated field")
            data = value
    demand(data is not None, "a dag-pb node is not UnixFS")
    fields = list(protobuf_fields(data))
    demand(all(number in (1, 3, 4) for number, _ in fields), "a UnixFS node holds something else than sizes")
    single = dict(fields)
    return single.get(1), links, single.get(3), [value for number, value in fields if number == 4]


def encode_varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def unixfs_blocks(content):
    """The CID of a file under the profile unixfs-v1-2025, and its blocks."""
    chunks = [content[at:at + MIB] for at in range(0, len(content), MIB)] or [b""]
    blocks = {cid_of(RAW, chunk): chunk for chunk in chunks}
    # of each node: its CID, the bytes of content below it, and the bytes of its own and all blocks below it
    level = [(cid_of(RAW, chunk), len(chunk), len(chunk)) for chunk in chunks]
    while len(level) > 1:
        above = []
        for start in range(0, len(level), 1024):
            group = level[start:start + 1024]
            size = sum(length for _, length, _ in group)
            data = b"\x08\x02\x18" + encode_varint(size) + b"".join(b"\x20" + encode_varint(n) for _, n, _ in group)
            block = b""
            for cid, _, total in group:
                link = b"\x0a\x24" + cid + b"\x12\x00\x18" + encode_varint(total)
                block += b"\x12" + encode_varint(len(link)) + link
            block += b"\x0a" + encode_varint(len(data)) + data
            blocks[cid_of(DAG_PB, block)] = block
            above.append((cid_of(DAG_PB, block), size, len(block) + sum(total for _, _, total in group)))
        level = above
    return level[0][0], blocks


# --- trees (FORMAT §4, §6; RFC 6962 §2.1; C2SP tlog-tiles) --------------------------------------------------------

def merkle_root(hashes):
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return sha256(b"\x01" + merkle_root(hashes[:split]) + merkle_root(hashes[split:]))


def leaf_hash(entry):
    return sha256(b"\x00" + entry)


def groups_of_256(items):
    return [items[at:at + 256] for at in range(0, len(items), 256)]


def tile_path(kind, number, width):
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at:at + 3] for at in range(0, len(digits), 3)]
    path = "/".join(["x" + part for part in parts[:-1]] + parts[-1:])
    return f"tile/{kind}/{path}" + (f".p/{width}" if width < 256 else "")


def tiles(leaves):
    """Every file under `tile/` of a log with these entries."""
    files = {}
    for number, group in enumerate(groups_of_256(leaves)):
        files[tile_path("entries", number, len(group))] = b"".join(len(e).to_bytes(2, "big") + e for e in group)
    level, hashes = 0, [leaf_hash(leaf) for leaf in leaves]
    while hashes:
        for number, group in enumerate(groups_of_256(hashes)):
            files[tile_path(level, number, len(group))] = b"".join(group)
        hashes = [merkle_root(group) for group in groups_of_256(hashes) if len(group) == 256]
        level += 1
    return files


def entries_tree(manifests):
    """The CID of the root of the tree of links, and its blocks."""
    blocks, level = {}, manifests
    while True:
        above = []
        for group in groups_of_256(level):
            count = len(group)
            start = bytes([0x80 | count]) if count < 24 else bytes([0x98, count]) if count < 256 else b"\x99\x01\x00"
            block = start + b"".join(b"\xd8\x2a\x58\x25\x00" + cid for cid in group)
            blocks[cid_of(DAG_CBOR, block)] = block
            above.append(cid_of(DAG_CBOR, block))
        if len(above) == 1:
            return above[0], blocks
        level = above
