"""Laws of archives, honest and hostile ones."""

import gzip
import io
import os
import resource
import signal
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path

from lawbook.fixtures.cases import data as domains
from lawbook.fixtures.cases.archives import KINDS, Archive, file, hostile, member, packed
from lawbook.fixtures.cases.folders import Folder, Stored
from lawbook.reference import data
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_data.laws import NO_TENSOR
from lawbook.spec_tests.test_data.test_downloads import child, listing, refuses

BOMB = bytes(3_000_000)
LIMIT = 1_000_000
MANY = [file(f"{k}.bin", BOMB[: LIMIT // 2]) for k in range(3)]


def in_every_header(content, local, central, change):
    """A zip file whose headers are all changed, at a distance from their mark: ``local`` by a file, ``central`` at the end."""
    found = bytearray(content)
    for mark, at in ((b"PK\3\4", local), (b"PK\1\2", central)):
        begin = found.find(mark)
        while begin >= 0:
            change(found, begin + at)
            begin = found.find(mark, begin + 1)
    return bytes(found)


def with_small_sizes(content):
    """A zip file whose directory states 10 bytes for every file, whatever is packed."""

    def change(found, at):
        found[at : at + 4] = (10).to_bytes(4, "little")

    return in_every_header(content, 22, 24, change)


def with_flag(content, flag):
    """A zip file in which a flag is set for every file."""

    def change(found, at):
        found[at] |= flag

    return in_every_header(content, 6, 8, change)


def with_wrong_sum(content):
    """A zip file in which a byte of the packed data is another."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        at = archive.infolist()[-1].header_offset + 60
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


HONEST = [file("a.txt", b"a" * 100), file("sub/b.bin", bytes(range(256)) * 20)]
NOISE = [file("a.txt"), file("z.bin", b"".join(zlib.crc32(b"%d" % k).to_bytes(4, "little") for k in range(5000)))]
ZIP, TAR, TGZ = (packed(kind, NOISE) for kind in ("zip", "tar", "tar.gz"))
PADDED = gzip.compress(TAR + bytes(1 << 21))
ENCRYPTED, BEST_PACKED = 1, 2
DAMAGED = {
    "an ending of no kind": Stored("archive.rar", ZIP),
    "no ending": Stored("archive", ZIP),
    "a plain gzipped file": Stored("archive.csv.gz", TGZ),
    "texts under the name of a zip file": Stored("archive.zip", b"no archive at all\n" * 50),
    "texts under the name of a tar file": Stored("archive.tar", b"no archive at all\n" * 50),
    "texts under the name of a gzipped tar file": Stored("archive.tar.gz", b"no archive at all\n" * 50),
    "a tar file under the name of a zip file": Stored("archive.zip", TAR),
    "a zip file cut short": Stored("archive.zip", ZIP[: len(ZIP) // 2]),
    "a tar file cut short": Stored("archive.tar", TAR[: len(TAR) // 2]),
    "a gzipped tar file cut short": Stored("archive.tar.gz", TGZ[: len(TGZ) // 2]),
    "a zip file with a wrong sum": Stored("archive.zip", with_wrong_sum(ZIP)),
    "a gzipped tar file with a wrong sum": Stored("archive.tgz", TGZ[:-8] + bytes([TGZ[-8] ^ 1]) + TGZ[-7:]),
    "a gzipped tar file with a wrong sum behind much padding": Stored(
        "archive.tgz", PADDED[:-8] + bytes(4) + PADDED[-4:]
    ),
}
SPECIAL = ("character device", "block device", "named pipe")


def snapshot(home, below):
    """Everything outside of a folder: contents, targets of links, and how many names a file has."""
    found = {}
    for at, folders, names in os.walk(home):
        if os.path.join(at, "") == os.path.join(below, ""):
            folders[:] = []
            continue
        for name in (*folders, *names):
            path = os.path.join(at, name)
            if path == below:
                continue
            status = os.lstat(path)
            content = None
            if stat.S_ISREG(status.st_mode):
                with open(path, "rb") as there:
                    content = there.read()
            kind = stat.S_IFMT(status.st_mode)
            # A folder's number of names is that of the folders in it.
            found[os.path.relpath(path, home)] = (kind, content, 0 if stat.S_ISDIR(kind) else status.st_nlink)
    return found


class Home:
    """A folder with a secret in it, an inner folder, and there the destination with an older file."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory()
        self.path = os.path.realpath(self._folder.name)
        self.destination = os.path.join(self.path, "inner", "folder")
        for name, content in (("outside/secret.txt", b"secret"), ("inner/folder/older.txt", b"older")):
            os.makedirs(os.path.dirname(os.path.join(self.path, name)), exist_ok=True)
            with open(os.path.join(self.path, name), "wb") as there:
                there.write(content)
        # Where the hostile ones may lead, so that what they write is not refused for want of a folder.
        os.makedirs(os.path.join(self.path, "inner", "folder-beside"))
        return self

    def __exit__(self, *error):
        self._folder.cleanup()


class TestExtractArchive(Spec):
    component = data.extract_archive
    cases = domains.extract_archive
    declines = NO_TENSOR
    edges = (
        *(dict(archive=Archive(kind, []), destination=Folder()) for kind in KINDS),
        dict(archive=Archive("zip", [file("empty", b"")]), destination=Folder(), limit=0),
        dict(archive=Stored("ARCHIVE.TAR.GZ", packed("tar.gz", HONEST)), destination=Folder("parent/folder")),
        # The flag says how much time was spent on packing.
        dict(archive=Stored("archive.zip", with_flag(packed("zip", HONEST), BEST_PACKED)), destination=Folder()),
    )
    invalid = (
        *(Invalid(ValueError, what, archive=archive, destination=Folder()) for what, archive in DAMAGED.items()),
        Invalid(OSError, "an archive that is not there", archive="/no/such/archive.zip", destination=Folder()),
        Invalid(OSError, "a file for a folder", archive=Archive("zip", HONEST), destination=Stored("folder", b"")),
        Invalid(ValueError, "a negative limit", archive=Archive("zip", []), destination=Folder(), limit=-1),
        Invalid(
            ValueError,
            "an encrypted file",
            archive=Stored("archive.zip", with_flag(packed("zip", HONEST), ENCRYPTED)),
            destination=Folder(),
        ),
    )

    def test_contents_are_kept(self, impl, case):
        """The folder holds the archive's files, each with its content, and no others."""
        folder = Folder()
        names = impl(case, destination=folder)
        found = listing(folder)
        require(found == case.archive.files, f"the folder holds {sorted(found)}, expected {sorted(case.archive.files)}")
        require(sorted(names) == sorted(found), f"the result is {list(names)}, the folder holds {sorted(found)}")
        beside = os.listdir(os.path.dirname(os.fspath(folder)))
        require(beside == [folder.name], f"beside the folder lie {sorted(beside)}")

    def test_what_was_there_stays(self, impl, case):
        """Other files of the folder stay; one of the same name is replaced as a whole."""
        with tempfile.TemporaryDirectory() as folder:
            names = sorted(case.archive.files)
            for name in ("older.txt", *names[:1]):
                path = os.path.join(folder, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as there:
                    there.write(b"older" * 50_000)
            impl(case, destination=folder)
            expected = {"older.txt": b"older" * 50_000, **case.archive.files}
            require(listing(folder) == expected, f"the folder holds {sorted(listing(folder))}, or other contents")

    def test_nothing_is_written_outside(self, impl):
        """Paths, links and devices of hostile archives change nothing outside of the folder, whether refused or not."""
        for kind, what, _ in hostile(""):
            with Home() as home:
                archive = Archive(kind, next(m for k, w, m in hostile(home.path) if (k, w) == (kind, what)))
                before = snapshot(home.path, home.destination)
                refuses(impl, archive=archive, destination=home.destination)
                now = snapshot(home.path, home.destination)
                changed = sorted(k for k in {*before, *now} if before.get(k) != now.get(k))
                require(not changed, f"{what}, in a {kind} file, changed {changed}")

    def test_hostile_archives_are_refused(self, impl):
        """What would leave the folder raises, and of the honest members beside it nothing stays."""
        for kind, what, _ in hostile(""):
            with Home() as home:
                members = next(m for k, w, m in hostile(home.path) if (k, w) == (kind, what))
                archive = Archive(kind, [file("first.txt"), *members])
                refused = refuses(impl, archive=archive, destination=home.destination)
                require(refused, f"accepts {what}, in a {kind} file")
                found = snapshot(home.destination, "")
                require(list(found) == ["older.txt"], f"{what}, in a {kind} file: {sorted(found)} are in the folder")

    def test_links_in_zip_files_are_refused(self, impl):
        """A symbolic link in a zip file raises, even one that stays inside, and nothing of the archive stays."""
        with Home() as home:
            archive = Archive("zip", [file("first.txt"), member("beside.txt", "symbolic link", "first.txt")])
            require(refuses(impl, archive=archive, destination=home.destination), "accepts a link in a zip file")
            found = snapshot(home.destination, "")
            require(list(found) == ["older.txt"], f"after a link in a zip file, {sorted(found)} are in the folder")

    def test_devices_are_refused(self, impl):
        """Devices and named pipes raise, and nothing of the archive stays."""
        for kind in SPECIAL:
            with Home() as home:
                archive = Archive("tar", [file("first.txt"), member("special", kind)])
                refused = refuses(impl, archive=archive, destination=home.destination)
                require(refused, f"accepts a {kind}")
                found = snapshot(home.destination, "")
                require(list(found) == ["older.txt"], f"after a {kind}, {sorted(found)} are in the folder")

    def test_the_limit_holds(self, impl):
        """More bytes than the limit raise, in one file or in many, whatever sizes are stated; as many bytes do not."""
        lying = Stored("archive.zip", with_small_sizes(packed("zip", [file("bomb", BOMB)])))
        bombs = [
            Archive(kind, members) for kind in KINDS for members in ([file("first.txt"), file("bomb", BOMB)], MANY)
        ]
        for archive in (*bombs, lying):
            with Home() as home:
                refused = refuses(impl, archive=archive, destination=home.destination, limit=LIMIT)
                require(refused, f"accepts {archive!r} with a limit of {LIMIT}")
                found = listing(home.destination)
                require(list(found) == ["older.txt"], f"after {archive!r}, {sorted(found)} are in the folder")
        for kind in KINDS:
            with Home() as home:
                impl.call(archive=Archive(kind, HONEST), destination=home.destination, limit=100 + 256 * 20)
                require(
                    refuses(impl, archive=Archive(kind, HONEST), destination=home.destination, limit=99 + 256 * 20),
                    f"accepts a byte more than the limit in a {kind} file",
                )

    def test_a_damaged_archive_leaves_the_folder(self, impl):
        """An archive that fails in the middle leaves the folder as it was: no file of it, whole or half, is there."""
        for what, archive in DAMAGED.items():
            with Home() as home:
                require(refuses(impl, archive=archive, destination=home.destination), f"accepts {what}")
                found = snapshot(home.path, "")
                new = sorted(set(found) - {"outside", "outside/secret.txt", "inner", "inner/folder-beside"})
                require(new == ["inner/folder", "inner/folder/older.txt"], f"after {what}, there are {new}")

    def test_what_is_in_the_way_leaves_the_folder(self, impl):
        """A file where the folder has a folder, or a folder where it has a file, raises, and nothing of the archive stays."""
        for kind in KINDS:
            for name, make in (("sub/b.bin", os.makedirs), ("sub", lambda path: Path(path).touch())):
                with Home() as home:
                    make(os.path.join(home.destination, name))
                    before = snapshot(home.path, "")
                    refused = refuses(impl, archive=Archive(kind, HONEST), destination=home.destination)
                    require(refused, f"accepts files {[name for name, *_ in HONEST]}, where {name} is of another kind")
                    now = snapshot(home.path, "")
                    require(now == before, f"{sorted(now)} are there after the refusal, {sorted(before)} were before")

    def test_a_killed_process_leaves_whole_files_alone(self, impl):
        """Killed by the system in the middle of a write, what stands in the folder is whole."""
        large = bytes(range(256)) * 2000
        for kind in ("zip", "tar.gz"):
            archive = Archive(kind, [file("small.bin", b"small"), file("large.bin", large), file("z.bin", b"z")])
            archive_path = os.fspath(archive)
            with Home() as home:

                def action(path=archive_path, destination=home.destination):
                    # Python turns the signal into an exception, unless told otherwise: then there is no tidying up.
                    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
                    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                    resource.setrlimit(resource.RLIMIT_FSIZE, (len(large) // 2, -1))
                    impl.call(archive=path, destination=destination)

                _, status = os.waitpid(child(action), 0)
                require(os.WIFSIGNALED(status), "the child wrote nothing as large as the archive's file")
                half = [
                    k for k, x in listing(home.destination).items() if {**archive.files, "older.txt": b"older"}[k] != x
                ]
                require(not half, f"of {half} a part stands under the name of the whole ({kind})")

    def test_links_that_stay_inside_are_kept(self, impl):
        """A symbolic link to a file beside it or a folder above, and a hard link, show the content of what they lead to; a
        file of a link's name takes its place."""
        text = b"the content\n"
        members = [
            file("a.txt", text),
            file("sub/b.txt", b"other"),
            member("beside.txt", "symbolic link", "a.txt"),
            member("sub/above.txt", "symbolic link", "../a.txt"),
            member("folder", "symbolic link", "sub"),
            member("sub/hard.txt", "hard link", "a.txt"),
            member("late.txt", "symbolic link", "sub"),
            file("late.txt", text),
        ]
        with Home() as home:
            names = impl.call(archive=Archive("tar", members), destination=home.destination)
            for name in ("a.txt", "beside.txt", "sub/above.txt", "sub/hard.txt", "folder/hard.txt", "late.txt"):
                with open(os.path.join(home.destination, name), "rb") as there:
                    require(there.read() == text, f"{name} does not lead to the content of a.txt")
            wanted = ["a.txt", "beside.txt", "folder", "late.txt", "sub/above.txt", "sub/b.txt", "sub/hard.txt"]
            require(list(names) == wanted, f"the result is {list(names)}, expected {wanted}")

    def test_special_bits_are_not_taken_over(self, impl):
        """A file that says it runs as its owner, or is writable by all, does not; one that says no one reads it is read."""
        members = [file("runs.sh", b"#!", 0o6777), file("closed.txt", b"text", 0o000)]
        with Home() as home:
            impl.call(archive=Archive("tar", members), destination=home.destination)
            for name, what in (("runs.sh", "6777"), ("closed.txt", "000")):
                mode = stat.S_IMODE(os.stat(os.path.join(home.destination, name)).st_mode)
                require(not mode & 0o7022, f"a file of mode {what} has the mode {mode:o}")
                require(
                    mode & stat.S_IRUSR, f"a file of mode {what} has the mode {mode:o}, which its owner cannot read"
                )

    def test_links_that_were_there_are_not_followed(self, impl):
        """A link of the folder that leads out is not written through: the archive is refused, or the link replaced."""
        for members in ([file("up/evil.txt", b"evil")], [file("up", b"evil")]):
            for kind in ("zip", "tar"):
                with Home() as home:
                    target = "outside" if "/" in members[0][0] else "outside/secret.txt"
                    os.symlink(os.path.join(home.path, target), os.path.join(home.destination, "up"))
                    before = snapshot(home.path, home.destination)
                    refuses(impl, archive=Archive(kind, members), destination=home.destination)
                    now = snapshot(home.path, home.destination)
                    require(now == before, f"{members[0][0]} was written through a link of the folder ({kind})")
