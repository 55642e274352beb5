"""A vision-language model by folder learns, looks at the photo, and comes back from its folder as it was."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kindling.errors import ConfigurationError, DataError
from kindling.extensions import load_classifier
from kindling.modeling import vlm
from kindling.modeling.vlm import preflight, weights
from kindling.modeling.vlm.conversation import (
    MASKED,
    Conversation,
    Turn,
    answer_log_likelihood,
    answer_loss,
)
from kindling.modeling.vlm.job import Job, Row, write_photo
from kindling.modeling.vlm.model import VlmModel
from kindling.modeling.vlm.reading import answer_logits
from kindling.ports.classifier import Trained, TrainingData
from kindling.records import SENTIMENTS, Example
from kindling.stores.memory import MemoryObjects

Save = Callable[..., Path]


@pytest.fixture(scope="module")
def turns(drawn) -> list[Turn]:
    photos: dict[str, bytes] = {}
    examples = drawn[0](8, "train", 1, photos, photo_share=1.0)
    return [Turn(one.text, photos[one.photo_uri]) for one in examples]


@pytest.fixture
def conversation(llava: Path) -> Conversation:
    return Conversation(weights.load(llava)[1], 64)


def test_only_the_answer_and_its_end_are_learned(
    conversation: Conversation, turns: list[Turn]
) -> None:
    batch = conversation.with_answers(turns[:3], [2, 0, 1])
    end = conversation.tokenizer.eos_token_id
    for row, answer in enumerate((2, 0, 1)):
        kept = batch["labels"][row] != MASKED
        learned = batch["labels"][row][kept].tolist()
        assert learned == [*conversation.answers[answer], end]
        assert batch["input_ids"][row][kept].tolist() == learned


def test_a_long_text_is_cut_and_the_answer_is_not(
    conversation: Conversation, turns: list[Turn]
) -> None:
    long = Turn("lovely " * 900, turns[0].photo)
    batch = conversation.with_answers([long], [0])
    assert batch["input_ids"].shape[1] < 64 + 80
    assert int((batch["labels"] != MASKED).sum()) == 2


def test_a_review_cannot_write_special_tokens(conversation: Conversation) -> None:
    plain = conversation.prompts([Turn("lovely vase")])
    hostile = conversation.prompts([Turn("lovely <image> </s> vase")])
    assert torch.equal(plain["input_ids"], hostile["input_ids"])


def test_probabilities_of_several_tokens_are_the_same_as_of_one(
    save_llava: Save, llava_words: list[str], tmp_path: Path
) -> None:
    """Where an answer is one token the prompt is read once; the long way gives the same numbers."""
    model, processor = weights.load(save_llava(tmp_path, [*llava_words, *SENTIMENTS]))
    conversation = Conversation(processor, 64)
    asked = [Turn("a lovely vase"), Turn("the lamp broke and is plain")]
    short = answer_logits(model, conversation, asked)
    for at in range(len(SENTIMENTS)):
        batch = conversation.with_answers(asked, [at, at])
        labels = batch.pop("labels")
        ends = labels == conversation.tokenizer.eos_token_id
        with torch.inference_mode():
            logits = model(**batch).logits
        said = answer_log_likelihood(logits, labels.masked_fill(ends, MASKED))
        assert said.numpy() == pytest.approx(short[:, at], abs=1e-4)


def test_answers_change_with_the_photo(llava: Path, turns: list[Turn]) -> None:
    model, processor = weights.load(llava)
    asked = [Turn(turns[0].text, one.photo) for one in turns[:4]]
    logits = answer_logits(model, Conversation(processor, 64), asked)
    assert np.ptp(logits, axis=0).max() > 0.01


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_a_step_learns_with_and_without_a_photo(
    llava: Path, turns: list[Turn], tuning: str
) -> None:
    model, processor = weights.load(llava)
    conversation = Conversation(processor, 64)
    options = vlm.Options(folder=str(llava), tuning=tuning, lora_rank=4)
    module = weights.trainable(model, options, seed=1)
    trained = [one for one in module.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=5e-3)
    plain = [Turn(one.text) for one in turns[:4]]
    module.train()
    losses = []
    for step in range(12):
        asked = (turns[:4], plain)[step % 2]
        batch = conversation.with_answers(asked, [0, 1, 2, 0])
        labels = batch.pop("labels")
        loss = answer_loss(module(**batch, use_cache=False).logits, labels).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[1] - 0.3 and losses[-2] < losses[0] - 0.3


def test_merging_lora_changes_no_answer(llava: Path, turns: list[Turn]) -> None:
    model, processor = weights.load(llava)
    conversation = Conversation(processor, 64)
    untouched = answer_logits(model, conversation, turns[:4])
    options = vlm.Options(folder=str(llava), activation_checkpointing=False)
    adapted = weights.trainable(model, options, seed=1)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(0))
    before = answer_logits(adapted, conversation, turns[:4])
    after = answer_logits(weights.merged(adapted), conversation, turns[:4])
    assert np.abs(before - untouched).max() > 0.05
    assert after == pytest.approx(before, abs=1e-4)


def test_a_saved_model_answers_as_before(
    llava: Path, turns: list[Turn], tmp_path: Path
) -> None:
    model, processor = weights.load(llava)
    made = VlmModel(model, processor, weights.locate(llava), 64, temperature=1.7)
    texts = [turns[0].text, None, turns[2].text]
    photos = [turns[0].photo, turns[1].photo, None]
    said = made.predict(texts, photos)
    made.save(tmp_path / "model")
    found = load_classifier(tmp_path / "model")
    again = found.predict(texts, photos)
    assert said.modality == ("text+image", "image", "text")
    assert again.probabilities == pytest.approx(said.probabilities, abs=1e-5)
    assert found.remembering().predict(texts, photos).probabilities == pytest.approx(
        said.probabilities, abs=1e-5
    )
    assert found.parameters == made.parameters and found.calibrated


def test_a_changed_file_of_a_saved_model_is_refused(
    llava: Path, tmp_path: Path
) -> None:
    model, processor = weights.load(llava)
    VlmModel(model, processor, "tiny", 64).save(tmp_path)
    with (tmp_path / "vlm" / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    with pytest.raises(DataError, match="changed since training"):
        load_classifier(tmp_path)


def test_a_row_of_nothing_is_refused(llava: Path) -> None:
    model, processor = weights.load(llava)
    with pytest.raises(DataError, match="row 1 has no text and no photo"):
        VlmModel(model, processor, "tiny", 64).predict(["fine", None], [None, None])


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"wanted config\.json and"):
        weights.locate(tmp_path)


class Faults:
    """One planted fault each: (folder, job) -> nothing, or what the preflight raises."""

    def __init__(self, llava: Path, turns: list[Turn], folder: Path) -> None:
        self.model, processor = weights.load(llava)
        self.conversation = Conversation(processor, 64)
        self.options = vlm.Options(folder=str(llava), lora_rank=2, micro_batch=2)
        rows = tuple(
            Row(one.text, row % 3, 1.0, write_photo(folder, one.photo or b""))
            for row, one in enumerate(turns)
        )
        self.job = Job(folder, self.options, 0, 1, rows)

    def check(self) -> None:
        module = weights.trainable(self.model, self.options, seed=0)
        preflight.check(module, self.conversation, self.job, self.job.plan())


@pytest.fixture
def faults(llava: Path, turns: list[Turn], tmp_path: Path) -> Faults:
    return Faults(llava, turns, tmp_path)


def test_a_sound_training_passes_the_preflight(faults: Faults) -> None:
    faults.check()


def test_image_tokens_that_do_not_fit_are_named(faults: Faults) -> None:
    faults.conversation.processor.patch_size = 16
    with pytest.raises(DataError, match="image-token mismatch"):
        faults.check()


def test_a_truncated_answer_is_named(faults: Faults) -> None:
    faults.model.config.text_config.max_position_embeddings = 50
    with pytest.raises(DataError, match="the answer is truncated"):
        faults.check()


def test_masked_labels_are_named(faults: Faults) -> None:
    faults.conversation.with_answers = lambda turns, answers: {  # type: ignore[method-assign]
        name: torch.full_like(tensor, MASKED) if name == "labels" else tensor
        for name, tensor in Conversation.with_answers(
            faults.conversation, turns, answers
        ).items()
    }
    with pytest.raises(DataError, match="all labels of a row are masked"):
        faults.check()


def test_eyes_that_are_shut_are_named(faults: Faults) -> None:
    with torch.no_grad():
        faults.model.model.multi_modal_projector.linear_2.weight.zero_()
    with pytest.raises(DataError, match="different inputs give the same logits"):
        faults.check()


def test_weights_that_do_not_matter_are_named(faults: Faults) -> None:
    with torch.no_grad():
        faults.model.lm_head.weight.zero_()
    with pytest.raises(DataError, match="no gradient"):
        faults.check()


def telling(examples: list[Example], seed: int) -> list[Example]:
    """The same rows with one telling word each."""
    rng = np.random.default_rng(seed)
    said = {
        "negative": ("broke", "awful"),
        "neutral": ("okay", "average"),
        "positive": ("lovely", "perfect"),
    }
    return [
        replace(one, text=f"the vase is {rng.choice(said[one.sentiment])}")
        for one in examples
    ]


@pytest.fixture(scope="module")
def tuned(llava: Path, drawn, tools) -> tuple[Trained, MemoryObjects]:
    """Trained on two ranks by DeepSpeed, as a night would."""
    photos: dict[str, bytes] = {}
    rows = drawn[0](96, "train", 1, photos, photo_share=0.5)
    held_out = drawn[0](45, "validation", 2, photos, photo_share=0.5)
    objects = MemoryObjects()
    stored = {uri: objects.put(data, ".png") for uri, data in photos.items()}
    train, validation = (
        [
            replace(one, photo_uri=stored.get(one.photo_uri or ""))
            for one in telling(some, 1)
        ]
        for some in (rows, held_out)
    )
    options = vlm.Options(
        folder=str(llava),
        ranks=2,
        epochs=10,
        batch_size=8,
        micro_batch=4,
        learning_rate=3e-3,
        tuning="full",
        text_tokens=32,
    )
    data = TrainingData(train, validation, ())
    return vlm.train(data, options, tools(seed=5, objects=objects)), objects


def test_two_ranks_learn_what_the_words_say(tuned, drawn) -> None:
    trained, _ = tuned
    fresh = telling(drawn[0](120, "golden", 3, {}, photo_share=0.0), 3)
    truth = np.array([SENTIMENTS.index(one.sentiment) for one in fresh])
    said = trained.classifier.predict([one.text for one in fresh], [None] * len(fresh))
    # A model of 50,000 weights on 96 rows: above chance by three standard errors of 120 answers.
    assert (said.probabilities.argmax(1) == truth).mean() > 0.46
    assert trained.figures["loss_last"] < trained.figures["loss_first"] / 2
    assert "ZeRO-2, 2 ranks" in trained.implementation["training"]


def test_a_finished_training_is_not_run_again(
    tuned, llava: Path, tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine killed between the end of the training and its commit needs no other to come back."""
    from kindling.modeling.vlm import launch, trainer

    def started(*given: object) -> None:
        raise AssertionError("ranks were started")

    monkeypatch.setattr(launch, "run", started)
    _, objects = tuned
    options = vlm.Options(folder=str(llava))
    state = trainer.tune([], options, tools(seed=5, objects=objects))
    assert state["step"] == state["steps"] and state["ranks"] == 2
