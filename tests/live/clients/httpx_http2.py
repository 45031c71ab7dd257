# SPDX-License-Identifier: Apache-2.0
"""The API by hand with httpx over HTTP/2, four streams at a time on one connection.

With GT_WARM=n, the first n calls are made on the first "go", the rest on the
next one: gentap can attach in between, to a connection that was there before.
"""

import asyncio
import os
import ssl
import sys

import httpx

from client import API_KEY, HEADERS, Report, ca_file, events, finish, start


async def make(client, call):
    report = Report()
    try:
        async with client.stream("POST", call["path"], json=call["body"]) as response:
            if response.http_version != "HTTP/2":
                sys.exit("%s instead of HTTP/2" % response.http_version)
            if call["body"].get("stream") and response.is_success:
                async for line in response.aiter_lines():
                    for event in events([line]):
                        report.add_event(event)
            else:
                await response.aread()
                report.add_body(response.json())
    except (httpx.HTTPError, ValueError) as error:
        report.add_error(error)
    return report.end()


async def run(base, plan):
    gate = asyncio.Semaphore(4)
    warm = int(os.environ.get("GT_WARM", "0"))
    headers = dict(HEADERS, authorization="Bearer " + API_KEY)
    context = ssl.create_default_context(cafile=ca_file())

    async with httpx.AsyncClient(http1=False, http2=True, verify=context, headers=headers,
                                 base_url=base + "/", timeout=60, trust_env=False,
                                 limits=httpx.Limits(max_connections=1)) as client:
        async def one(call):
            async with gate:
                return await make(client, call)

        for part in filter(None, (plan[:warm], plan[warm:])):
            finish(await asyncio.gather(*(one(call) for call in part)))


if __name__ == "__main__":
    asyncio.run(run(*start()))
