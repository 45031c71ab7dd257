# SPDX-License-Identifier: Apache-2.0
"""The official Anthropic client; a stream's answer is its own accumulated message."""

import inspect

from anthropic import Anthropic, AsyncAnthropic

from sdk import KEY, SCHEMA, Sdk, main, tool_names


class AnthropicSdk(Sdk):
    def open(self, base, is_async):
        return (AsyncAnthropic if is_async else Anthropic)(base_url=base, api_key=KEY,
                                                           max_retries=0)

    def start(self, client, call):
        arguments = {"model": call["model"], "max_tokens": 1000, "system": "Be brief.",
                     "messages": [{"role": "user", "content": call["text"]}]}
        if call.get("tools"):
            arguments["tools"] = [{"name": name, "input_schema": SCHEMA}
                                  for name in tool_names(call)]
        if call["model"].endswith("reason"):
            arguments["thinking"] = {"type": "enabled", "budget_tokens": 1024}
            arguments["max_tokens"] = 2000
        return getattr(client.messages, "stream" if call.get("stream") else "create")(**arguments)

    def event(self, report, event):
        if event.type == "content_block_delta" and event.delta.type != "signature_delta":
            report.mark()

    def last(self, report, stream):
        final = stream.get_final_message()
        if not inspect.isawaitable(final):
            return self.whole(report, final)

        async def read():
            self.whole(report, await final)
        return read()

    def whole(self, report, answer):
        report.set(id=answer.id, model=answer.model, finish=answer.stop_reason,
                   usage=answer.usage)
        for block in answer.content:
            if block.type == "text":
                report.fields["text"] += block.text
            elif block.type == "thinking":
                report.fields["reasoning"] += block.thinking
            elif block.type == "tool_use":
                report.fields["tools"].append([block.id, block.name, block.input])


main(AnthropicSdk())
