# SPDX-License-Identifier: Apache-2.0
"""The synchronous OpenAI client; imports it, and so ssl, only once told to go.

GT_THREADS: how many threads make the calls (1 by default).
"""

import os
from concurrent.futures import ThreadPoolExecutor

from client import API_KEY, HEADERS, Report, finish, start


def call_of(client, path):
    return {"chat/completions": client.chat.completions, "completions": client.completions,
            "embeddings": client.embeddings}[path].create


def make(client, call):
    import openai
    report = Report()
    try:
        answer = call_of(client, call["path"])(**call["body"])
        if call["body"].get("stream"):
            for number, event in enumerate(answer, 1):
                report.add_event(event.model_dump())
                if number == call.get("abort_after"):
                    answer.close()
                    break
        else:
            report.add_body(answer.model_dump())
    except openai.OpenAIError as error:
        report.add_error(error)
    return report.end()


def main():
    base, plan = start()
    import openai
    client = openai.OpenAI(base_url=base, api_key=API_KEY, default_headers=HEADERS)
    with ThreadPoolExecutor(int(os.environ.get("GT_THREADS", 1))) as pool:
        finish(list(pool.map(lambda call: make(client, call), plan)))


main()
