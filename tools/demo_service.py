# SPDX-License-Identifier: Apache-2.0
"""The demo's service: a travel desk on FastAPI that asks a model.

Nothing in it knows of gentap. usage: demo_service.py MODEL_URL (says its port)
"""

import socket
import sys

import openai
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, StreamingResponse

app = FastAPI(title="travel desk")
model = openai.AsyncOpenAI(base_url=sys.argv[1], api_key="no-key-needed", max_retries=0)

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a place",
    "parameters": {"type": "object", "properties": {"q": {"type": "string"}}}}}


def messages(question):
    return [{"role": "system", "content": "You are a travel desk. Be brief."},
            {"role": "user", "content": question}]


@app.exception_handler(openai.APIStatusError)
async def on_model_error(_, error):
    return JSONResponse({"error": str(error)}, status_code=502)


@app.get("/answer")
async def answer(question: str, name: str = "demo-model"):
    done = await model.chat.completions.create(model=name, messages=messages(question),
                                               temperature=0.2)
    return {"answer": done.choices[0].message.content}


@app.get("/stream")
async def stream(question: str):
    chunks = await model.chat.completions.create(
        model="demo-model", messages=messages(question), stream=True,
        stream_options={"include_usage": True})

    async def text():
        async for chunk in chunks:
            for choice in chunk.choices:
                yield choice.delta.content or ""

    return StreamingResponse(text(), media_type="text/plain")


@app.get("/plan")
async def plan(question: str):
    done = await model.chat.completions.create(model="demo-model", messages=messages(question),
                                               tools=[WEATHER])
    return {"tool": done.choices[0].message.tool_calls[0].function.name}


@app.get("/similar")
async def similar(question: str):
    done = await model.embeddings.create(model="demo-embed", input=question)
    return {"dimensions": len(done.data[0].embedding)}


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print("READY", sockets[0].getsockname()[1], flush=True)


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listener])
