"""What the server does for each verb: small scripts, as only a script can compare and change in one step.

A lease is one string, "fence token", that the server forgets when the ttl is over. So to read it is one GET, nothing
is left of a key that was released or has expired, and a repeated question finds the fence it was given before.

The fence is the server's clock in microseconds. It needs no state, so it grows over a restart without persistence and
needs no second key, which a cluster may keep elsewhere. Two grants of one key have a release or an expiry between them:
three scripts of several microseconds each, so that they never read the same microsecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha1


class Script:
    """A script that the server knows by its digest once it has been given the text."""

    def __init__(self, lua: str) -> None:
        self._text = lua.encode()
        self._digest = sha1(self._text, usedforsecurity=False).hexdigest().encode()

    def by_digest(self, keys: Sequence[bytes], *args: bytes) -> bytes:
        """Return the short question; the answer may be that the script is not known."""
        return packed(b"EVALSHA", self._digest, b"%d" % len(keys), *keys, *args)

    def in_full(self, keys: Sequence[bytes], *args: bytes) -> bytes:
        """Return the long question, by which the server learns the script."""
        return packed(b"EVAL", self._text, b"%d" % len(keys), *keys, *args)


def packed(*words: bytes) -> bytes:
    """Return a command as it is sent (https://redis.io/docs/latest/develop/reference/protocol-spec/)."""
    return b"*%d\r\n%b" % (len(words), b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words]))


# KEYS: the key; ARGV: token, ttl in ms. Answers the fence, or nil if another token holds the key.
ACQUIRE = Script("""
local held = redis.call('GET', KEYS[1])
if held then
    local fence, token = held:match('^(%d+) (.*)$')
    if token ~= ARGV[1] then return false end
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return tonumber(fence)
end
local now = redis.call('TIME')
local fence = ('%d%06d'):format(now[1], now[2])
redis.call('SET', KEYS[1], fence .. ' ' .. ARGV[1], 'PX', ARGV[2])
return tonumber(fence)
""")

# KEYS: the keys; ARGV: token, ttl in ms, token, ttl in ms... Answers 1 or 0 for each key.
RENEW = Script("""
local renewed = {}
for i, key in ipairs(KEYS) do
    local held = redis.call('GET', key)
    if held and held:match('^%d+ (.*)$') == ARGV[2 * i - 1] then
        renewed[i] = redis.call('PEXPIRE', key, ARGV[2 * i])
    else
        renewed[i] = 0
    end
end
return renewed
""")

# KEYS: the key; ARGV: token. Answers 1 or 0.
RELEASE = Script("""
local held = redis.call('GET', KEYS[1])
if held and held:match('^%d+ (.*)$') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
""")

# KEYS: the key. Answers the token - or the whole text, where another program put it there - and the ms that are left.
HOLDER = Script("""
local held = redis.call('GET', KEYS[1])
if not held then return false end
return {held:match('^%d+ (.*)$') or held, redis.call('PTTL', KEYS[1])}
""")
