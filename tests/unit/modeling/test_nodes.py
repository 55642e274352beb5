"""Which machine of several this is, and how its ranks are started."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindling.errors import ConfigurationError
from kindling.modeling.vlm import launch
from kindling.modeling.vlm.job import share
from kindling.ports.nodes import Nodes
from kindling.settings import from_environment


def test_one_machine_needs_no_address() -> None:
    assert from_environment({}).nodes == Nodes()
    assert "--standalone" in launch.command(Path("job"), 2, Nodes())


def test_an_indexed_job_says_which_machine_this_is() -> None:
    nodes = from_environment(
        {"RANK": "2", "WORLD_SIZE": "4", "MASTER_ADDR": "train-0", "MASTER_PORT": "5"}
    ).nodes
    assert nodes == Nodes(2, 4, "train-0", 5)
    command = launch.command(Path("job"), 8, nodes)
    for part in (
        "--nnodes=4",
        "--node-rank=2",
        "--nproc-per-node=8",
        "--master-addr=train-0",
        "--master-port=5",
    ):
        assert part in command


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"WORLD_SIZE": "2", "RANK": "2", "MASTER_ADDR": "a"}, "allowed: 0 to 1"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "MASTER_ADDR is not set"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE='two'"),
    ],
)
def test_half_an_address_is_refused(given_: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        from_environment(given_)


@given(rows=st.integers(1, 50), ranks=st.integers(1, 8), micro=st.integers(1, 8))
def test_every_row_is_learned_once_and_every_rank_takes_as_many_steps(
    rows: int, ranks: int, micro: int
) -> None:
    batch = np.random.default_rng(rows).permutation(1000)[:rows]
    shares = [share(batch, rank, ranks, micro) for rank in range(ranks)]
    assert len({len(one) for one in shares}) == 1
    assert {len(part) for one in shares for part in one} == {micro}
    taken = [int(row) for one in shares for part in one for row in part if row >= 0]
    assert sorted(taken) == sorted(batch.tolist())
