"""Passwords in addresses of databases: kept out of everything that is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

__all__ = ["hidden", "is_plain", "secrets_in", "without_password"]

_FILE = re.compile(r"sqlite(\+\w+)?:///[^?]*|[\w ./~\\-]+")
_SCHEME = r"[a-z][a-z0-9]*(?:\+[a-z0-9]+)?://"
# An address in which each part can only be what it is. A second @, or a slash before
# the first, may be of a password.
_PLAIN = re.compile(
    rf"(?P<scheme>{_SCHEME})"
    r"(?:(?P<user>[^@:/?#\s]*)(?P<password>:[^@/?#]*)?@)?"
    r"(?P<place>(?:[\w.-]*|\[[\w.:]+\])(?::\d+)?(?:/[^@:?#\s]*)?)"
    r"(?:\?(?P<options>.*))?"
)
# What options may say without telling a secret.
_HARMLESS = re.compile(
    r"(?:(?:ssl(?:mode|rootcert|cert|key)|connect_timeout|timeout|application_name"
    r"|target_session_attrs|charset|mode|uri|host|port|user|dbname)=[\w./~-]*(?:&|$))+"
)


def hidden(address: str) -> str:
    """Write the address of a storage with nothing in it that may be a secret.

    Parameters
    ----------
    address : str

    Returns
    -------
    str
        Passwords are three stars, and so is all that cannot be told from one.

    Examples
    --------
    >>> from glomclf.tuning.passwords import hidden
    >>> hidden("postgresql://me:secret@host/db?sslmode=require")
    'postgresql://me:***@host/db?sslmode=require'
    >>> hidden("postgresql://me:sec@ret@host/db")  # which host is it?
    'postgresql://***'
    >>> hidden("host=server password=secret")
    '***'
    """
    if _FILE.fullmatch(address):
        return address
    parts = _PLAIN.fullmatch(address)
    if parts is None:
        scheme = re.match(_SCHEME, address)
        return f"{scheme[0] if scheme else ''}***"
    user, options = parts["user"], parts["options"]
    at = "" if user is None else f"{user}{':***' if parts['password'] else ''}@"
    told = options if _HARMLESS.fullmatch(options or "") else "***"
    return f"{parts['scheme']}{at}{parts['place']}{f'?{told}' if options else ''}"


def is_plain(address: str) -> bool:
    """Tell whether each part of an address can only be what it is."""
    return bool(_FILE.fullmatch(address) or _PLAIN.fullmatch(address))


def secrets_in(address: str) -> set[str]:
    """Return the passwords in a plain address, as they stand there and are meant.

    Examples
    --------
    >>> from glomclf.tuning.passwords import secrets_in
    >>> sorted(secrets_in("mysql://me:a%20b@host/db"))
    ['a b', 'a%20b']
    """
    if (parts := _PLAIN.fullmatch(address)) is None:
        return set()
    found = [(parts["password"] or "")[1:]]
    if not _HARMLESS.fullmatch(parts["options"] or ""):
        found += re.findall(r"=([^&]+)", parts["options"] or "")
    meant = [unquote(secret) for secret in found]
    return {*found, *meant, *map(quote, meant)} - {""}


def without_password(words: Sequence[str]) -> list[str]:
    """Hide passwords in the words of a command.

    Parameters
    ----------
    words : sequence of str
        The program and its arguments.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from glomclf.tuning.passwords import without_password
    >>> without_password(["--storage", "postgresql://me:my secret@host/db"])
    ['--storage', 'postgresql://me:***@host/db']
    """
    shown = []
    for before, word in zip(["", *words], words, strict=False):
        option, equals, address = word.partition("=")
        if option == "--storage" and equals:
            shown.append(f"{option}={hidden(address)}")
        else:
            is_address = before in ("--storage", "optuna-dashboard") or "://" in word
            shown.append(hidden(word) if is_address else word)
    return shown
