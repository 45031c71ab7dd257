# SPDX-License-Identifier: Apache-2.0
"""The official Mistral client: OpenAI's grammar with content in parts."""

from mistralai.client import Mistral

from sdk import KEY, SCHEMA, Sdk, main, tool_names


class MistralSdk(Sdk):
    def open(self, base, is_async):
        self.is_async = is_async
        return Mistral(api_key=KEY, server_url=base)

    def start(self, client, call):
        suffix = "_async" if self.is_async else ""
        if call["op"] == "embed":
            return getattr(client.embeddings, "create" + suffix)(model=call["model"],
                                                                 inputs=[call["text"]])
        name = ("stream" if call.get("stream") else "complete") + suffix
        if call["op"] == "fim":
            return getattr(client.fim, name)(model=call["model"], prompt=call["text"],
                                             suffix="return x")
        arguments = {"model": call["model"], "temperature": 0.2,
                     "messages": [{"role": "user", "content": call["text"]}]}
        if call.get("tools"):
            arguments["tools"] = [{"type": "function", "function": {
                "name": name, "parameters": SCHEMA}} for name in tool_names(call)]
        return getattr(client.chat, name)(**arguments)

    def event(self, report, event):
        self.take(report, event.data, event.data.choices[0].delta)

    def whole(self, report, answer):
        if report.call["op"] == "embed":
            report.set(id=answer.id, model=answer.model, usage=answer.usage)
            return report.shape([one.embedding for one in answer.data])
        self.take(report, answer, answer.choices[0].message)

    def take(self, report, answer, message):
        report.set(id=answer.id, model=answer.model, finish=answer.choices[0].finish_reason,
                   usage=answer.usage)
        content = message.content or []
        for part in [content] if isinstance(content, str) else content:
            if isinstance(part, str):
                report.add(text=part)
            elif part.type == "thinking":
                report.add(reasoning="".join(one.text for one in part.thinking))
            else:
                report.add(text=part.text)
        for tool in message.tool_calls or []:
            report.tool(tool.id, tool.function.name, tool.function.arguments)


main(MistralSdk())
