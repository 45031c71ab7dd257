# SPDX-License-Identifier: Apache-2.0
"""Takes what the official Langfuse SDK sends: OTLP/HTTP, protobuf.

    otlp_receiver.py FILE

says "READY <port>" and writes each span as a line of JSON: its name, times and
attributes as plain values. Ends on SIGTERM.
"""

import gzip
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACES = "/api/public/otel/v1/traces"


def plain(value):
    kind = value.WhichOneof("value")
    content = getattr(value, kind)
    return [plain(item) for item in content.values] if kind == "array_value" else content


def spans(request):
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {"name": span.name, "start": span.start_time_unix_nano,
                       "end": span.end_time_unix_nano, "status": span.status.code,
                       "attributes": {one.key: plain(one.value) for one in span.attributes}}


def handler(out):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == TRACES:
                for span in spans(ExportTraceServiceRequest.FromString(body)):
                    out.write(json.dumps(span) + "\n")
                out.flush()
            self.send_response(200 if self.path == TRACES else 404)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    return Handler


def main():
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler(out))
        server.daemon_threads = True
        print("READY", server.server_address[1], flush=True)
        server.serve_forever()


main()
