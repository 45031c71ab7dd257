# SPDX-License-Identifier: Apache-2.0
"""The official AWS client for Bedrock: Converse and InvokeModel, whole and streamed."""

import json
import os

import boto3
from botocore.config import Config

from sdk import SCHEMA, Sdk, main, tool_names


class Bedrock(Sdk):
    def open(self, base, is_async):
        return boto3.client("bedrock-runtime", endpoint_url=base, region_name="eu-central-1",
                            aws_access_key_id="GTCANARY-id", aws_secret_access_key="GTCANARY-key",
                            aws_session_token="GTCANARY-token", verify=os.environ["SSL_CERT_FILE"],
                            config=Config(retries={"total_max_attempts": 1}))

    def start(self, client, call):
        if call["op"] == "invoke":
            return self.invoke(client, call)
        arguments = {"modelId": call["model"], "system": [{"text": "Be brief."}],
                     "messages": [{"role": "user", "content": [{"text": call["text"]}]}],
                     "inferenceConfig": {"temperature": 0.25, "maxTokens": 900}}
        if call.get("tools"):
            arguments["toolConfig"] = {"tools": [
                {"toolSpec": {"name": name, "inputSchema": {"json": SCHEMA}}}
                for name in tool_names(call)]}
        if call.get("stream"):
            return client.converse_stream(**arguments)["stream"]
        return client.converse(**arguments)

    def invoke(self, client, call):
        body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 900,
                "messages": [{"role": "user", "content": call["text"]}]}
        if call.get("tools"):
            body["tools"] = [{"name": name, "input_schema": SCHEMA} for name in tool_names(call)]
        arguments = {"modelId": call["model"], "body": json.dumps(body),
                     "contentType": "application/json"}
        if call.get("stream"):
            return client.invoke_model_with_response_stream(**arguments)["body"]
        return client.invoke_model(**arguments)

    # --- Converse ---

    def event(self, report, event):
        if "chunk" in event:
            return self.inner(report, json.loads(event["chunk"]["bytes"]))
        if "contentBlockStart" in event:
            start = event["contentBlockStart"]["start"]["toolUse"]
            report.tool(start["toolUseId"], start["name"], "")
        delta = event.get("contentBlockDelta", {}).get("delta", {})
        report.add(text=delta.get("text"),
                   reasoning=delta.get("reasoningContent", {}).get("text"))
        if "toolUse" in delta:
            report.more_arguments(delta["toolUse"]["input"])
        report.set(finish=event.get("messageStop", {}).get("stopReason"),
                   usage=event.get("metadata", {}).get("usage"))
        return None

    def whole(self, report, answer):
        if report.call["op"] == "invoke":
            return self.message(report, json.loads(answer["body"].read()))
        report.set(finish=answer["stopReason"], usage=answer["usage"])
        for part in answer["output"]["message"]["content"]:
            report.add(text=part.get("text"), reasoning=part.get("reasoningContent", {}).get(
                "reasoningText", {}).get("text"))
            if "toolUse" in part:
                tool = part["toolUse"]
                report.tool(tool["toolUseId"], tool["name"], tool["input"])
        return None

    # --- InvokeModel, whose body is Anthropic's ---

    @staticmethod
    def message(report, message):
        report.set(id=message["id"], model=message["model"], finish=message["stop_reason"],
                   usage=message["usage"])
        for block in message["content"]:
            report.add(text=block.get("text"), reasoning=block.get("thinking"))
            if block["type"] == "tool_use":
                report.tool(block["id"], block["name"], block["input"])

    def inner(self, report, event):
        kind = event["type"]
        if kind == "message_start":
            self.message(report, event["message"])
        elif kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
            report.tool(event["content_block"]["id"], event["content_block"]["name"], "")
        elif kind == "content_block_delta":
            delta = event["delta"]
            report.add(text=delta.get("text"), reasoning=delta.get("thinking"))
            if "partial_json" in delta:
                report.more_arguments(delta["partial_json"])
        elif kind == "message_delta":
            report.set(finish=event["delta"]["stop_reason"])
            report.fields["usage"].update(event["usage"])


main(Bedrock())
