# SPDX-License-Identifier: Apache-2.0
"""The dialects of dialect_server.py: one file each, a class each."""

from dialects.anthropic import Anthropic
from dialects.bedrock import Converse, Invoke
from dialects.cohere import Cohere
from dialects.gemini import Gemini
from dialects.ollama import Ollama
from dialects.openai_chat import OpenAi
from dialects.openai_media import Decisions, Images, Speech, Transcription
from dialects.openai_responses import Responses

DIALECTS = (Anthropic, Cohere, Converse, Decisions, Gemini, Images, Invoke, Ollama, OpenAi,
            Responses, Speech, Transcription)


def find(path):
    """The dialect's class whose path it is, or None."""
    return next((dialect for dialect in DIALECTS if dialect.route(path)), None)
