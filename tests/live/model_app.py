# SPDX-License-Identifier: Apache-2.0
"""The answers of llm_server.py as an ASGI application, for servers of all kinds.

Sends the head before the first token and role-only events first, as vLLM does.
"""

import asyncio
import json

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
