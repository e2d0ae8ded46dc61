"""GGUF files in place of the big models: their architecture and chat format, but no knowledge.

Two kinds: small ones, with random weights; and hollow ones, of the real model's size and shape, whose weights are a
hole in the file. A hollow one takes no disk, but as much memory and time as the real one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

# As published with the models (tokenizer_config.json), Qwen's without its branch for tools.
QWEN_TEMPLATE = """\
{%- if messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant") %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
PHI_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') %}"
    "{{'<|user|>' + '\n' + message['content'] + '<|end|>' + '\n' + '<|assistant|>' + '\n'}}"
    "{% elif (message['role'] == 'assistant') %}{{message['content'] + '<|end|>' + '\n'}}{% endif %}{% endfor %}"
)
TINYLLAMA_TEMPLATE = """\
{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}
"""


@dataclass(frozen=True)
class Shape:
    """A model's dimensions and words. `specials` are control tokens; bos and eos are among them."""

    architecture: str
    layers: int
    embedding: int
    feed_forward: int
    heads: int
    kv_heads: int
    vocabulary: int
    context_tokens: int
    template: str
    specials: tuple[str, ...]
    bos: str | None
    eos: str
    bytes_first: bool  # a byte-level vocabulary, as GPT-2's; else SentencePiece's


QWEN = Shape(
    "qwen2", 28, 1536, 8960, 12, 2, 151_936, 32_768, QWEN_TEMPLATE,
    ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), None, "<|im_end|>", bytes_first=True,
)  # fmt: skip
PHI = Shape(
    "phi3", 32, 3072, 8192, 32, 32, 32_064, 4096, PHI_TEMPLATE,
    ("<s>", "</s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"),
    "<s>", "<|endoftext|>", bytes_first=False,
)  # fmt: skip
TINYLLAMA = Shape(
    "llama", 22, 2048, 5632, 32, 4, 32_000, 2048, TINYLLAMA_TEMPLATE, ("<s>", "</s>"), "<s>", "</s>", bytes_first=False
)

# Larger than the embedded model, and still quick: most of it is vocabulary.
LARGER = replace(QWEN, layers=2, embedding=512, feed_forward=512, heads=8)


def small(shape: Shape) -> Shape:
    """The same format in some hundred kilobytes."""
    vocabulary = 256 + len(shape.specials) + 64
    return replace(shape, layers=2, embedding=64, feed_forward=128, heads=4, kv_heads=2, vocabulary=vocabulary)


def write(path: Path, shape: Shape, *, weights: Type = Type.F16, hollow: bool = False, seed: int = 1) -> Path:
    """Write the file. `weights` is the type of all matrices."""
    writer = gguf.GGUFWriter(str(path), shape.architecture)
    _describe(writer, shape)
    tensors = list(_tensors(shape, weights))
    for name, rows, columns, kind in tensors:
        block, size = gguf.GGML_QUANT_SIZES[kind]
        count = (rows or 1) * columns
        writer.add_tensor_info(
            name, (rows, columns) if rows else (columns,), np.dtype(np.float32), count // block * size, raw_dtype=kind
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("ab") as file:
        file.truncate(-(-file.tell() // 32) * 32)
        file.seek(0, 2)
        noise = np.random.default_rng(seed)
        for _, rows, columns, kind in tensors:
            block, size = gguf.GGML_QUANT_SIZES[kind]
            length = (rows or 1) * columns // block * size
            end = file.tell() + -(-length // 32) * 32
            if not hollow:
                values = noise.normal(0, 0.02, (rows or 1) * columns) if rows else np.ones(columns)
                file.write(values.astype(np.float16 if kind == Type.F16 else np.float32).tobytes())
            file.truncate(end)
            file.seek(0, 2)
    return path


def _describe(writer: gguf.GGUFWriter, shape: Shape) -> None:
    head = shape.embedding // shape.heads
    writer.add_name("Generated")
    writer.add_context_length(shape.context_tokens)
    writer.add_embedding_length(shape.embedding)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(head)
    writer.add_layer_norm_rms_eps(1e-5)
    words, kinds = _words(shape)
    writer.add_tokenizer_model("gpt2" if shape.bytes_first else "llama")
    if shape.bytes_first:
        writer.add_tokenizer_pre("qwen2")
        writer.add_token_merges(["a b"])
    else:
        writer.add_token_scores([-float(index) for index in range(len(words))])
    writer.add_token_list(words)
    writer.add_token_types(kinds)
    if shape.bos:
        writer.add_bos_token_id(words.index(shape.bos))
    writer.add_add_bos_token(shape.bos is not None)
    writer.add_eos_token_id(words.index(shape.eos))
    writer.add_chat_template(shape.template)


def _words(shape: Shape) -> tuple[list[str], list[int]]:
    if shape.bytes_first:
        single = [_gpt2_character(byte) for byte in range(256)]
        kinds = [gguf.TokenType.NORMAL] * 256
    else:
        single = [f"<0x{byte:02X}>" for byte in range(256)]
        kinds = [gguf.TokenType.BYTE] * 256
    specials = list(shape.specials)
    unknown = [] if shape.bytes_first else ["<unk>"]
    words = unknown + specials + single
    all_kinds = [gguf.TokenType.UNKNOWN] * len(unknown) + [gguf.TokenType.CONTROL] * len(specials) + kinds
    while len(words) < shape.vocabulary:
        words.append(f"w{len(words)}")
        all_kinds.append(gguf.TokenType.NORMAL)
    return words, [int(kind) for kind in all_kinds]


def _gpt2_character(byte: int) -> str:
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    if byte in printable:
        return chr(byte)
    return chr(256 + [other for other in range(256) if other not in printable].index(byte))


def _tensors(shape: Shape, weights: Type) -> Iterator[tuple[str, int, int, Type]]:
    """Name, rows (0 for a vector), columns, type."""
    width, inner = shape.embedding, shape.feed_forward
    kv = width // shape.heads * shape.kv_heads
    yield "token_embd.weight", shape.vocabulary, width, weights
    yield "output_norm.weight", 0, width, Type.F32
    if shape.architecture != "qwen2":  # whose output shares the embedding
        yield "output.weight", shape.vocabulary, width, weights
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        yield f"{block}attn_norm.weight", 0, width, Type.F32
        yield f"{block}ffn_norm.weight", 0, width, Type.F32
        if shape.architecture == "phi3":
            yield f"{block}attn_qkv.weight", width + 2 * kv, width, weights
            yield f"{block}ffn_up.weight", 2 * inner, width, weights
        else:
            yield f"{block}attn_q.weight", width, width, weights
            yield f"{block}attn_k.weight", kv, width, weights
            yield f"{block}attn_v.weight", kv, width, weights
            yield f"{block}ffn_gate.weight", inner, width, weights
            yield f"{block}ffn_up.weight", inner, width, weights
        if shape.architecture == "qwen2":
            for name, size in (("q", width), ("k", kv), ("v", kv)):
                yield f"{block}attn_{name}.bias", 0, size, Type.F32
        yield f"{block}attn_output.weight", width, width, weights
        yield f"{block}ffn_down.weight", width, inner, weights
