"""A key template becomes a function, once, at decoration: each call then costs a fraction of a microsecond.

The function has the decorated function's own parameters, so defaults apply, position and keyword make no difference,
and wrong arguments raise the same TypeError. Its text is a wire format that old and new deploys share: in a template
of several fields, `%` and the first character of the text after the field are percent-encoded in every field but the
last, so that no two different calls meet in one key.
"""

from __future__ import annotations

import inspect
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from string import Formatter
from typing import Any, TypeAlias, cast
from uuid import UUID

from .errors import ConfigurationError

Key: TypeAlias = str | Callable[..., str]

_FIELD = re.compile(r"([^.\[\]]*)((?:\.[^.\[\]]+|\[[^\]]+\])*)")
_STEP = re.compile(r"\.([^.\[\]]+)|\[([^\]]+)\]")
_ADDRESS = re.compile(r"<.* at 0x[0-9A-Fa-f]+", re.DOTALL)

# Values of these types are never an address and hold no set: most calls need no closer look.
_PLAIN = frozenset({str, int, float, bool, type(None), bytes, UUID, date, datetime, Decimal})


def key_function(key: Key, name: str, signature: inspect.Signature | None) -> Callable[..., str]:
    """Return the function that renders the key of a call of the function *name*.

    Raises ConfigurationError if *key* can't be a key for that signature.
    """
    if isinstance(key, str):
        if signature is None:
            raise ConfigurationError(f"the parameters of {name} can't be read: give a function as key, not a template")
        return _Compiler(key, name, signature).compile()
    if not callable(key):
        raise ConfigurationError(f"the key of {name} must be a template or a function, not {key!r}")
    if inspect.iscoroutinefunction(key):
        raise ConfigurationError(f"the key function of {name} must be a plain function, not a coroutine function")
    return _checking(key, name)


def check_key(key: object, of: str) -> str:
    """Return *key* if it is a text that can be a key; raise ConfigurationError if not."""
    if not isinstance(key, str):
        if inspect.iscoroutine(key):
            key.close()
        raise ConfigurationError(f"the key of {of} must be a text, not {key!r}: convert it with str()")
    if not key:
        raise ConfigurationError(f"the key of {of} is empty: it has to name what must not run twice")
    _refuse_address(key, f"the key of {of}")
    return key


def _checking(key: Callable[..., str], name: str) -> Callable[..., str]:
    def key_of_call(*args: Any, **kwargs: Any) -> str:
        return check_key(key(*args, **kwargs), name)

    return key_of_call


class _Compiler:
    """Writes the function for one template; it is made of checked names and `repr()` alone."""

    def __init__(self, template: str, name: str, signature: inspect.Signature) -> None:
        self.template = template
        self.name = name
        self.parameters = signature.parameters
        # No name of ours may hide a parameter's: ours start with more underscores than any of theirs.
        self.mark = "_" * (1 + max((len(p) - len(p.lstrip("_")) for p in self.parameters), default=0))

    def compile(self) -> Callable[..., str]:
        texts, fields = self._parse(self.template)
        if not self.template:
            raise ConfigurationError(
                f"the key template of {self.name} is empty: it has to name what must not run twice"
            )
        for text, (one, *_), (other, *_) in zip(texts[1:-1], fields, fields[1:], strict=False):
            if not text:
                raise self._error(
                    f"put a text between {{{one}}} and {{{other}}}, or different calls would share a key; "
                    f"the parameters are: {', '.join(self.parameters)}"
                )
        for text in texts[1:-1]:
            if text.startswith("%25") or "%25".startswith(text):  # it reads like an escaped %
                raise self._error(f"{text!r} between two fields can't be told from a value: choose another text")
        mark, parts = self.mark, [repr(texts[0])]
        # f(a=1, b=2) and f(b=2, a=1) are the same call.
        lines = [
            f"{name} = {mark}dict({mark}sorted({name}.items()))"
            for name, parameter in self.parameters.items()
            if parameter.kind is parameter.VAR_KEYWORD
        ]
        for i, (field, conversion, spec) in enumerate(fields):
            value, text = f"{mark}v{i}", f"{mark}t{i}"
            lines.append(f"{value} = {self._expression(field)}")
            lines.append(f"{text} = {self._formatted(value, conversion, spec)}")
            lines.append(f"if ' at 0x' in {text} or {mark}type({value}) not in {mark}plain:")
            lines.append(f"    {mark}check({value}, {text}, {f'{{{field}}} in the key of {self.name}'!r})")
            if i < len(fields) - 1:
                lines.append(f"{text} = {text}{_escaping(texts[i + 1][0])}")
            parts += [text, repr(texts[i + 1])]
        rendered = " + ".join(part for part in parts if part != "''")
        lines.append(f"return {rendered}" + ("" if any(texts) else f" or {mark}empty()"))
        scope = self._scope()
        source = "\n".join([
            f"def {mark}key_of_call({self._parameter_list(scope)}):",
            " try:",
            *(f"  {line}" for line in lines),
            f" except {mark}errors as {mark}error:",
            f"  {mark}failed({mark}error)",
        ])  # fmt: skip
        exec(compile(source, f"<key of {self.name}>", "exec"), scope)
        key_of_call = scope[f"{mark}key_of_call"]
        key_of_call.__name__ = self.name.rpartition(".")[2]
        key_of_call.__qualname__ = self.name  # what the TypeError for wrong arguments says
        return cast("Callable[..., str]", key_of_call)

    def _scope(self) -> dict[str, Any]:
        helpers = {
            "type": type,
            "dict": dict,
            "format": format,
            "getattr": getattr,
            "sorted": sorted,
            "plain": _PLAIN,
            "check": _check_value,
            "empty": lambda: check_key("", self.name),
            "failed": self._failed,
            "errors": (AttributeError, LookupError, TypeError, ValueError),
        }
        return {self.mark + name: helper for name, helper in helpers.items()}

    def _parse(self, template: str) -> tuple[list[str], list[tuple[str, str | None, str]]]:
        """Split into texts and (field, conversion, spec): text, field, text, ..., field, text."""
        texts = [""]
        fields: list[tuple[str, str | None, str]] = []
        try:
            for text, field, spec, conversion in Formatter().parse(template):
                texts[-1] += text
                if field is not None:
                    fields.append((field, conversion, spec or ""))
                    texts.append("")
        except ValueError as error:
            raise self._error(str(error)) from None
        return texts, fields

    def _expression(self, field: str) -> str:
        """Turn a field such as `order.ids[0]` into the Python expression that `str.format` would evaluate."""
        match = _FIELD.fullmatch(field)
        if not match or match[1] not in self.parameters:
            known = ", ".join(self.parameters) or "none"
            raise self._error(f"{{{field}}} names no parameter; the parameters are: {known}")
        expression = match[1]
        for attribute, index in _STEP.findall(match[2]):
            if index:
                expression += f"[{int(index) if index.isdecimal() else repr(index)}]"
            else:
                expression = f"{self.mark}getattr({expression}, {attribute!r})"
        return expression

    def _formatted(self, value: str, conversion: str | None, spec: str) -> str:
        if conversion not in (None, "r", "s", "a"):
            raise self._error(f"there is no conversion !{conversion}; use !r, !s or !a")
        text = f"f'{{{value}!{conversion}}}'" if conversion else value
        if not spec:
            return text if conversion else f"f'{{{value}}}'"
        texts, fields = self._parse(spec)
        parts = [repr(texts[0])]
        for (field, inner_conversion, inner_spec), after in zip(fields, texts[1:], strict=True):
            if inner_conversion or inner_spec:
                raise self._error(f"{{{field}}} inside a format can have no conversion or format of its own")
            parts += [f"{self.mark}format({self._expression(field)})", repr(after)]
        return f"{self.mark}format({text}, {' + '.join(parts)})"

    def _parameter_list(self, scope: dict[str, Any]) -> str:
        """Write the parameters out again, without annotations, with defaults that live in *scope*."""
        written: list[inspect.Parameter] = []
        for i, parameter in enumerate(self.parameters.values()):
            if parameter.default is not parameter.empty:
                scope[f"{self.mark}d{i}"] = parameter.default
                parameter = parameter.replace(default=_Verbatim(f"{self.mark}d{i}"))
            written.append(parameter.replace(annotation=parameter.empty))
        return str(inspect.Signature(written))[1:-1]

    def _failed(self, error: Exception) -> None:
        if isinstance(error, ConfigurationError):
            raise error
        raise self._error(f"it can't be rendered for this call: {error!r}") from error

    def _error(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"key template {self.template!r} of {self.name}: {what}")


class _Verbatim:
    """A default that prints as the name that it is bound to."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def _escaping(char: str) -> str:
    """Return the code that percent-encodes `%` and *char* in a text."""
    percent, coded = ("".join(f"%{byte:02X}" for byte in c.encode("utf-8", "surrogatepass")) for c in ("%", char))
    if char in percent:  # the second of two steps would encode what the first has written
        return f".translate({ {ord('%'): percent, ord(char): coded} })"
    return f".replace('%', {percent!r}).replace({char!r}, {coded!r})"


def _check_value(value: object, text: str, about: str) -> None:
    _refuse_address(text, about)
    if _shows_set(value, text, set()):
        raise ConfigurationError(f"{about} is a set, whose order differs between processes: pass sorted(...)")


def _refuse_address(text: str, about: str) -> None:
    if " at 0x" in text and _ADDRESS.search(text):
        raise ConfigurationError(
            f"{about} is {text!r}, an object's address, which differs in every process: "
            "use a field of the object, such as {order.id}, or give it a __str__"
        )


def _shows_set(value: object, text: str, seen: set[int]) -> bool:
    """Whether *text* shows a set that *value* is or holds."""
    if id(value) in seen:
        return False
    seen.add(id(value))
    if isinstance(value, set | frozenset):
        return str(cast("object", value)) in text
    return any(_shows_set(part, text, seen) for part in _parts(value))


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value)
        return (*pairs, *pairs.values())
    if isinstance(value, list | tuple | deque):
        return cast("Iterable[object]", value)
    if is_dataclass(value):
        return [getattr(value, field.name) for field in fields(value) if field.repr]
    return ()
