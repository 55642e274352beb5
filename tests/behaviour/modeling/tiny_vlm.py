"""Tiny vision-language models from config, each with a tokenizer and a processor made here."""

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

SIDE, PATCH = 32, 8
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<image>")


def tokenizer(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """A word tokenizer; each of the answers is one token unless a word of it is unknown."""
    vocabulary = {
        word: row for row, word in enumerate(dict.fromkeys([*SPECIAL, *words]))
    }
    made = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    made.normalizer, made.pre_tokenizer = Lowercase(), Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=["<image>"],
    )


def save_llava(
    folder: Path, words: Sequence[str], positions: int = 512, seed: int = 0
) -> Path:
    """LLaVA of about thirty thousand weights."""
    text = tokenizer(words)
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=PATCH,
        initializer_factor=4.0,
    )
    language = LlamaConfig(
        vocab_size=len(text),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        initializer_range=0.1,
        pad_token_id=text.pad_token_id,
        bos_token_id=text.bos_token_id,
        eos_token_id=text.eos_token_id,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=language,
        image_token_index=text.convert_tokens_to_ids("<image>"),
        image_seq_length=(SIDE // PATCH) ** 2,
        vision_feature_layer=-1,
    )
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(config)
    with torch.no_grad():
        # Words that are told apart clearly: LoRA trains no word's own vector.
        model.lm_head.weight.mul_(6.0)
    model.save_pretrained(folder)
    eyes = CLIPImageProcessorPil(
        size={"height": SIDE, "width": SIDE},
        crop_size={"height": SIDE, "width": SIDE},
        do_center_crop=False,
    )
    processor = LlavaProcessor(
        eyes,
        text,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    processor.save_pretrained(folder)
    return folder
