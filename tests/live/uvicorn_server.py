#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The answers of llm_server.py behind FastAPI and uvicorn: the server-role target.

Sends the head before the first token and role-only events first, as vLLM does.
Says "READY <port>" on stdout; ends on SIGTERM.
"""

import argparse
import asyncio
import json
import socket
import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

from answers import Answer, encode_event


class Service:
    def __init__(self, log):
        self.log = log
        self.app = FastAPI()
        self.app.get("/health")(self.health)
        self.app.post("/v1/{path:path}")(self.serve)

    def record(self, answer, end):
        self.log.write(json.dumps(answer.exchange(end)) + "\n")
        self.log.flush()

    async def health(self):
        return {"status": "ok"}

    async def serve(self, request: Request):
        answer = Answer(request.url.path, await request.json())
        headers = {"x-request-id": "req_" + answer.id, "set-cookie": "s=GTCANARY-cookie"}
        if answer.late_s:
            await asyncio.sleep(answer.late_s)
        if answer.is_stream and not answer.error:
            return StreamingResponse(self.stream(answer), headers=headers,
                                     media_type="text/event-stream")
        self.record(answer, "whole")
        return JSONResponse(answer.body(), answer.status, headers)

    async def stream(self, answer):
        end = "client_gone"
        try:
            for number, (event, content) in enumerate(answer.events()):
                if content is not None:
                    await asyncio.sleep(answer.delay_s)
                answer.on_event(content)
                yield encode_event(event, number)
            end = "whole"
        finally:
            self.record(answer, end)


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print("READY", sockets[0].getsockname()[1], flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", required=True)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--http", choices=("h11", "httptools"), default="h11")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    service = Service(open(options.log, "a", encoding="utf-8"))
    config = uvicorn.Config(service.app, loop=options.loop, http=options.http,
                            log_level="warning", access_log=False,
                            ssl_certfile=options.cert, ssl_keyfile=options.key)
    Server(config).run([listener])


if __name__ == "__main__":
    sys.exit(main())
