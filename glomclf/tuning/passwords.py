"""Passwords in addresses of databases: kept out of everything that is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

__all__ = [
    "hidden",
    "passwords_in",
    "readable_url",
    "without_password",
    "without_passwords",
]

# As SQLAlchemy reads an address: a user's name may hold an @, a password a slash.
_USER = re.compile(r"(://[^:/\s]*):(\S*)@")
_USER_OF_ONE = re.compile(r"(?s)(://[^:/\s]*):(.*)@")  # a password may have blanks
_OPTION = re.compile(
    r"(?i)((?:^|[?&;\s])(?:password|sslpassword|passwd|pwd)\s*=\s*)([^&;\s']*)"
)

# What an address may say without telling a secret.
_HARMLESS_OPTIONS = (
    *("user", "host", "hostaddr", "port", "dbname", "charset", "mode", "uri"),
    *("application_name", "connect_timeout", "timeout", "target_session_attrs"),
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "options"),
)
_FILE_NAME = re.compile(r"[\w ./~\\-]+")
_HOST = re.compile(r"[\w.:-]*")
_DATABASE = re.compile(r"[^@:?#\s]*")


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
    if _FILE_NAME.fullmatch(address):
        return address
    url = readable_url(address)
    if url is None:
        scheme, separator, _ = address.partition("://")
        is_known = separator and re.fullmatch(r"[a-z][a-z0-9]*(\+[a-z0-9]+)?", scheme)
        return f"{scheme}://***" if is_known else "***"
    return _written(url)


def readable_url(address: str) -> URL | None:
    """Read an address; None where a part of a password may stand elsewhere in it.

    Parameters
    ----------
    address : str

    Returns
    -------
    sqlalchemy.engine.URL or None

    Examples
    --------
    >>> from glomclf.tuning.passwords import readable_url
    >>> readable_url("postgresql://me@host/db").host
    'host'
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        return None
    is_file = url.drivername.startswith("sqlite")
    is_plain = is_file or _DATABASE.fullmatch(url.database or "")
    is_plain = is_plain and _HOST.fullmatch(url.host or "")
    # A user with a server behind it, as some clouds have them, or half a password?
    is_doubtful = url.password is None and "@" in (url.username or "")
    return url if is_plain and not is_doubtful else None


def _written(url: URL) -> str:
    user = url.username or ""
    secret = "" if url.password is None else ":***"
    at = "@" if user or secret else ""
    host = f"[{url.host}]" if ":" in (url.host or "") else url.host or ""
    port = "" if url.port is None else f":{url.port}"
    database = "" if url.database is None else f"/{url.database}"
    options = "&".join(
        f"{name}={value if _is_harmless(name) else '***'}"
        for name, value in _options(url)
    )
    mark = "?" if options else ""
    return f"{url.drivername}://{user}{secret}{at}{host}{port}{database}{mark}{options}"


def _options(url: URL) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, values in url.query.items()
        for value in ([values] if isinstance(values, str) else values)
    ]


def _is_harmless(option: str) -> bool:
    return option in _HARMLESS_OPTIONS


def without_passwords(text: str) -> str:
    """Hide passwords of URLs, also those among their options.

    Parameters
    ----------
    text : str
        With any number of addresses in it.

    Returns
    -------
    str

    Examples
    --------
    >>> from glomclf.tuning.passwords import without_passwords
    >>> without_passwords("mysql://host/db?user=me&password=secret")
    'mysql://host/db?user=me&password=***'
    >>> without_passwords("postgresql://me@server:se/cret@host/db")
    'postgresql://me@server:***@host/db'
    """
    return _OPTION.sub(r"\1***", _USER.sub(r"\1:***@", text))


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
        option, is_given, address = word.partition("=")
        if before in ("--storage", "optuna-dashboard"):
            shown.append(hidden(word))
        elif option == "--storage" and is_given:
            shown.append(f"{option}={hidden(address)}")
        else:
            shown.append(without_passwords(_USER_OF_ONE.sub(r"\1:***@", word)))
    return shown


def passwords_in(text: str) -> list[str]:
    """Return the passwords in a URL, as they stand there and as they are meant.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str

    Examples
    --------
    >>> from glomclf.tuning.passwords import passwords_in
    >>> sorted(passwords_in("mysql://me:a%20b@host/db"))
    ['a b', 'a%20b']
    """
    named = _USER_OF_ONE.findall(text) + _OPTION.findall(text)
    found = [password for _, password in named]
    if (url := readable_url(text)) is not None:
        found += [value for name, value in _options(url) if not _is_harmless(name)]
    meant = [unquote(password) for password in found]
    return [one for one in {*found, *meant, *map(quote, meant)} if one]
