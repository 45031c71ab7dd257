# SPDX-License-Identifier: Apache-2.0
"""WebSocket at the server's side (RFC 6455), with permessage-deflate (RFC 7692) where the
client offers it. What it sends is torn on purpose: every third message comes in
three fragments, with a ping between them."""

import base64
import hashlib
import struct
import zlib

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUED, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10
FIN, ZIPPED, MASKED = 0x80, 0x40, 0x80
TAIL = b"\x00\x00\xff\xff"      # of each flush, left out on the wire


def is_upgrade(headers):
    return headers.get("upgrade", "").lower() == "websocket"


class WebSocket:
    def __init__(self, reader, writer, headers):
        self.reader, self.writer = reader, writer
        key = headers["sec-websocket-key"] + GUID
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: Upgrade",
                 "sec-websocket-accept: " + accept]
        self.zip = self.unzip = None
        if "permessage-deflate" in headers.get("sec-websocket-extensions", ""):
            lines.append("sec-websocket-extensions: permessage-deflate")
            self.zip, self.unzip = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
        writer.write("\r\n".join(lines + ["", ""]).encode())
        self.sent = 0

    async def message(self):
        """The next text, or None when the client closes."""
        text, is_zipped = b"", False
        while True:
            first, second = await self.reader.readexactly(2)
            size = second & ~MASKED
            if size == 126:
                size, = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                size, = struct.unpack("!Q", await self.reader.readexactly(8))
            mask = await self.reader.readexactly(4)
            data = await self.reader.readexactly(size)
            data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
            if first & 15 == CLOSE:
                self.frame(FIN | CLOSE, data)
                return None
            if first & 15 in (PING, PONG):
                continue
            is_zipped = is_zipped or bool(first & ZIPPED)
            text += data
            if first & FIN:
                return (self.unzip.decompress(text + TAIL) if is_zipped else text).decode()

    def frame(self, first, data):
        size = len(data)
        self.writer.write(struct.pack("!BB", first, size) if size < 126 else
                          struct.pack("!BBH", first, 126, size) if size < 65536 else
                          struct.pack("!BBQ", first, 127, size))
        self.writer.write(data)

    async def send(self, text):
        data, flags = text.encode(), TEXT
        if self.zip:
            data = (self.zip.compress(data) + self.zip.flush(zlib.Z_SYNC_FLUSH))[:-len(TAIL)]
            flags |= ZIPPED
        self.sent += 1
        if self.sent % 3 == 0 and len(data) > 12:
            third = len(data) // 3
            self.frame(flags, data[:third])
            await self.writer.drain()
            self.frame(FIN | PING, b"still there?")
            self.frame(CONTINUED, data[third:2 * third])
            await self.writer.drain()
            self.frame(FIN | CONTINUED, data[2 * third:])
        else:
            self.frame(FIN | flags, data)
        await self.writer.drain()
