"""Which visit a Gradio session belongs to.

Gradio's `session_hash` is chosen by the client, appears in addresses, and whoever holds one can read that
session's stream. So it grants nothing here: the first request that uses a hash ties it to the visit's
secret in that request's `X-Visit` header (or to its absence, for API clients, which have no visit), and
from then on every request with that hash must carry the same. All the hash can still do is signal that a
page has closed, by a heartbeat that ends.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass


@dataclass
class _Owner:
    digest: bytes
    streams: int = 0  # open responses; an owner with any is never forgotten


class Sessions:
    """The owners of at most `limit` sessions; the longest unused are forgotten first, open ones never."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._owners: OrderedDict[str, _Owner] = OrderedDict()

    def __len__(self) -> int:
        return len(self._owners)

    def admits(self, session: str, secret: bytes) -> bool:
        """Whether the sender of `secret` (empty: none) may use `session`; a new session becomes theirs.

        Also False for a new session when `limit` sessions are open.
        """
        digest = hashlib.sha256(secret).digest()  # so that no secret is kept here
        owner = self._owners.get(session)
        if owner is None:
            if not self._make_room():
                return False
            owner = self._owners[session] = _Owner(digest)
        self._owners.move_to_end(session)
        return hmac.compare_digest(owner.digest, digest)

    def open(self, session: str) -> None:
        """A stream of this session began."""
        self._owners[session].streams += 1

    def close(self, session: str) -> None:
        """A stream of this session ended."""
        self._owners[session].streams -= 1

    def _make_room(self) -> bool:
        if len(self._owners) < self.limit:
            return True
        idle = next((name for name, owner in self._owners.items() if not owner.streams), None)
        if idle is not None:
            del self._owners[idle]
        return idle is not None
