"""Archives, unpacked without trust."""

import contextlib
import gzip
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from lawbook.reference.checks import check_whole

KINDS = (".zip", ".tar", ".tar.gz", ".tgz")
CHUNK = 1 << 16
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError)


def extract_archive(
    archive: str | os.PathLike[str], destination: str | os.PathLike[str], limit: int = 1 << 30
) -> list[str]:
    """Unpack an archive into a folder; nothing it holds can write elsewhere.

        files of the folder afterwards = files of the archive, and what was there before under other names

    An archive is unpacked as a whole or not at all: what is refused, or fails in the middle, leaves the folder as it was,
    and nothing beside it. A process that is killed leaves no file there that is not whole.

    Args:
        archive: a zip, tar or gzipped tar file; its name ends in .zip, .tar, .tar.gz or .tgz, in any case.
        destination: the folder; made where it is missing, with its parents. A file there is replaced by one of the same
            name.
        limit: how many bytes all files may have together, unpacked.

    Returns:
        The paths of all files and links of the archive, relative to the folder, with "/" between their parts, in the
        order of Python's texts, each once. Of two members of one name the later one counts.

    Raises:
        ValueError: the name has another ending, the content is not of that kind or damaged, the files are larger than
            ``limit``, or that is negative; a file stands where the folder has a folder, or a folder where it has a file; or a
            member has an absolute path, ".." in its path, or lies below a link; is a device, a named pipe or, in a zip
            file, a link or encrypted; or a symbolic or hard link that leads out of the folder, or a hard link to what is
            not a file of the archive. Links that stay inside are kept.
        OSError: there is no such file, or the folder cannot be written.

    Source: note 004 (house prices, download_extract); Python's tarfile, filter "data" (PEP 706); CVE-2007-4559.
    """
    path, folder = os.fspath(archive), os.path.abspath(os.fspath(destination))
    limit = check_whole("limit", limit, 0)
    members = _members_of(path)
    present = folder
    while not os.path.lexists(present):
        present = os.path.dirname(present)
    if not os.path.isdir(present):
        raise NotADirectoryError(f"{present} is no folder")
    # Beside the destination, so that files move into it as a whole.
    staging = tempfile.mkdtemp(prefix=".unpacking-", dir=os.path.dirname(folder) if present == folder else present)
    try:
        try:
            _unpack(members(path), staging, limit)
        except DAMAGE as error:
            raise ValueError(f"{os.path.basename(path)} is damaged: {error}") from error
        return _merge(staging, folder)
    finally:
        shutil.rmtree(staging)


@dataclass(frozen=True)
class Member:
    """One entry of an archive."""

    name: str
    kind: str
    """file, folder, symbolic link, hard link, or a word for what is refused."""
    content: IO[bytes] | None = None
    target: str = ""


def _members_of(path: str):
    name = path.lower()
    if not name.endswith(KINDS):
        raise ValueError(f"archive is {os.path.basename(path)!r}, expected a name that ends in {', '.join(KINDS)}")
    return _of_zip if name.endswith(".zip") else _of_tar


def _of_zip(path: str) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                yield Member(info.filename, "folder")
            elif stat.S_ISLNK(info.external_attr >> 16):
                yield Member(info.filename, "link in a zip file")
            elif info.flag_bits & 1:
                yield Member(info.filename, "encrypted file")
            else:
                with archive.open(info) as content:
                    yield Member(info.filename, "file", content)


def _of_tar(path: str) -> Iterator[Member]:
    with contextlib.ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(open(path, "rb"))
        if path.lower().endswith("gz"):
            file = stack.enter_context(gzip.GzipFile(fileobj=file))  # type: ignore[arg-type]
        archive = stack.enter_context(tarfile.open(fileobj=file, mode="r:"))
        for info in archive:
            if info.isfile():
                yield Member(info.name, "file", archive.extractfile(info))
            elif info.isdir():
                yield Member(info.name, "folder")
            elif info.issym():
                yield Member(info.name, "symbolic link", target=info.linkname)
            elif info.islnk():
                yield Member(info.name, "hard link", target=info.linkname)
            else:
                yield Member(info.name, "device or named pipe")
        # The check sum of a gzipped file stands at its very end, behind what ends the archive.
        while file.read(CHUNK):
            pass


def _unpack(members: Iterator[Member], root: str, limit: int) -> None:
    """Write the members below ``root``."""
    left = limit
    for member in members:
        path = _inside(root, member.name, "path")
        if path == root:
            continue
        if member.kind == "folder":
            os.makedirs(path, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.isdir(path) and not os.path.islink(path):
            raise ValueError(f"{member.name!r} is a {member.kind} and a folder at once")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if member.kind == "file":
            assert member.content is not None
            left = _copy(member, path, left, limit)
        elif member.kind == "symbolic link":
            os.symlink(member.target, path)
        elif member.kind == "hard link":
            source = _inside(root, member.target, "hard link")
            if not os.path.isfile(source) or os.path.islink(source):
                raise ValueError(f"the hard link {member.name!r} leads to {member.target!r}, which is no file so far")
            os.link(source, path)
        else:
            raise ValueError(f"{member.name!r} is a {member.kind}, expected files, folders and links that stay inside")
    # At the end: where a link leads depends on links that come later.
    for link in _links(root):
        if os.path.isabs(os.readlink(link)) or not _is_below(os.path.realpath(link), root):
            raise ValueError(f"the link {os.path.relpath(link, root)!r} leads out, to {os.readlink(link)!r}")


def _inside(root: str, name: str, what: str) -> str:
    """The place of a member; ValueError where it is not below the folder, or below a link."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise ValueError(f"the {what} {name!r} leads out of the folder, or may do so")
    path = root
    for part in parts[:-1]:
        path = os.path.join(path, part) if part not in ("", ".") else path
        if os.path.islink(path):
            raise ValueError(f"the {what} {name!r} goes through a link")
        if os.path.exists(path) and not os.path.isdir(path):
            raise ValueError(f"the {what} {name!r} lies below a file")
    return os.path.join(path, parts[-1]) if parts[-1] not in ("", ".") else path


def _copy(member: Member, path: str, left: int, limit: int) -> int:
    """Write one file; what is left of the limit. Sizes that an archive states are not believed."""
    assert member.content is not None
    with open(path, "xb") as file:
        while chunk := member.content.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise ValueError(f"the files have more than {limit} bytes, the limit, at {member.name!r}")
            file.write(chunk)
    return left


def _links(root: str) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            if os.path.islink(os.path.join(folder, name)):
                yield os.path.join(folder, name)


def _is_below(path: str, root: str) -> bool:
    # By whole parts: /data-other begins with /data, and is elsewhere.
    root = os.path.realpath(root)
    return os.path.commonpath([path, root]) == root


def _merge(staging: str, folder: str) -> list[str]:
    """Move everything into the folder, file by file; looked at as a whole before the first one is moved."""
    folders, files = [], []
    for at, below, names in os.walk(staging):
        links = [name for name in below if os.path.islink(os.path.join(at, name))]
        files += [os.path.relpath(os.path.join(at, name), staging) for name in (*names, *links)]
        folders += [os.path.relpath(os.path.join(at, name), staging) for name in below if name not in links]
    for name in folders:
        there = os.path.join(folder, name)
        if os.path.lexists(there) and (os.path.islink(there) or not os.path.isdir(there)):
            raise ValueError(f"{name!r} is a folder of the archive, and something else in {folder}")
    for name in files:
        there = os.path.join(folder, name)
        if os.path.isdir(there) and not os.path.islink(there):
            raise ValueError(f"{name!r} is a file of the archive, and a folder in {folder}")
    os.makedirs(folder, exist_ok=True)
    for name in folders:
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    for name in files:
        os.replace(os.path.join(staging, name), os.path.join(folder, name))
    return sorted(files)
