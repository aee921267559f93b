"""The form of API keys: `ick_<id>_<secret>_<checksum>`. Pure functions, without storage.

`PATTERN` lets secret scanners find keys. The checksum tells a mistyped key from a valid one without a database. It
proves nothing, because everybody can compute it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field

from inference_core.auth.access.credentials import API_KEY_PREFIX
from inference_core.auth.models import KEY_ID_LENGTH

ID_CHARACTERS = string.ascii_lowercase + string.digits
SECRET_CHARACTERS = string.ascii_letters + string.digits
SECRET_LENGTH = 43  # 256 bits
ID_PATTERN = rf"[a-z0-9]{{{KEY_ID_LENGTH}}}"
PATTERN = re.compile(
    rf"{API_KEY_PREFIX}(?P<id>{ID_PATTERN})_(?P<secret>[A-Za-z0-9]{{{SECRET_LENGTH}}})"
    r"_(?P<checksum>[0-9a-f]{8})"
)
# Compared with if there is no key with a given id. No secret has this hash.
NO_SECRET_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class PlainKey:
    """An API key in plain text. Its `id` is public."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> PlainKey:
        """Return a random key."""
        return cls(_random(ID_CHARACTERS, KEY_ID_LENGTH), _random(SECRET_CHARACTERS, SECRET_LENGTH))

    @classmethod
    def parse(cls, text: str) -> PlainKey | None:
        """Return the key that a caller has sent. None if the text does not have the form of a key."""
        match = PATTERN.fullmatch(text)
        if match is None:
            return None
        key = cls(match["id"], match["secret"])
        return key if key.text == text else None

    @property
    def text(self) -> str:
        """The key in the form for clients."""
        body = f"{self.prefix}_{self.secret}"
        return f"{body}_{zlib.crc32(body.encode()):08x}"

    @property
    def prefix(self) -> str:
        """The public beginning of the key, by which its owner recognizes it."""
        return prefix_of(self.id)

    @property
    def secret_hash(self) -> str:
        """The stored hash. A fast hash is sufficient, because nobody can guess 256 random bits."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


def prefix_of(key_id: str) -> str:
    """Return the public beginning of a key."""
    return f"{API_KEY_PREFIX}{key_id}"


def _random(characters: str, length: int) -> str:
    return "".join(secrets.choice(characters) for _ in range(length))
