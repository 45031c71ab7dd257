#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An OpenAI-compatible server whose every answer is known (answers.py).

Python standard library only (but for codings.py), for exact control of the wire: the head, each
event, [DONE] and the last chunk are writes of their own. Serves plain HTTP and,
given a certificate, TLS. Each exchange becomes a line of the log: that is the
truth which the tests compare with.

Says "READY <plain port> <TLS port or 0>" on stdout; ends on SIGTERM.
"""

import argparse
import asyncio
import gzip
import json
import signal
import ssl
import sys

import codings
from answers import SCRIPT, Answer, encode_event

MAX_HEAD = 1 << 20
NUL_BODY = (b'{"id":"x\x00y","object":"chat.completion","model":"\xff\xfe","choices":[{"index":0,'
            b'"message":{"role":"assistant","content":"a\xc3(b"},"finish_reason":"stop"}]}')


class Gone(Exception):
    """The client closed, or said what is not HTTP."""


async def read_request(reader, writer):
    """(method, path, headers, body); raises Gone at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = line.split(" ", 2)
        headers = {name.strip().lower(): value.strip()
                   for name, value in (field.split(":", 1) for field in fields)}
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await read_body(reader, headers)
        return method, path, headers, codings.decode(headers.get("content-encoding"), body)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError,
            ConnectionError, ssl.SSLError) as error:
        raise Gone() from error


async def read_body(reader, headers):
    if "chunked" not in headers.get("transfer-encoding", ""):
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        body += (await reader.readexactly(size + 2))[:-2]
        if size == 0:
            return body


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


class Server:
    def __init__(self, log):
        self.log = log
        self.refused = set()    # users that "gt-429-once" has turned away

    def record(self, answer, end):
        self.log.write(json.dumps(answer.exchange(end)) + "\n")
        self.log.flush()

    async def on_connection(self, reader, writer):
        try:
            while await self.serve_one(reader, writer):
                pass
        except (Gone, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def serve_one(self, reader, writer):
        """One exchange; says whether the connection stays."""
        method, path, headers, body = await read_request(reader, writer)
        path = path.split("?", 1)[0]
        try:
            request = json.loads(body) if method == "POST" else None
        except ValueError:
            request = None
        if not isinstance(request, dict):
            await self.send(writer, 404, b'{"detail":"Not Found"}')
            return True
        answer = Answer(path, request)
        if answer.model.startswith("gt-raw-"):
            await self.serve_raw(writer, answer)
            return False
        if answer.model == "gt-429-once":
            self.refuse_once(answer)
        if answer.late_s:
            await asyncio.sleep(answer.late_s)
        if answer.is_stream and not answer.error:
            return await self.serve_stream(writer, answer)
        await self.serve_whole(writer, answer, headers)
        return headers.get("connection", "").lower() != "close"

    def refuse_once(self, answer):
        if answer.text in self.refused:
            return
        self.refused.add(answer.text)
        answer.status, answer.choices = 429, []
        answer.error = {"message": "slow down", "type": "requests", "param": None,
                        "code": "rate_limit_exceeded"}

    async def send(self, writer, status, body, extra=""):
        head = ("HTTP/1.1 %d %s\r\nserver: gentap-test\r\ncontent-type: application/json\r\n"
                "content-length: %d\r\n%s\r\n" % (status, "OK" if status == 200 else "No",
                                                  len(body), extra))
        writer.write(head.encode() + body)
        await writer.drain()

    async def serve_whole(self, writer, answer, headers):
        extra = "x-request-id: req_%s\r\nset-cookie: s=GTCANARY-cookie; Secure\r\n" % answer.id
        body = json.dumps(answer.body(), ensure_ascii=False).encode()
        if answer.model == "gt-gzip" and "gzip" in headers.get("accept-encoding", ""):
            body = gzip.compress(body)
            extra += "content-encoding: gzip\r\n"
        coder, coding = codings.of_model(answer.model)
        if coder:
            body = coder.part(body) + coder.end()
            extra += "content-encoding: %s\r\n" % coding
        if answer.model == "gt-odd-coding":
            extra += "content-encoding: x-odd\r\n"
        if answer.status == 429:
            extra += "retry-after-ms: 20\r\n" if answer.model == "gt-429-once" else ""
            extra += "x-should-retry: false\r\n" if answer.model == "gt-429" else ""
        elif answer.status >= 400:
            extra += "x-should-retry: false\r\n"
        try:
            await self.send(writer, answer.status, body, extra)
        except (ConnectionError, ssl.SSLError):
            self.record(answer, "client_gone")
            raise
        self.record(answer, "whole")

    async def serve_stream(self, writer, answer):
        """A chunked event stream; the client may leave, "gt-cut" leaves itself."""
        coder, coding = codings.of_model(answer.model)
        head = ("HTTP/1.1 200 OK\r\nserver: gentap-test\r\ncontent-type: text/event-stream; "
                "charset=utf-8\r\nx-request-id: req_%s\r\nset-cookie: s=GTCANARY-cookie\r\n"
                "%stransfer-encoding: chunked\r\n\r\n"
                % (answer.id, "content-encoding: %s\r\n" % coding if coder else ""))
        try:
            writer.write(head.encode())
            await writer.drain()
            for number, (event, content) in enumerate(answer.events()):
                if answer.model == "gt-cut" and number == 5:
                    self.record(answer, "cut")
                    return False
                if content is not None:
                    await asyncio.sleep(answer.delay_s)
                if writer.is_closing():
                    raise ConnectionResetError()
                answer.on_event(content)
                data = encode_event(event, number)
                writer.write(chunk(coder.part(data) if coder else data))
                await writer.drain()
            rest = coder.end() if coder else b""
            writer.write((chunk(rest) if rest else b"") + chunk(b""))
            await writer.drain()
        except (ConnectionError, ssl.SSLError):
            self.record(answer, "client_gone")
            raise
        self.record(answer, "whole")
        return True

    async def serve_raw(self, writer, answer):
        """What no server should send, by the model's name."""
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
        raw = {
            "gt-raw-garbage": b"\x00\x01\x02HTTP/9.9 what?\r\n" + bytes(range(256)) * 8,
            "gt-raw-headbomb": head + b"x-bomb: " + b"b" * 300000 + b"\r\n\r\n",
            "gt-raw-badchunk": head + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
            "gt-raw-deepjson": head + b"content-length: 20000\r\n\r\n" + b"[" * 20000,
            "gt-raw-nul": head + b"content-length: %d\r\n\r\n" % len(NUL_BODY) + NUL_BODY,
        }[answer.model]
        self.record(answer, "raw")
        writer.write(raw)
        await writer.drain()


async def serve(options, kind):
    log = open(options.log, "a", encoding="utf-8")
    server = kind(log)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def listen(context):
        started = await asyncio.start_server(server.on_connection, "127.0.0.1", 0, ssl=context,
                                             limit=MAX_HEAD, backlog=1024)
        return started.sockets[0].getsockname()[1]

    plain, secure = await listen(None), 0
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
        context.set_alpn_protocols(["http/1.1"])
        secure = await listen(context)
    print("READY", plain, secure, flush=True)
    await stop.wait()


def main(kind=Server):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", required=True)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--script", help="JSON object: questions and the answers to them")
    options = parser.parse_args()
    if options.script:
        with open(options.script, encoding="utf-8") as file:
            SCRIPT.update(json.load(file))
    asyncio.run(serve(options, kind))


if __name__ == "__main__":
    sys.exit(main())
