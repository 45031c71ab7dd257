# SPDX-License-Identifier: Apache-2.0
"""Answers one chat call with a body that the kernel copies from a file: sendfile(2).

usage: sendfile_server.py FILE   says "READY PORT", then ends after one call
"""

import os
import socket
import sys

with socket.create_server(("127.0.0.1", 0)) as server, open(sys.argv[1], "rb") as body:
    print("READY", server.getsockname()[1], flush=True)
    conn, _ = server.accept()
    with conn:
        request = b""
        while not request.endswith(b"}"):
            request += conn.recv(65536)
        size = os.fstat(body.fileno()).st_size
        conn.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % size)
        os.sendfile(conn.fileno(), body.fileno(), 0, size)
        conn.recv(1)
sys.stdin.readline()
