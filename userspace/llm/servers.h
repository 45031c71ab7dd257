/* SPDX-License-Identifier: Apache-2.0 */
/* Dialects of model servers and of providers with a grammar of their own. Private to llm/. */
#ifndef GENTAP_LLM_SERVERS_H
#define GENTAP_LLM_SERVERS_H

#include "llm/dialect.h"

extern const struct dialect ollama_chat, ollama_generate, ollama_embed;
extern const struct dialect cohere_chat, cohere_embed;
extern const struct dialect tgi_generate, llamacpp_completion, sglang_generate;
extern const struct dialect mistral_fim;
extern const struct dialect rerank, vllm_score, vllm_pooling, vllm_classify, vllm_generate;

#endif
