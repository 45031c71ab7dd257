#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The answers of llm_server.py behind FastAPI and hypercorn: HTTP/2 in the server role.

Speaks HTTP/2 by ALPN over TLS, and in the clear with prior knowledge or by an
upgrade. Says "READY <port>" on stdout; ends on SIGTERM.
"""

import argparse
import asyncio
import signal
import socket
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config

from model_app import Service


async def run(options):
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    config = Config()
    config.bind = ["fd://%d" % listener.fileno()]
    config.certfile, config.keyfile = options.cert, options.key
    config.loglevel = "WARNING"
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    service = Service(open(options.log, "a", encoding="utf-8"))
    print("READY", listener.getsockname()[1], flush=True)
    await serve(service.app, config, shutdown_trigger=stop.wait)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", required=True)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
