# SPDX-License-Identifier: Apache-2.0
"""The official Cohere client, API v2."""

from cohere import AsyncClientV2, ClientV2

from sdk import KEY, SCHEMA, Sdk, main, tool_names

ONCE = {"max_retries": 0}


class CohereSdk(Sdk):
    def open(self, base, is_async):
        return (AsyncClientV2 if is_async else ClientV2)(api_key=KEY, base_url=base)

    def start(self, client, call):
        if call["op"] == "embed":
            return client.embed(model=call["model"], texts=[call["text"], "another"],
                                input_type="search_document", embedding_types=["float"],
                                request_options=ONCE)
        if call["op"] == "rerank":
            return client.rerank(model=call["model"], query=call["text"],
                                 documents=["one", "two", "three"], top_n=2,
                                 request_options=ONCE)
        arguments = {"model": call["model"], "temperature": 0.2,
                     "messages": [{"role": "user", "content": call["text"]}]}
        if call.get("tools"):
            arguments["tools"] = [{"type": "function", "function": {
                "name": name, "parameters": SCHEMA}} for name in tool_names(call)]
        return (client.chat_stream if call.get("stream") else client.chat)(
            **arguments, request_options=ONCE)

    def event(self, report, event):
        message = getattr(getattr(event, "delta", None), "message", None)
        if event.type == "message-start":
            report.set(id=event.id)
        elif event.type == "content-delta":
            report.add(text=message.content.text, reasoning=message.content.thinking)
        elif event.type == "tool-plan-delta":
            report.add(reasoning=message.tool_plan)
        elif event.type == "tool-call-start":
            report.tool(message.tool_calls.id, message.tool_calls.function.name, "")
        elif event.type == "tool-call-delta":
            report.more_arguments(message.tool_calls.function.arguments)
        elif event.type == "message-end":
            report.set(finish=event.delta.finish_reason, usage=event.delta.usage)
            if event.delta.error:
                report.fields["error"] = {"class": None, "message": event.delta.error}

    def whole(self, report, answer):
        report.set(id=answer.id)
        if report.call["op"] == "embed":
            report.set(usage=answer.meta)
            return report.shape(answer.embeddings.float_)
        if report.call["op"] == "rerank":
            report.set(usage=answer.meta, ranks=[[one.index, one.relevance_score]
                                                 for one in answer.results])
            return None
        report.set(finish=answer.finish_reason, usage=answer.usage)
        report.add(reasoning=answer.message.tool_plan)
        for part in answer.message.content or []:
            report.add(**{"reasoning" if part.type == "thinking" else "text":
                          part.thinking if part.type == "thinking" else part.text})
        for tool in answer.message.tool_calls or []:
            report.tool(tool.id, tool.function.name, tool.function.arguments)
        return None


main(CohereSdk())
