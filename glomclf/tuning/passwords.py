"""Passwords in addresses of databases: kept out of everything that is shown."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

__all__ = ["passwords_in", "without_password", "without_passwords"]

# As SQLAlchemy reads an address: a user's name may hold an @, a password a slash.
_USER = re.compile(r"(://[^:/\s]*):(\S*)@")
_USER_OF_ONE = re.compile(r"(?s)(://[^:/\s]*):(.*)@")  # a password may have blanks
_OPTION = re.compile(r"(?i)([?&](?:password|sslpassword|passwd|pwd)=)([^&\s']*)")


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


def without_password(address: str) -> str:
    """Hide the password of one URL, which may have blanks.

    Parameters
    ----------
    address : str
        Or anything else that is one word.

    Returns
    -------
    str

    Examples
    --------
    >>> from glomclf.tuning.passwords import without_password
    >>> without_password("postgresql://me:my secret@host/db")
    'postgresql://me:***@host/db'
    """
    return without_passwords(_USER_OF_ONE.sub(r"\1:***@", address))


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
    meant = [unquote(password) for password in found]
    return [one for one in {*found, *meant, *map(quote, meant)} if one]
