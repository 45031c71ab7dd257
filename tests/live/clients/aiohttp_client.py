# SPDX-License-Identifier: Apache-2.0
"""The API by hand with aiohttp, eight calls at a time over memory BIOs."""

import asyncio
import ssl

import aiohttp

from client import API_KEY, HEADERS, Report, ca_file, events, finish, start


async def make(session, base, call):
    report = Report()
    try:
        async with session.post(base + "/" + call["path"], json=call["body"]) as response:
            if call["body"].get("stream") and response.ok:
                async for line in response.content:
                    for event in events([line.decode().rstrip("\n")]):
                        report.add_event(event)
            else:
                report.add_body(await response.json())
    except (aiohttp.ClientError, ValueError) as error:
        report.add_error(error)
    return report.end()


async def run(base, plan):
    context = ssl.create_default_context(cafile=ca_file())
    headers = dict(HEADERS, authorization="Bearer " + API_KEY)
    connector = aiohttp.TCPConnector(ssl=context, limit=8)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        return await asyncio.gather(*(make(session, base, call) for call in plan))


base_url, calls = start()
finish(asyncio.run(run(base_url, calls)))
