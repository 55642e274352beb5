"""A causal language model from a local folder: tiny, made from a configuration, run for real."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from kindling.errors import ConfigurationError, DataError
from kindling.llm.chat import Request
from kindling.llm.in_process import InProcessChat
from kindling.llm.metered import MeteredLlm
from kindling.ports.llm import Message
from kindling.stores.memory import MemoryStanding

WORDS = "<unk> <end> user assistant : good bad the dress is soft and torn".split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tiny")
    vocabulary = {word: at for at, word in enumerate(WORDS)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<end>"
    ).save_pretrained(path)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        bos_token_id=None,
        eos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(path)
    return str(path)


def request(text: str = "the dress is", **fields: object) -> Request:
    return Request((Message("user", text),), **fields)  # type: ignore[arg-type]


def test_a_seed_decides_the_answer(folder: str) -> None:
    chat = InProcessChat(folder)
    one, two, other = (
        chat.answer(request(temperature=2.0, max_tokens=12, seed=seed), "").text
        for seed in (1, 1, 2)
    )
    assert one == two != other


def test_tokens_are_counted_and_an_answer_at_the_limit_is_cut_off(folder: str) -> None:
    answer = InProcessChat(folder).answer(request(max_tokens=5), "")
    assert answer.prompt_tokens == len("user : the dress is assistant :".split())
    assert answer.completion_tokens <= 5
    assert answer.cut_off == (answer.completion_tokens == 5)
    assert request().most_prompt_tokens >= answer.prompt_tokens


def test_options_are_scored_by_their_own_probability(folder: str) -> None:
    llm = MeteredLlm(InProcessChat(folder), MemoryStanding(), "run")
    odds = llm.choose([Message("user", "the dress is")], ("good", "soft and torn"))
    assert sum(odds.values()) == pytest.approx(1)
    assert all(value > 0 for value in odds.values())


def test_a_prompt_longer_than_the_model_reads_is_an_error(folder: str) -> None:
    with pytest.raises(DataError, match="the prompt has .* tokens, the model reads 64"):
        InProcessChat(folder).answer(request("soft " * 100), "")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no config.json there"):
        InProcessChat(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "nothing"}')
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        InProcessChat(str(tmp_path))
