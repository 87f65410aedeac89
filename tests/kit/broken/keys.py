"""Keys that meet, or that can't be."""

from __future__ import annotations

import unicodedata
from typing import ClassVar

from .bases import Broken, EncodesKeys

_LITTLE = "test_keys_that_differ_a_little_are_two_keys"


class CutsLongKeys(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-the last byte of 300]": 7, f"{_LITTLE}[sync-the last byte of 10,000]": 7}

    def encoded(self, key: str) -> str:
        return key[:250]


class FoldsCase(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-case]": 7, f"{_LITTLE}[sync-case in Cyrillic]": 7}

    def encoded(self, key: str) -> str:
        return key.lower()


class StripsBlanks(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-a blank behind]": 7, f"{_LITTLE}[sync-a blank before]": 7}

    def encoded(self, key: str) -> str:
        return key.strip()


class EndsAtNul(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-what follows a NUL]": 7, f"{_LITTLE}[sync-a NUL behind]": 7}

    def encoded(self, key: str) -> str:
        return key.partition("\0")[0]


class IgnoresAccents(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-an accent]": 7, f"{_LITTLE}[sync-composed and decomposed]": 7}

    def encoded(self, key: str) -> str:
        return "".join(char for char in unicodedata.normalize("NFD", key) if not unicodedata.combining(char))


class ReplacesWhatIsNotAscii(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-an emoji and another]": 7}

    def encoded(self, key: str) -> str:
        return key.encode("ascii", "replace").decode()


class QuotesHalf(EncodesKeys):
    caught_by: ClassVar = {f"{_LITTLE}[sync-quoted and unquoted]": 7}

    def encoded(self, key: str) -> str:
        return key.replace(" ", "%20")


class RefusesOddKeys(EncodesKeys):
    caught_by: ClassVar = {
        "test_any_text_is_a_key[sync-blanks within]": 9,
        "test_any_text_is_a_key[sync-10,000 characters of Cyrillic with newlines]": 9,
    }

    def encoded(self, key: str) -> str:
        if len(key) > 250 or not key.isascii() or " " in key:
            raise ValueError("Key contains illegal characters")
        return key


class OneLeaseForAllKeys(EncodesKeys):
    caught_by: ClassVar = {"test_two_keys_do_not_know_of_each_other": 1}

    def encoded(self, key: str) -> str:
        return "the lease"


class ReleasesAllOfItsToken(Broken):
    caught_by: ClassVar = {"test_one_token_may_hold_two_keys": 7}

    def release(self, key: str, token: str) -> bool:
        released = super().release(key, token)
        for other in list(self._leases):
            super().release(other, token)
        return released
