# SPDX-License-Identifier: Apache-2.0
"""A client as a Python program writes it: asyncio over TLS (which decrypts from
memory BIOs). usage: stream_client.py PORT

Says "READY". For each line "N" on stdin it takes N streams and answers with one
line: the thread's CPU time of each turn (data to data) in ns.
"""

import asyncio
import ssl
import sys
import time

BODY = (b'{"model":"bench","stream":true,'
        b'"messages":[{"role":"user","content":"How fast?"}]}')
REQUEST = (b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
           b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY))


class Client(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def begin(self):
        self.turns_ns = []
        self.is_over = asyncio.get_running_loop().create_future()
        self.transport.write(REQUEST)
        self.before_ns = time.thread_time_ns()

    def data_received(self, data):
        now_ns = time.thread_time_ns()
        self.turns_ns.append(now_ns - self.before_ns)
        self.before_ns = now_ns
        if data.endswith(b"0\r\n\r\n"):
            self.is_over.set_result(None)


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


async def take_streams(client, count):
    turns_ns = []
    for _ in range(count):
        client.begin()
        await client.is_over
        turns_ns += client.turns_ns
    return turns_ns


def main():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    _, client = loop.run_until_complete(
        loop.create_connection(Client, "127.0.0.1", int(sys.argv[1]), ssl=context()))
    print("READY", flush=True)
    for line in sys.stdin:
        print(*loop.run_until_complete(take_streams(client, int(line))), flush=True)


main()
