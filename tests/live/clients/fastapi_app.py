# SPDX-License-Identifier: Apache-2.0
"""A FastAPI service that asks a model through AsyncOpenAI: POST /ask with a call.

By itself it runs under uvicorn (`fastapi_app.py LOOP`, says "READY <port>");
as `fastapi_app:app` under gunicorn. The model's base URL is in GT_BASE_URL.
"""

import os
import socket
import sys

import openai
import uvicorn
from fastapi import FastAPI

from client import API_KEY, HEADERS, Report

app = FastAPI()
_client = None


def client():
    """Made on the first request: nothing over TLS happens before."""
    global _client
    if not _client:
        _client = openai.AsyncOpenAI(base_url=os.environ["GT_BASE_URL"], api_key=API_KEY,
                                     default_headers=HEADERS, timeout=120)
    return _client


@app.get("/pid")
async def pid():
    return {"pid": os.getpid()}


@app.post("/ask")
async def ask(call: dict):
    report = Report()
    api = {"chat/completions": client().chat.completions, "completions": client().completions,
           "embeddings": client().embeddings}[call["path"]]
    try:
        answer = await api.create(**call["body"])
        if call["body"].get("stream"):
            async for event in answer:
                report.add_event(event.model_dump())
        else:
            report.add_body(answer.model_dump())
    except openai.OpenAIError as error:
        report.add_error(error)
    return report.end().fields


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print("READY", sockets[0].getsockname()[1], flush=True)


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    config = uvicorn.Config(app, loop=sys.argv[1], log_level="warning", access_log=False)
    Server(config).run([listener])
