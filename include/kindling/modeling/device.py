"""Device, precision and threads of every model: chosen here and nowhere else."""

import contextlib
import os
from functools import cache

import torch


@cache
def device() -> torch.device:
    """The first CUDA device where there is one, the processor otherwise."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@cache
def native_bf16() -> bool:
    """Whether the device multiplies bfloat16 itself; where it emulates, float32 is faster."""
    if device().type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(
        capabilities.get("avx512_bf16")
        or capabilities.get("amx_bf16")
        or capabilities.get("bf16")
    )


def autocast() -> contextlib.AbstractContextManager[None]:
    """bfloat16 where it is native, float32 elsewhere."""
    return torch.autocast(device().type, dtype=torch.bfloat16, enabled=native_bf16())


def use_device(number: int) -> None:
    """Let this process work with the machine's GPU of that number, where it has any."""
    if device().type == "cuda":
        torch.cuda.set_device(number)


def devices() -> int:
    """How many GPUs the machine has."""
    return torch.cuda.device_count()


def set_threads(threads: int) -> None:
    """Let every model of this process work with so many threads."""
    torch.set_num_threads(threads)


def describe() -> str:
    """Device, precision of encoders and threads, for reports."""
    precision = "bfloat16" if native_bf16() else "float32"
    name = device().type
    if name == "cuda":
        name = torch.cuda.get_device_name()
    return f"{name}, {precision}, {torch.get_num_threads()} threads"


def memory_bytes() -> int:
    """Memory of the device: the GPU's, or the machine's that is free for use now."""
    if device().type == "cuda":
        return int(torch.cuda.get_device_properties(device()).total_memory)
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
