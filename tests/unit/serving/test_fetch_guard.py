"""The guard in front of `image_url`: which addresses it takes, and that it connects to what it checked."""

import asyncio
import threading
from typing import Any

import httpcore
import pytest

from kindling.addresses import is_public
from kindling.serving import fetch
from kindling.serving.fetch import NotFetched, PublicOnly, fetch_image


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111"]
)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "::127.0.0.1",
        "fec0::1",
        "feff::1",
        "3fff::1",
        "5f00::1",
        "100::1",
        "2001:20::1",
        "2001:db8::1",
        "192.0.0.192",
        "192.0.0.9",
        "192.88.99.1",
        "168.63.129.16",
        "100.100.100.200",
        "fd00:ec2::254",
        "64:ff9b:1::a00:1",
        # ISATAP: 10.0.0.1 and 169.254.169.254 inside a global prefix.
        "2606:4700::5efe:a00:1",
        "2606:4700::200:5efe:a9fe:a9fe",
        "4000::1",
    ],
)
def test_not_public(address: str) -> None:
    assert not is_public(address)


class Network:
    def __init__(self) -> None:
        self.connected: list[tuple[str, int]] = []

    async def connect_tcp(
        self, host: str, port: int, *arguments: Any, **options: Any
    ) -> str:
        self.connected.append((host, port))
        return "stream"


def connect(
    monkeypatch: pytest.MonkeyPatch,
    answers: list[list[str]],
    host: str,
    *allowed: str,
    port: int = 80,
) -> Network:
    """Connect once through the guard; the resolver gives the next answer each time it is asked."""

    async def resolve(name: str, number: int) -> list[str]:
        return answers.pop(0)

    monkeypatch.setattr(fetch, "_resolve", resolve)
    guard, network = PublicOnly(allowed), Network()
    guard._network = network  # type: ignore[assignment]
    asyncio.run(guard.connect_tcp(host, port))
    return network


def test_it_connects_to_the_address_it_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    # A second look at the name would get the second answer: the rebinding attack.
    network = connect(monkeypatch, [["93.184.216.34"], ["127.0.0.1"]], "shop.example")
    assert network.connected == [("93.184.216.34", 80)]


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["93.184.216.34", "10.0.0.7"], []])
def test_one_private_address_among_them_is_enough_to_refuse(
    monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    with pytest.raises(NotFetched, match="shop.example"):
        connect(monkeypatch, [answers], "shop.example")


@pytest.mark.parametrize(
    ("allowed", "port", "passes"),
    [
        ("shop.local", 80, True),
        ("SHOP.local:8080", 8080, True),
        ("shop.local:8080", 80, False),
        ("other.local", 80, False),
        ("", 80, False),
        ("local", 80, False),
    ],
)
def test_the_allow_list_names_host_or_host_and_port(
    monkeypatch: pytest.MonkeyPatch, allowed: str, port: int, passes: bool
) -> None:
    if passes:
        assert connect(
            monkeypatch, [["10.1.2.3"]], "Shop.local", allowed, port=port
        ).connected == [("10.1.2.3", port)]
        return
    with pytest.raises(NotFetched):
        connect(monkeypatch, [["10.1.2.3"]], "Shop.local", allowed, port=port)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://shop.example/a",
        "gopher://x",
        "//shop.example/a",
        "/etc/passwd",
        "",
        "http://",
        "javascript:1",
        "data:image/png;base64,AA==",
        "http://a:999999/",
        "http://[::1",
        "unix:/run/x",
    ],
)
def test_only_http_urls(url: str) -> None:
    with pytest.raises(NotFetched):
        asyncio.run(fetch_image(url))


def test_local_sockets_are_no_way_in() -> None:
    with pytest.raises(NotFetched):
        asyncio.run(PublicOnly().connect_unix_socket("/run/x"))
    assert issubclass(PublicOnly, httpcore.AsyncNetworkBackend)


@pytest.mark.parametrize("port", [22, 25, 6379, 8080, 9200])
def test_other_ports_of_public_addresses_are_refused(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    with pytest.raises(NotFetched, match=f"port {port}; allowed: 80, 443"):
        connect(monkeypatch, [["93.184.216.34"]], "shop.example", port=port)
    with pytest.raises(NotFetched, match="not a public address"):
        connect(monkeypatch, [["10.0.0.7"]], "shop.example", port=port)


def test_every_name_that_is_refused_is_refused_in_the_same_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = set()
    for answers in ([["10.0.0.7"]], [[]], [["::1"]], [["8.8.8.8", "192.168.0.1"]]):
        with pytest.raises(NotFetched) as caught:
            connect(monkeypatch, answers, "shop.example")
        said.add(str(caught.value))

    async def unknown(name: str, number: int) -> list[str]:
        raise OSError("Name or service not known")

    monkeypatch.setattr(fetch, "_resolve", unknown)
    with pytest.raises(NotFetched) as caught:
        asyncio.run(PublicOnly().connect_tcp("shop.example", 80))
    assert {*said, str(caught.value)} == {str(caught.value)}


def test_a_lookup_takes_no_thread_of_the_default_executor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked_in = []

    def look_up(*arguments: Any, **options: Any) -> list[Any]:
        asked_in.append(threading.current_thread().name)
        return [(0, 0, 0, "", ("93.184.216.34", 80))]

    monkeypatch.setattr(fetch.socket, "getaddrinfo", look_up)
    assert asyncio.run(fetch._resolve("shop.example", 80)) == ["93.184.216.34"]
    assert asked_in[0].startswith("lookup")
