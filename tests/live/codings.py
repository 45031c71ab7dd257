# SPDX-License-Identifier: Apache-2.0
"""Content codings, for the servers and clients of the live tests that compress.

A coding is named as in Content-Encoding, in a row as "gzip,br"; "raw" is deflate
without zlib's header. brotli and zstandard are in the environment `codings` only.
"""

import zlib

PREFIX = "gt-as-"       # of the models whose answers are compressed: "gt-as-br"
WINDOWS = {"gzip": 31, "deflate": 15, "raw": -15}


class Zlib:
    def __init__(self, name):
        self.zlib = zlib.compressobj(9, zlib.DEFLATED, WINDOWS[name])

    def part(self, data):
        return self.zlib.compress(data) + self.zlib.flush(zlib.Z_SYNC_FLUSH)

    def end(self):
        return self.zlib.flush(zlib.Z_FINISH)


class Brotli:
    def __init__(self, _):
        import brotli
        self.brotli = brotli.Compressor(quality=5)

    def part(self, data):
        return self.brotli.process(data) + self.brotli.flush()

    def end(self):
        return self.brotli.finish()


class Zstd:
    def __init__(self, _):
        import zstandard
        self.block = zstandard.COMPRESSOBJ_FLUSH_BLOCK
        self.zstd = zstandard.ZstdCompressor().compressobj()

    def part(self, data):
        return self.zstd.compress(data) + self.zstd.flush(self.block)

    def end(self):
        return self.zstd.flush()


class Row:
    """Several in a row, each flushed with every part."""

    def __init__(self, names):
        kinds = {"br": Brotli, "zstd": Zstd}
        self.row = [kinds.get(name, Zlib)(name) for name in names]

    def part(self, data):
        for coder in self.row:
            data = coder.part(data)
        return data

    def end(self):
        data = b""
        for coder in self.row:
            data = (coder.part(data) if data else b"") + coder.end()
        return data


def of_model(model):
    """(a coder, the field's value) of an answer's model; (None, None)."""
    if not model.startswith(PREFIX):
        return None, None
    names = model[len(PREFIX):].split(",")
    return Row(name for name in names if name != "identity"), ", ".join(name.replace("raw", "deflate") for name in names)


def whole(coding, data):
    coder = Row([coding])
    return coder.part(data) + coder.end()


def decode(coding, data):
    """The body of a request with this Content-Encoding."""
    if coding == "br":
        import brotli
        return brotli.decompress(data)
    if coding == "zstd":
        import zstandard
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if coding == "deflate":
        is_wrapped = data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
        return zlib.decompress(data, 15 if is_wrapped else -15)
    return zlib.decompress(data, 31) if coding == "gzip" else data
