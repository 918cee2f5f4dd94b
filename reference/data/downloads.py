"""Files from elsewhere, taken only when they are the ones that were asked for."""

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import urllib.parse
import urllib.request
from typing import IO

from lawbook.reference.checks import check_positive

CHUNK = 1 << 20


def verified_download(source: str, sha1: str, cache_dir: str | os.PathLike[str], timeout: float = 60.0) -> str:
    """Fetch a file into a folder, unless it is there, and vouch for its content.

        path = cache_dir / name,    SHA-1(content of path) = sha1 whenever the call returns

    where the name is the last part of the source's path, without query and with its percent signs decoded; whether it may hold a
    backslash is left open. A file of that name with the right hash is not fetched again; one with another hash is replaced.

    The file appears under its name as a whole, after its hash was found right. A call that raises leaves the folder as
    it was, but for making it; one that is killed leaves at most a file under another name, which no later call takes for
    the real one.

    Args:
        source: an http or https URL, or the path of a local file, which is copied.
        sha1: 40 hexadecimal digits, in either case.
        cache_dir: the folder; made where it is missing, with its parents.
        timeout: how many seconds to wait for the server's next bytes.

    Returns:
        The path of the file.

    Raises:
        ValueError: ``sha1`` is no SHA-1, the source has another scheme or does not end in a file's name, or the content
            has another hash, as it has when it was cut short.
        OSError: there is no such source, the server refuses or says an error, it is silent for longer than ``timeout``,
            or the connection breaks.

    Source: note 004 (house prices, download); FIPS 180-4.
    """
    if not isinstance(sha1, str) or not re.fullmatch("[0-9a-fA-F]{40}", sha1):
        raise ValueError(f"sha1 is {sha1!r}, expected 40 hexadecimal digits")
    check_positive("timeout", timeout)
    name = _name(source)
    folder = os.fspath(cache_dir)
    path = os.path.join(folder, name)
    if os.path.isfile(path) and _hash_of(path) == sha1.lower():
        return path
    os.makedirs(folder, exist_ok=True)
    beside = os.path.join(folder, f".{name}.{secrets.token_hex(8)}.part")
    try:
        with open(beside, "xb") as file, contextlib.closing(_opened(source, timeout)) as stream:
            shutil.copyfileobj(stream, file, CHUNK)
            file.flush()
            os.fsync(file.fileno())
        found = _hash_of(beside)
        if found != sha1.lower():
            raise ValueError(f"{name} has the SHA-1 {found}, expected {sha1.lower()}")
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise
    return path


def _name(source: str) -> str:
    parts = urllib.parse.urlsplit(source)
    if parts.scheme not in ("http", "https", ""):
        raise ValueError(f"source is {source!r}, expected an http or https URL, or a path")
    path = urllib.parse.unquote(parts.path) if parts.scheme else source
    # Decoded first: a separator or two dots may be written with percent signs.
    name = path.rpartition("/")[2]
    if name in ("", ".", "..") or "\0" in name or "\\" in name:
        raise ValueError(f"source is {source!r}, expected it to end in the name of a file")
    return name


def _opened(source: str, timeout: float) -> IO[bytes]:
    if urllib.parse.urlsplit(source).scheme:
        return urllib.request.urlopen(source, timeout=timeout)
    return open(source, "rb")


def _hash_of(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()
