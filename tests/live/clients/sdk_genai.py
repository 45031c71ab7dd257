# SPDX-License-Identifier: Apache-2.0
"""The official google-genai client."""

from google import genai
from google.genai import types

from sdk import KEY, SCHEMA, Sdk, main, tool_names


class GenAi(Sdk):
    def open(self, base, is_async):
        client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=base))
        self.client = client    # its end would close the connections of .aio
        return client.aio if is_async else client

    def start(self, client, call):
        if call["op"] == "embed":
            return client.models.embed_content(model=call["model"], contents=call["text"])
        config = types.GenerateContentConfig(system_instruction="Be brief.", temperature=0.2)
        if call.get("tools"):
            config.tools = [types.Tool(function_declarations=[
                types.FunctionDeclaration(name=name, parameters_json_schema=SCHEMA)
                for name in tool_names(call)])]
            config.automatic_function_calling = types.AutomaticFunctionCallingConfig(disable=True)
        if call["model"].endswith("reason"):
            config.thinking_config = types.ThinkingConfig(include_thoughts=True)
        name = "generate_content_stream" if call.get("stream") else "generate_content"
        return getattr(client.models, name)(model=call["model"], contents=call["text"],
                                            config=config)

    def event(self, report, event):
        self.whole(report, event)

    def whole(self, report, answer):
        if report.call["op"] == "embed":
            return report.shape([one.values for one in answer.embeddings])
        report.set(id=answer.response_id, model=answer.model_version,
                   usage=answer.usage_metadata and
                   answer.usage_metadata.model_dump(mode="json", exclude_none=True))
        for candidate in answer.candidates or []:
            report.set(finish=candidate.finish_reason and candidate.finish_reason.value)
            for part in (candidate.content and candidate.content.parts) or []:
                if part.function_call:
                    report.tool(part.function_call.id, part.function_call.name,
                                part.function_call.args)
                elif part.thought:
                    report.add(reasoning=part.text)
                else:
                    report.add(text=part.text)


main(GenAi())
