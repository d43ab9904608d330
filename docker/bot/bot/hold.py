"""Whether a drain that a person asked for stands: then nothing is opened until it is lifted."""

from __future__ import annotations

import http.client
import json
import urllib.request

#: Seconds that the sidecar may take. The bot often comes up before it.
LIMIT = 2.0


def stands(sidecar_url: str) -> bool:
    """Asks the sidecar. One that cannot be asked keeps no bot from trading."""
    # What reaches the exchange through a proxy reaches the sidecar without.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{sidecar_url.rstrip('/')}/hold", timeout=LIMIT) as answer:
            said = json.loads(answer.read(64 * 1024))
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return isinstance(said, dict) and said.get("hold") is True
