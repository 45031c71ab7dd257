#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a tiny Llama model with random weights and its own tokenizer on the disk.

1.4 million parameters, 3 MB: what it says is noise, but vLLM serves it as it
serves any other. The tokenizer is trained on the standard library's sources and
falls back on bytes, so that answers hold every kind of character, among them
broken UTF-8. Nothing is fetched. The seed is fixed: the model is the same each time.

usage: tiny_model.py OUT_DIR       with the Python of vLLM's environment
"""
import os
import pathlib
import shutil
import sys
import sysconfig

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")

import tokenizers
import torch
import transformers
from tokenizers import decoders, pre_tokenizers, trainers

CONTEXT = 2048          # tokens, prompt and answer
VOCABULARY = 4096
END_OF_TEXT, TURN, END_OF_TURN = SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

CHAT_TEMPLATE = """\
{%- for message in messages %}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}
{%- else %}{{ message['content'] | map(attribute='text') | join('') }}{% endif %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def training_texts():
    """Any text will do; this one is on every machine that has Python."""
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.glob("*.py"))[:120]:
        yield path.read_text(encoding="utf-8", errors="replace")


def make_tokenizer():
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(training_texts(), trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END_OF_TEXT, pad_token=END_OF_TEXT,
        eos_token=END_OF_TURN, model_max_length=CONTEXT)
    fast.chat_template = CHAT_TEMPLATE
    return fast


def make_model(tokenizer):
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
           "pad_token_id": tokenizer.pad_token_id}
    torch.manual_seed(7)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=256,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=32,
        max_position_embeddings=CONTEXT, tie_word_embeddings=False, dtype="bfloat16", **ids))
    model.generation_config = transformers.GenerationConfig(do_sample=True, **ids)
    return model.to(torch.bfloat16)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = pathlib.Path(sys.argv[1])
    # Under its own name only when it is whole.
    half = out.with_name(out.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    shutil.rmtree(out, ignore_errors=True)

    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(half)
    model = make_model(tokenizer)
    model.save_pretrained(half)
    half.rename(out)
    print(f"made {out}: {model.num_parameters():,} parameters, {len(tokenizer)} tokens")


if __name__ == "__main__":
    main()
