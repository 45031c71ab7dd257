#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speaks the dialects of every provider whose official client the tests run.

As llm_server.py, whose requests it reads: standard library only, plain HTTP and
TLS, every answer known beforehand (dialects/), one line of truth an exchange.
Streams pause before each event that bears content; every third event comes in
two writes. Where the case is "gzip" and the client takes it, answers are zipped.

Says "READY <plain port> <TLS port or 0>" on stdout; ends on SIGTERM.
"""

import asyncio
import json
import ssl
import sys
import zlib

import dialects
import llm_server
from dialects.openai_media import form_fields
from dialects.openai_realtime import Session
from dialects.said import PAUSE_S, dumps
from dialects.websocket import is_upgrade
from llm_server import chunk, read_request


class Body:
    """The bytes of an answer as they go out, zipped or not, in chunks or not."""

    def __init__(self, writer, is_zipped, is_chunked):
        self.writer, self.is_chunked = writer, is_chunked
        self.zip = zlib.compressobj(wbits=31) if is_zipped else None

    async def write(self, data, is_last=False):
        if self.zip:
            data = self.zip.compress(data) + self.zip.flush(
                zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)
        if data:
            self.writer.write(chunk(data) if self.is_chunked else data)
            await self.writer.drain()
        if is_last and self.is_chunked:
            self.writer.write(chunk(b""))
            await self.writer.drain()


def request_of(dialect, headers, body):
    if hasattr(dialect, "IS_FORM"):
        return form_fields(body, headers.get("content-type", ""))
    request = json.loads(body)
    if not isinstance(request, dict):
        raise ValueError("no object")
    return request


class DialectServer(llm_server.Server):
    async def serve_one(self, reader, writer):
        """One exchange; says whether the connection stays."""
        method, target, headers, body = await read_request(reader, writer)
        if is_upgrade(headers):
            await Session(self, reader, writer, target, headers).run()
            return False
        path = target.split("?", 1)[0]
        dialect = dialects.find(path) if method == "POST" else None
        try:
            answer = dialect(path, request_of(dialect, headers, body), headers)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            print("cannot serve %s %s: %r" % (method, path, error), file=sys.stderr, flush=True)
            await self.send(writer, 404, b'{"detail":"Not Found"}')
            return True
        await asyncio.sleep(answer.late_s)
        is_stream = answer.is_stream and answer.status < 400
        is_zipped = answer.case == "gzip" and "gzip" in headers.get("accept-encoding", "")
        try:
            await (self.stream if is_stream else self.whole)(writer, answer, is_zipped)
        except (ConnectionError, ssl.SSLError):
            self.record(answer, "client_gone")
            raise
        self.record(answer, "whole")
        return headers.get("connection", "").lower() != "close"

    @staticmethod
    def head(answer, content_type, is_zipped, **more):
        fields = dict({"content-type": content_type, "set-cookie": "s=GTCANARY-cookie"},
                      **answer.extra_headers(), **more)
        if answer.REQUEST_ID:
            fields[answer.REQUEST_ID] = "req_" + answer.id
        if is_zipped:
            fields["content-encoding"] = "gzip"
        if answer.status >= 400:
            fields["x-should-retry"] = "false"
        lines = ["%s: %s" % field for field in fields.items()]
        return "\r\n".join(["HTTP/1.1 %d Said" % answer.status] + lines + ["", ""]).encode()

    async def whole(self, writer, answer, is_zipped):
        body = answer.failure() if answer.status >= 400 else answer.body()
        if not isinstance(body, bytes):
            body = dumps(body, answer.number).encode()
        if is_zipped:
            body = zlib.compress(body, wbits=31)
        kind = "application/json" if answer.status >= 400 else answer.WHOLE_TYPE
        more = {"content-length": str(len(body))}
        writer.write(self.head(answer, kind, is_zipped, **more) + body)
        await writer.drain()

    async def stream(self, writer, answer, is_zipped):
        more = {"transfer-encoding": "chunked"}
        writer.write(self.head(answer, answer.STREAM_TYPE, is_zipped, **more))
        await writer.drain()
        body = Body(writer, is_zipped, is_chunked=True)
        for number, (data, content) in enumerate(answer.events()):
            if content is not None:
                await asyncio.sleep(PAUSE_S)
            if writer.is_closing():
                raise ConnectionResetError()
            half = len(data) // 2 if number % 3 == 1 else 0
            if half:
                await body.write(data[:half])
                await asyncio.sleep(0.001)
            answer.on_event(content)
            await body.write(data[half:])
        await body.write(b"", is_last=True)


if __name__ == "__main__":
    llm_server.main(DialectServer)
