#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The answers of llm_server.py behind FastAPI and uvicorn: the server-role target.

Says "READY <port>" on stdout; ends on SIGTERM.
"""

import argparse
import socket
import sys

import uvicorn

from model_app import Service


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
