"""How things travel between machines: a JSON header and raw little-endian arrays; never code, never a pickle.

Whatever travels is a frozen dataclass that is registered under a name (``travels``; questions by ``asks``), and its
fields are its form. Only registered names are read, every value must be of the type that its field declares, and there
is one way to write a thing: whatever else is read is refused.
"""

import hashlib
import json
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from typing import Any, Literal, TypeVar, Union, cast

import numpy as np
import numpy.typing as npt

from headwater.errors import HeadwaterError, Message, Refusal
from headwater.registry import Registry
from headwater.statistics.feature_maps import FEATURE_MAPS
from headwater.statistics.features import Categorical, FeatureMap, Features, Numeric
from headwater.statistics.fixed_point import FixedPoint
from headwater.statistics.gram import Gram
from headwater.statistics.statistic import Statistic

__all__ = ["AT_HOME", "KINDS", "MOST_BYTES", "QUESTIONS", "asks", "question", "read", "travels", "written"]

T = TypeVar("T")
Class = TypeVar("Class", bound=type)

KINDS: Registry[type] = Registry("travelling kind")
"""Whatever may travel."""

QUESTIONS: Registry[type] = Registry("question")
"""Of these, what a source may be asked."""

AT_HOME: Mapping[str, Any] = {"at_home": True}
"""Metadata of a field that does not travel: whoever reads has its default, as for where noise comes from."""

MOST_BYTES = 1 << 27
"""Of one thing: a question about sixteen million parameters."""

_NAMES: dict[type, str] = {}
_FORMS: dict[type, dict[str, Any]] = {}
_FEATURES: set[type] = {FeatureMap, *(FEATURE_MAPS[name] for name in FEATURE_MAPS)}
_MAGIC, _DIGEST, _LENGTH, _KIND = b"HWQ1", 32, 4, "@"
_MOST_HEADER = 1 << 22
_MOST_FEATURES = 1 << 13
_MOST_DIMENSIONS = 3
_LARGEST_INTEGER = 1 << 64


def travels(name: str) -> Callable[[Class], Class]:
    """Return a decorator that lets a frozen dataclass travel under ``name``."""

    def decorate(made: Class) -> Class:
        if not is_dataclass(made):
            raise TypeError(f"{made.__name__} is no dataclass")
        KINDS.register(name)(made)
        _NAMES[made] = name
        return made

    return decorate


def asks(name: str) -> Callable[[Class], Class]:
    """Return a decorator that lets a frozen dataclass travel under ``name`` and be put to sources."""

    def decorate(made: Class) -> Class:
        QUESTIONS.register(name)(made)
        return travels(name)(made)

    return decorate


def written(thing: object) -> bytes:
    """Return a thing as it travels: the same bytes for the same thing.

    Raises
    ------
    Refusal
        ``E-WIRE-KIND`` for what is not registered, ``E-WIRE-SIZE`` for more than ``MOST_BYTES``, ``E-WIRE-VALUE`` for
        a number that is none
    """
    arrays: list[bytes] = []
    header = _json(_plain(thing, arrays))
    if len(header) > _MOST_HEADER or len(header) + sum(map(len, arrays)) > MOST_BYTES:
        raise _refused("SIZE", "内容过大", "the thing is too large")
    body = b"".join([len(header).to_bytes(_LENGTH, "little"), header, *arrays])
    return _MAGIC + hashlib.sha256(body).digest() + body


def read(message: bytes, kind: type[T]) -> T:
    """Return the thing of a class that ``written`` wrote; anything else is refused.

    Raises
    ------
    Refusal
        ``E-WIRE-MESSAGE`` for bytes that ``written`` never gives, ``E-WIRE-KIND`` for a name that is not registered, or
        another one than is wanted, ``E-WIRE-SIZE`` for a thing too large, ``E-WIRE-VALUE`` for one that cannot be
    """
    start = len(_MAGIC) + _DIGEST
    if len(message) > MOST_BYTES + start + _LENGTH:
        raise _refused("SIZE", "消息过大", "the message is too large")
    if message[: len(_MAGIC)] != _MAGIC or hashlib.sha256(memoryview(message)[start:]).digest() != message[4:start]:
        raise _unreadable()
    size, first = int.from_bytes(message[start : start + _LENGTH], "little"), start + _LENGTH
    if size > _MOST_HEADER or first + size > len(message):
        raise _unreadable()
    header = message[first : first + size]
    try:
        plain = json.loads(header, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise _unreadable() from error
    reader = _Reader(memoryview(message)[first + size :])
    made = reader.made(plain, kind)
    if reader.place != len(reader.raw) or _json(_plain(made, [])) != header:
        raise _unreadable()
    return cast(T, made)


def question(message: bytes) -> Any:
    """Return the question that ``written`` wrote; see ``read``."""
    made = read(message, object)
    if type(made) not in {QUESTIONS[name] for name in QUESTIONS}:
        raise _refused("KIND", f"“{type(made).__name__}”不是问题", f"a {type(made).__name__} is no question")
    return made


def _plain(value: object, arrays: list[bytes]) -> Any:
    """Return a value as JSON has it, its arrays appended to ``arrays``."""
    if value is None or isinstance(value, bool | str | float | int | np.number | date):
        return _scalar(value)
    if isinstance(value, bytes):
        arrays.append(value)
        return len(value)
    if isinstance(value, np.ndarray):
        return _array(value, arrays)
    if isinstance(value, tuple | list):
        return [_plain(one, arrays) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(one, arrays) for name, one in sorted(value.items())}
    if isinstance(value, HeadwaterError):
        return [value.code, *(text for told in (value.reason, value.remedy) for text in (told.zh, told.en))]
    kind = _NAMES.get(type(value))
    if kind is None:
        raise _refused("KIND", f"“{type(value).__name__}”不能传送", f"a {type(value).__name__} does not travel")
    return {_KIND: kind} | {name: _plain(getattr(value, name), arrays) for name in _form(type(value))}


def _scalar(value: Any) -> Any:
    if isinstance(value, float | np.floating) and math.isnan(value):
        raise _refused("VALUE", "含有 NaN", "there is a NaN in it")
    if isinstance(value, date):
        return value.isoformat()
    return value.item() if isinstance(value, np.number) else value


def _array(value: npt.NDArray[Any], arrays: list[bytes]) -> list[Any]:
    """Return type and shape; real numbers that half as many bits hold travel in these."""
    if value.dtype.kind == "f":
        if not np.isfinite(value).all():
            raise _refused("VALUE", "含有非有限数", "there are numbers that are not finite")
        value = value.astype(np.float64)
        with np.errstate(over="ignore"):
            narrow = value.astype(np.float32)
        value = narrow if bool((narrow == value).all()) else value
    code = value.dtype.newbyteorder("<").str.lstrip("<|")
    arrays.append(np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<")).tobytes())
    return [code, *value.shape]


class _Reader:
    """Reads values by what is declared, arrays in the order in which the header names them."""

    def __init__(self, raw: memoryview) -> None:
        self.raw, self.place = raw, 0

    def made(self, plain: Any, hint: Any) -> Any:
        """Return the value of a declared type; another is refused."""
        origin = typing.get_origin(hint)
        if origin in (Union, types.UnionType):
            return self._one_of(plain, typing.get_args(hint))
        if origin is Literal:
            return _if(any(type(plain) is type(one) and plain == one for one in typing.get_args(hint)), plain)
        if origin is tuple:
            return self._tuple(plain, typing.get_args(hint))
        if origin is not None and issubclass(origin, Mapping):
            named = _if(isinstance(plain, dict), plain)
            return {name: self.made(one, typing.get_args(hint)[1]) for name, one in named.items()}
        if origin is np.ndarray:
            return self._array(plain, np.dtype(typing.get_args(typing.get_args(hint)[1])[0]))
        return self._simple(plain, hint)

    def _simple(self, plain: Any, hint: Any) -> Any:
        if hint in (bool, str, type(None)):
            return _if(type(plain) is hint, plain)
        if hint is int or (hint is float and type(plain) is int):
            return _if(type(plain) is int and abs(plain) < _LARGEST_INTEGER, plain)
        if hint is float:
            return _if(type(plain) is float, plain)
        if hint is date:
            return _day(plain)
        if hint is bytes:
            return bytes(self._taken(_if(type(plain) is int and plain >= 0, plain)))
        if hint is HeadwaterError:
            code, *texts = _if(type(plain) is list and len(plain) == 5 and all(type(t) is str for t in plain), plain)
            return HeadwaterError(code, Message(*texts[:2]), Message(*texts[2:]))
        return self._thing(plain, hint)

    def _thing(self, plain: Any, hint: Any) -> Any:
        """Return what is registered under the name in ``plain``, if that is what is wanted."""
        name = _if(type(plain) is dict and type(plain.get(_KIND)) is str, plain)[_KIND]
        if name not in set(KINDS):
            raise _refused("KIND", f"没有登记的种类 {name[:40]!r}", f"no kind {name[:40]!r} is known")
        of = KINDS[name]
        if not (of in _FEATURES if hint is Features else issubclass(of, hint)):
            raise _refused("KIND", f"此处不应是“{name}”", f"a {name} has no place here")
        form = _form(of)
        _if(plain.keys() == {_KIND, *form}, plain)
        # Arrays come in the order of the fields; a header that names these in another order is refused in the end.
        given = {field: self.made(plain[field], declared) for field, declared in form.items()}
        try:
            made = of(**given)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise _refused("VALUE", f"“{name}”的内容不成立", f"a {name} cannot be so") from error
        if of in _FEATURES and made.dim > _MOST_FEATURES:
            raise _refused("SIZE", f"特征数 {made.dim} 过多", f"{made.dim} features are too many")
        return made

    def _one_of(self, plain: Any, hints: tuple[Any, ...]) -> Any:
        """Return the value of the one declared type that it can be; what is wrong within it is told as such."""
        if plain is None and type(None) in hints:
            return None
        left = [hint for hint in hints if hint is not type(None)]
        for hint in left[:-1]:
            place = self.place
            try:
                return self.made(plain, hint)
            except Refusal:
                self.place = place
        return self.made(plain, left[-1])

    def _tuple(self, plain: Any, hints: tuple[Any, ...]) -> tuple[Any, ...]:
        _if(type(plain) is list, plain)
        if len(hints) == 2 and hints[1] is Ellipsis:
            return tuple(self.made(one, hints[0]) for one in plain)
        _if(len(plain) == len(hints), plain)
        return tuple(self.made(one, hint) for one, hint in zip(plain, hints, strict=True))

    def _array(self, plain: Any, wanted: "np.dtype[Any]") -> npt.NDArray[Any]:
        _if(type(plain) is list and 2 <= len(plain) <= 1 + _MOST_DIMENSIONS, plain)
        code, *shape = plain
        _if(all(type(size) is int and 0 <= size <= MOST_BYTES for size in shape), plain)
        codes = {wanted.str.lstrip("<|")} | ({"f4"} if wanted == np.float64 else set())
        _if(type(code) is str and code in codes, plain)
        stored = np.dtype(f"<{code}" if code != "b1" else "u1")
        found = np.frombuffer(self._taken(math.prod(shape) * stored.itemsize), dtype=stored).reshape(shape)
        _if(code != "b1" or not found.size or int(found.max()) <= 1, plain)
        real = found.astype(wanted)
        _if(wanted.kind != "f" or bool(np.isfinite(real).all()), plain)
        # Narrow numbers must be written narrow, and wide ones wide, or one thing could be said in two ways.
        if code == "f8":
            with np.errstate(over="ignore"):
                _if(not bool((real.astype(np.float32) == real).all()), plain)
        return real

    def _taken(self, size: int) -> memoryview:
        start, self.place = self.place, self.place + size
        _if(self.place <= len(self.raw), None)
        return self.raw[start : self.place]


def _form(of: type) -> dict[str, Any]:
    """Return the fields that travel, and their types, which may name things that are defined after it."""
    if of not in _FORMS:
        _FORMS[of] = _declared(of)
    return _FORMS[of]


def _declared(of: type) -> dict[str, Any]:
    hints = typing.get_type_hints(of)
    for field in fields(of):
        if field.metadata.get("at_home") and field.default is MISSING and field.default_factory is MISSING:
            raise TypeError(f"{of.__name__}.{field.name} stays at home and has no default")
    return {field.name: hints[field.name] for field in fields(of) if field.init and not field.metadata.get("at_home")}


def _json(plain: Any) -> bytes:
    try:
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise _refused("VALUE", "含有不成字的编码", "there is half a character in it") from error


def _constant(text: str) -> float:
    if text == "NaN":
        raise ValueError("a NaN")
    return float(text)


def _day(plain: Any) -> date:
    try:
        return date.fromisoformat(_if(type(plain) is str, plain))
    except ValueError as error:
        raise _unreadable() from error


def _if(fits: bool, plain: T) -> T:
    if not fits:
        raise _unreadable()
    return plain


def _unreadable() -> Refusal:
    return _refused(
        "MESSAGE", "消息不完整、被改动过，或形式不对", "the message is cut short, changed, or of another form"
    )


def _refused(code: str, zh: str, en: str) -> Refusal:
    return Refusal(
        f"E-WIRE-{code}",
        Message(f"无法传送或读取：{zh}。", f"Nothing travels: {en}."),
        Message("请核对双方的版本后重发。", "Check that both ends run the same release, and send it again."),
    )


for _name, _of in {
    **{"numeric": Numeric, "categorical": Categorical, "feature_map": FeatureMap},
    **{"fixed_point": FixedPoint, "gram": Gram, "statistic": Statistic, "message": Message},
    **{name: cast(type, FEATURE_MAPS[name]) for name in FEATURE_MAPS},
}.items():
    travels(_name)(_of)
