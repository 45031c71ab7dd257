# SPDX-License-Identifier: Apache-2.0
"""The API by hand with `requests`: head and body in one or two writes, keep-alive."""

import json

import requests

import codings
from client import API_KEY, HEADERS, Report, events, finish, start


def body_of(call):
    """The arguments of a body, compressed if the plan says so."""
    headers = call.get("headers", {})
    if "coding" not in call:
        return {"json": call["body"], "headers": headers}
    return {"data": codings.whole(call["coding"], json.dumps(call["body"]).encode()),
            "headers": dict(headers, **{"content-type": "application/json", "content-encoding":
                                        call["coding"].replace("raw", "deflate")})}


def make(session, base, call):
    report = Report()
    url, is_stream = base + "/" + call["path"], call["body"].get("stream", False)
    try:
        with session.post(url, **body_of(call), stream=is_stream, timeout=60) as response:
            if is_stream and response.ok:
                response.encoding = "utf-8"
                lines = response.iter_lines(chunk_size=None, decode_unicode=True)
                for number, event in enumerate(events(lines), 1):
                    report.add_event(event)
                    if number == call.get("abort_after"):
                        break
            else:
                report.add_body(response.json())
    except (requests.RequestException, ValueError, RecursionError) as error:
        report.add_error(error)
    return report.end()


def main():
    base, plan = start()
    with requests.Session() as session:
        session.headers.update(HEADERS, authorization="Bearer " + API_KEY)
        reports = [make(session, base, call) for call in plan]
    finish(reports)


main()
