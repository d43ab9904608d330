"""Wires the bot. Nothing else reads the environment, handles a signal or decides how the process ends.

Exit status: 0 stopped as told; 1 a failure, also when what was closed could not be put on record; 2 bad
configuration.
"""

from __future__ import annotations

import os
import platform
import queue
import signal
import sys
import threading
import uuid
from collections.abc import Callable

from . import hold
from .api import Api, Server
from .log import Log
from .market import PriceWalk
from .misbehaviour import Misbehaviour
from .model import ModelSlot
from .settings import Settings, SettingsError
from .store import MemoryStore, PostgresStore, Store, StoreError
from .trader import Trader

#: Seconds that a stop waits for the database to take what was closed.
FLUSH_LIMIT = 1.0


def main() -> int:
    # The gate names this boot, so that everyone speaks of it by one name.
    instance = os.environ.get("BOTWARDEN_BOOT") or str(uuid.uuid4())
    log = Log(sys.stdout, instance=instance)
    try:
        settings = Settings.read(os.environ)
        store: Store = (
            PostgresStore(settings.database_url, instance, log) if settings.database_url else MemoryStore()
        )
    except SettingsError as error:
        log.error("bad_settings", str(error), problems=error.problems)
        return 2
    except StoreError as error:
        log.error("bad_settings", str(error))
        return 2

    model = ModelSlot(settings.model_path, settings.model_load_seconds, log)
    misbehaviour = Misbehaviour(allowed=settings.allow_misbehaviour, model=model, store=store, log=log)
    trader = Trader(
        market=PriceWalk(settings.seed),
        model=model,
        store=store,
        misbehaviour=misbehaviour,
        tick_interval=settings.tick_interval,
        log=log,
    )
    api = Api(
        instance=instance,
        token=settings.token,
        trader=trader,
        model=model,
        store=store,
        misbehaviour=misbehaviour,
        log=log,
    )

    # A handler interrupts the main thread wherever it is, also while it holds a lock, so it only notes.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.put(number))

    log.info(
        "starting",
        f"Positions are kept in {'Postgres' if settings.database_url else 'memory only'}; closing them "
        f"{'takes the token' if settings.token else 'takes no token: set BOT_TOKEN'}.",
        python=platform.python_version(),
        seed=settings.seed,
        tick_interval=settings.tick_interval,
        misbehaviour_allowed=settings.allow_misbehaviour,
    )
    for mode, seconds in settings.misbehave:
        misbehaviour.switch_on(mode, seconds)
    try:
        server = Server((settings.host, settings.port), api, log)
    except (OSError, OverflowError) as error:
        log.error("cannot_listen", f"Cannot listen on {settings.host}:{settings.port}: {error}.")
        return 1

    if settings.hold:
        trader.halt("a person's drain stands")
    stop = threading.Event()
    if not misbehaviour.active("unload-model"):
        model.load_in_background()
    _background(trader.look_after_store)
    _background(server.serve_forever, 0.1)
    loop = _background(_trade, trader, settings.sidecar_url, stop)
    log.info("listening", "The API answers.", host=settings.host, port=server.server_port)

    while True:
        name = signal.Signals(signals.get()).name
        if name == "SIGTERM" and misbehaviour.active("ignore-sigterm"):
            log.warn("signal_ignored", f"{name} came and is ignored, as told.", signal=name)
            continue
        log.info("stopping", f"{name} came. Open positions stay open at the exchange.", signal=name)
        break
    stop.set()
    # The API answers to the last moment: the record may still be on its way, and someone may ask.
    loop.join(0.3)
    recorded = trader.wait_until_recorded(FLUSH_LIMIT)
    server.shutdown()
    server.server_close()
    if not recorded:
        log.error(
            "unrecorded",
            "The database did not take what was closed: it lists positions that are closed at the exchange, "
            "and the next boot will take them for open.",
        )
        return 1
    log.info("stopped", "Stopped.")
    return 0


def _trade(trader: Trader, sidecar_url: str | None, stop: threading.Event) -> None:
    if sidecar_url is not None and not trader.halted and hold.stands(sidecar_url):
        trader.halt("a person's drain stands")
    trader.run(stop)


def _background(work: Callable[..., object], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


if __name__ == "__main__":
    sys.exit(main())
