# SPDX-License-Identifier: Apache-2.0
"""The official OpenAI client: every operation of it that gentap understands.

GT_AZURE: its client for Azure, whose paths name the deployment.
"""

import hashlib
import io
import os

from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI

from sdk import KEY, SCHEMA, Sdk, main, tool_names

QUESTIONS = [{"type": "predicate", "instructions": "it is long", "name": "long"},
             {"type": "choice", "instructions": "which", "choices": [{"value": "a"},
                                                                    {"value": "b"}]},
             {"type": "score", "instructions": "how", "levels": [{"label": "low"},
                                                                {"label": "high"}]}]


class OpenAiSdk(Sdk):
    def open(self, base, is_async):
        if os.environ.get("GT_AZURE"):
            return (AsyncAzureOpenAI if is_async else AzureOpenAI)(
                azure_endpoint=base, api_key=KEY, api_version="2026-10-01", max_retries=0)
        return (AsyncOpenAI if is_async else OpenAI)(base_url=base + "/v1", api_key=KEY,
                                                     max_retries=0)

    def start(self, client, call):
        return getattr(self, "start_" + call["op"])(client, call, {
            "model": call["model"], **({"stream": True} if call.get("stream") else {})})

    @staticmethod
    def start_chat(client, call, arguments):
        arguments["messages"] = [{"role": "system", "content": "Be brief."},
                                 {"role": "user", "content": call["text"]}]
        if call.get("stream"):
            arguments["stream_options"] = {"include_usage": True}
        if call.get("tools"):
            arguments["tools"] = [{"type": "function", "function": {
                "name": name, "parameters": SCHEMA}} for name in tool_names(call)]
        return client.chat.completions.create(**arguments)

    @staticmethod
    def start_completion(client, call, arguments):
        if call.get("stream"):
            arguments["stream_options"] = {"include_usage": True}
        return client.completions.create(prompt=call["text"], **arguments)

    @staticmethod
    def start_responses(client, call, arguments):
        if call.get("tools"):
            arguments["tools"] = [{"type": "function", "name": name, "parameters": SCHEMA,
                                   "strict": False} for name in tool_names(call)]
        return client.responses.create(input=call["text"], instructions="Be brief.", **arguments)

    @staticmethod
    def start_embed(client, call, arguments):
        return client.embeddings.create(input=[call["text"], "another"], **arguments)

    @staticmethod
    def start_decision(client, call, arguments):
        return client.decisions.create(input=call["text"], questions=QUESTIONS, **arguments)

    @staticmethod
    def start_image(client, call, arguments):
        if call.get("stream"):
            arguments["partial_images"] = 2
        if call["model"].endswith("two"):
            arguments["n"] = 2
        return client.images.generate(prompt=call["text"], size="1024x1024", **arguments)

    @staticmethod
    def start_speech(client, call, arguments):
        return client.audio.speech.create(input=call["text"], voice="alloy", **arguments)

    @staticmethod
    def start_transcription(client, call, arguments):
        file = io.BytesIO(b"RIFF" + bytes(range(256)) * 100)
        file.name = "said.wav"
        return client.audio.transcriptions.create(file=file, prompt=call["text"],
                                                  response_format="json", **arguments)

    # --- what comes ---

    def event(self, report, event):
        getattr(self, "event_" + report.call["op"])(report, event)

    def whole(self, report, answer):
        getattr(self, "whole_" + report.call["op"])(report, answer)

    def event_chat(self, report, event):
        report.set(id=event.id, model=event.model, usage=event.usage)
        for choice in event.choices:
            report.set(finish=choice.finish_reason)
            report.add(choice.delta.content, getattr(choice.delta, "reasoning_content", None),
                       choice.delta.refusal)
            for part in choice.delta.tool_calls or []:
                if part.id:
                    report.tool(part.id, part.function.name, "")
                report.more_arguments(part.function.arguments, part.index)

    def whole_chat(self, report, answer):
        message = answer.choices[0].message
        report.set(id=answer.id, model=answer.model, usage=answer.usage,
                   finish=answer.choices[0].finish_reason)
        report.add(message.content, getattr(message, "reasoning_content", None), message.refusal)
        for tool in message.tool_calls or []:
            report.tool(tool.id, tool.function.name, tool.function.arguments)

    def event_completion(self, report, event):
        report.set(id=event.id, model=event.model, usage=event.usage)
        for choice in event.choices:
            report.set(finish=choice.finish_reason)
            report.add(choice.text)

    def whole_completion(self, report, answer):
        self.event_completion(report, answer)

    def event_responses(self, report, event):
        if event.type.endswith(".delta"):
            report.mark()
        elif event.type in ("response.completed", "response.incomplete", "response.failed"):
            self.whole_responses(report, event.response)

    def whole_responses(self, report, answer):
        why = answer.incomplete_details
        report.set(id=answer.id, model=answer.model, usage=answer.usage, text=answer.output_text,
                   finish=why.reason if why else answer.status)
        if answer.error:
            report.fields["error"] = {"class": None, "message": answer.error.message}
        for item in answer.output:
            if item.type == "reasoning":
                report.fields["reasoning"] += "".join(one.text for one in item.summary)
            elif item.type == "function_call":
                report.fields["tools"].append([item.call_id, item.name, item.arguments])
            elif item.type == "message":
                report.fields["refusal"] += "".join(part.refusal for part in item.content
                                                    if part.type == "refusal")

    def whole_embed(self, report, answer):
        report.set(model=answer.model, usage=answer.usage)
        report.shape([one.embedding for one in answer.data])

    def whole_decision(self, report, answer):
        report.set(model=answer.model, usage=answer.usage,
                   answers=[one.model_dump() for one in answer.answers])

    def event_image(self, report, event):
        report.mark()
        report.set(usage=getattr(event, "usage", None))

    def whole_image(self, report, answer):
        report.set(usage=answer.usage, images=len(answer.data))

    def whole_speech(self, report, answer):
        report.set(audio={"bytes": len(answer.content),
                          "sha256": hashlib.sha256(answer.content).hexdigest()})

    def event_transcription(self, report, event):
        if event.type == "transcript.text.delta":
            report.add(text=event.delta)
        else:
            report.set(usage=event.usage)

    def whole_transcription(self, report, answer):
        report.set(text=answer.text, usage=answer.usage)


if __name__ == "__main__":
    main(OpenAiSdk())
