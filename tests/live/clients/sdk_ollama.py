# SPDX-License-Identifier: Apache-2.0
"""The official Ollama client."""

from ollama import AsyncClient, Client

from sdk import KEY, SCHEMA, Sdk, main, tool_names


class OllamaSdk(Sdk):
    def open(self, base, is_async):
        return (AsyncClient if is_async else Client)(
            host=base, headers={"authorization": "Bearer " + KEY})

    def start(self, client, call):
        if call["op"] == "embed":
            return client.embed(model=call["model"], input=[call["text"], "another"])
        arguments = {"model": call["model"], "stream": bool(call.get("stream")),
                     "options": {"temperature": 0.2}}
        if call["model"].endswith("reason"):
            arguments["think"] = True
        if call["op"] == "generate":
            return client.generate(prompt=call["text"], **arguments)
        if call.get("tools"):
            arguments["tools"] = [{"type": "function", "function": {
                "name": name, "description": "asks", "parameters": SCHEMA}}
                for name in tool_names(call)]
        return client.chat(messages=[{"role": "user", "content": call["text"]}], **arguments)

    def event(self, report, event):
        self.whole(report, event)

    def whole(self, report, answer):
        report.set(model=answer.model)
        if report.call["op"] == "embed":
            report.set(usage={"prompt_eval_count": answer.prompt_eval_count})
            return report.shape(answer.embeddings)
        if answer.done:
            report.set(finish=answer.done_reason,
                       usage={"prompt_eval_count": answer.prompt_eval_count,
                              "eval_count": answer.eval_count})
        if report.call["op"] == "generate":
            report.add(text=answer.response, reasoning=answer.thinking)
            return None
        report.add(text=answer.message.content, reasoning=answer.message.thinking)
        for tool in answer.message.tool_calls or []:
            # The client drops the id.
            report.tool(None, tool.function.name, dict(tool.function.arguments))
        return None


main(OllamaSdk())
