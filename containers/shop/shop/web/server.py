"""Runs the shop on a port until it is told to stop."""

import errno
import socket

import uvicorn

from shop.errors import BadInput
from shop.reading import Catalogue
from shop.web.app import Shop


def serve(catalogue: Catalogue, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; BadInput when the address cannot be had."""
    listener = _listen(host, port)
    counts = catalogue.manifest.counts
    address = (
        f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    )
    print(
        f"shop: {catalogue.manifest.kind} at {address} "
        f"({counts['products']} products, {counts['reviews']} reviews, {counts['photos']} photos)",
        flush=True,
    )
    config = uvicorn.Config(
        Shop(catalogue).app(),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket: from here on connections wait instead of being refused."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except OverflowError:
        raise BadInput(f"--port is {port}, expected 0 to 65535") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise BadInput(
                f"port {port} on {host} is taken; stop what listens there or give another --port"
            ) from None
        raise BadInput(
            f"cannot listen on {host} port {port}: {error.strerror or error}"
        ) from None
