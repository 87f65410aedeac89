"""What an error of redis-py or of the server means, in a user's words."""

from __future__ import annotations

from typing import TypeAlias

from redis.exceptions import AskError, AuthenticationError, MovedError, NoPermissionError, ReadOnlyError

from once_core.errors import BackendUnavailable, ConfigurationError

Address: TypeAlias = tuple[str, int]

# What the error's text holds, and what to do about it. All of it is wrong settings - unless it has worked before: then
# it is the server that has changed.
_MISTAKES = {
    "DB index is out of range": "the server has no such database: choose one of those it has, mostly 0 to 15",
    "SELECT is not allowed in cluster mode": "a cluster has database 0 only: leave the number out",
    "WRONG_VERSION_NUMBER": "the server does not speak TLS at this port: write redis://, or name the TLS port",
    "record layer failure": "the server does not speak TLS at this port: write redis://, or name the TLS port",
    "CERTIFICATE_VERIFY_FAILED": "the server's certificate is not trusted: name the authority's by ssl_ca_certs=",
    "cluster support disabled": "this is no cluster: write redis:// instead of redis+cluster://",
    "GET-MASTER-ADDR-BY-NAME": "this is no sentinel: write redis://, or name a sentinel's port, mostly 26379",
    "unknown command": "the server knows no such command: once-redis needs Redis 6.2 or Valkey, with scripts allowed",
    "knows no service": "name one that the sentinels watch: redis+sentinel://host/service",
    "READONLY": "this is a replica, which can't be written: name the primary, or sentinels by redis+sentinel://",
}

_TROUBLES = {
    "maxmemory": "the server's memory is full: raise maxmemory, or keep leases on a server of their own",
    "WRONGTYPE": "another program keeps something else by this key: choose a prefix of your own by configure(prefix=)",
    "Timeout connecting": "it can't be reached - or, where rediss:// was written, does not speak TLS at this port",
    "connecting to": "does it run, and are host and port right?",
    "Connection closed by server": "it was stopped, or is no Redis, or speaks TLS at this port: then write rediss://",
    "Protocol Error": "it answers otherwise than a Redis does: is it one?",
    "reset by peer": "it was stopped, or is no Redis, or speaks TLS at this port: then write rediss://",
}


def explain(error: Exception, name: str, has_worked: bool) -> BackendUnavailable | ConfigurationError:
    """Return the error to raise for *error*, about the store called *name*."""
    text = str(error).rstrip(" .") or type(error).__name__
    if redirection_in(error):  # some keys work all the same
        return ConfigurationError(f"{name}: {text}: this is a cluster: write redis+cluster://")
    if "without any password configured" in text:
        mistake = "the server has no password: leave it out of the URL"
    elif isinstance(error, AuthenticationError):
        mistake = "check user and password in the URL, where @ : / are written %40 %3A %2F"
    elif isinstance(error, NoPermissionError) or "user executing the script can't" in text:
        mistake = "let this user GET, SET, DEL, PEXPIRE, PTTL, TIME, SCAN, EVAL and EVALSHA the keys of once"
    elif is_demoted(error):
        mistake = _MISTAKES["READONLY"]
    else:
        mistake = next((advice for sign, advice in _MISTAKES.items() if sign in text), "")
    if mistake:
        return (BackendUnavailable if has_worked else ConfigurationError)(f"{name}: {text}: {mistake}")
    advice = next((f": {advice}" for sign, advice in _TROUBLES.items() if sign in text), "")
    return BackendUnavailable(f"{name}: {text}{advice}")


def is_demoted(error: Exception) -> bool:
    """Whether the server is a replica. Redis 6.2 tells it in the middle of a text about a script."""
    return isinstance(error, ReadOnlyError) or "READONLY" in str(error)


def redirection_in(error: Exception) -> tuple[Address, bool] | None:
    """Return which node of a cluster has the key instead, and whether for good; None if *error* says nothing of that.

    The parsers of redis-py 5 have types for it in a cluster only; without them, the text begins with that word.
    """
    words = str(error).split()
    for_good = isinstance(error, MovedError) or words[:1] == ["MOVED"]
    if not (for_good or isinstance(error, AskError) or words[:1] == ["ASK"]):
        return None
    host, _, port = words[-1].rpartition(":")
    return (host, int(port)), for_good
