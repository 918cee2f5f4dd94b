"""Laws of downloads, from a real server on the loopback interface."""

import hashlib
import os
import signal
import tempfile

from lawbook.fixtures.cases import data as domains
from lawbook.fixtures.cases import loopback
from lawbook.fixtures.cases.folders import Folder
from lawbook.fixtures.cases.loopback import route_of, serve
from lawbook.fixtures.implementation import Raised
from lawbook.reference import data
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_data.laws import NO_TENSOR

CONTENT = bytes(range(256)) * 20
SHA1 = hashlib.sha1(CONTENT).hexdigest()
LIES = (
    loopback.cut_short,
    loopback.cut_short_in_chunks,
    loopback.length_too_small,
    loopback.another_content,
    loopback.missing,
    loopback.failing,
)
LARGE = 12 << 20
"""Bytes of which half are more than sockets keep for a client that does not read (6 MiB at most, as Linux comes)."""


def listing(folder):
    """Names and contents of the files of a folder; nothing where there is none."""
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(at, name), "rb") as file:
                found[os.path.relpath(os.path.join(at, name), folder)] = file.read()
    return found


def refuses(impl, **arguments):
    """Whether the call raises an ordinary exception."""
    try:
        impl.call(**arguments)
    except Raised as raised:
        if not isinstance(raised.error, Exception):
            raise
        return True
    return False


def child(action):
    """Run a function in a child process; its number."""
    process = os.fork()
    if process:
        return process
    try:
        action()
    finally:
        # Nothing of the parent is run or written here: neither what is registered for its end nor its buffers.
        os._exit(0)


class TestVerifiedDownload(Spec):
    component = data.verified_download
    cases = domains.verified_download
    declines = NO_TENSOR
    invalid = (
        Invalid(
            ValueError, "a hash of 39 digits", source="http://127.0.0.1:9/a.csv", sha1="0" * 39, cache_dir=Folder()
        ),
        Invalid(
            ValueError, "a hash of other letters", source="http://127.0.0.1:9/a.csv", sha1="g" * 40, cache_dir=Folder()
        ),
        Invalid(ValueError, "no hash", source="http://127.0.0.1:9/a.csv", sha1=None, cache_dir=Folder()),
        Invalid(ValueError, "a scheme of no one", source="gopher://127.0.0.1/a.csv", sha1=SHA1, cache_dir=Folder()),
        Invalid(
            OSError, "a port where no one answers", source="http://127.0.0.1:9/a.csv", sha1=SHA1, cache_dir=Folder()
        ),
        Invalid(OSError, "a local file that is not there", source="/no/such/file.csv", sha1=SHA1, cache_dir=Folder()),
    )

    def test_the_file_is_the_one_asked_for(self, impl, case):
        """The path lies in the folder, under the source's last name; the content has the hash, and nothing lies beside it."""
        folder = Folder("cache")
        path = impl(case, cache_dir=folder)
        expected = os.path.join(
            os.fspath(folder), data.verified_download(case.source, case.sha1, folder).split("/")[-1]
        )
        require(
            path == expected, f"the path ends in {os.path.basename(path)!r}, expected {os.path.basename(expected)!r}"
        )
        found = listing(folder)
        require(list(found) == [os.path.basename(path)], f"the folder holds {sorted(found)}, expected one file")
        digest = hashlib.sha1(next(iter(found.values()))).hexdigest()
        require(digest == case.sha1.lower(), f"the file has the SHA-1 {digest}, expected {case.sha1.lower()}")

    def test_what_is_there_is_not_fetched_again(self, impl, case):
        """A second call asks the server for nothing, and leaves the file untouched."""
        folder = Folder()
        path, route = impl(case, cache_dir=folder), route_of(case.source)
        before, status = route.requests, os.stat(path)
        again = impl(case, cache_dir=folder)
        require(again == path, "the second call gives another path")
        require(route.requests == before, f"the server was asked {route.requests - before} times more")
        now = os.stat(path)
        require((now.st_ino, now.st_mtime_ns) == (status.st_ino, status.st_mtime_ns), "the file was written again")

    def test_a_damaged_file_is_fetched_again(self, impl, case):
        """A file of that name with another content, empty or longer, is replaced by the right one."""
        folder = Folder()
        path = impl(case, cache_dir=folder)
        with open(path, "rb") as file:
            right = file.read()
        for wrong in (right + b"x", b"" if right else b"y"):
            with open(path, "wb") as file:
                file.write(wrong)
            impl(case, cache_dir=folder)
            require(
                listing(folder) == {os.path.basename(path): right},
                "a damaged file was kept, or something lies beside it",
            )

    def test_a_wrong_content_is_refused(self, impl):
        """A server that cuts short, misstates the length, answers with an error or sends another content is not believed."""
        for answer in LIES:
            # A page of error with the right hash is no answer either.
            folder = Folder()
            refused = refuses(impl, source=serve(CONTENT, answer=answer), sha1=SHA1, cache_dir=folder)
            require(refused, f"accepts from the server: {answer.__doc__}")
            require(not listing(folder), f"{sorted(listing(folder))} stayed behind, after: {answer.__doc__}")

    def test_a_refused_download_leaves_what_was_there(self, impl):
        """Another file of the folder, and an older one of the same name, are as they were."""
        for answer in (*LIES, loopback.falls_silent):
            with tempfile.TemporaryDirectory() as folder:
                for name in ("table.csv", "other.csv"):
                    with open(os.path.join(folder, name), "wb") as file:
                        file.write(b"older")
                url = serve(CONTENT, answer=answer)
                require(
                    refuses(impl, source=url, sha1=SHA1, cache_dir=folder, timeout=0.1),
                    f"accepts from the server: {answer.__doc__}",
                )
                route_of(url).release.set()
                found = listing(folder)
                require(
                    found == {"table.csv": b"older", "other.csv": b"older"},
                    f"the folder holds {sorted(found)}, or other contents than before, after: {answer.__doc__}",
                )

    def test_a_silent_server_is_left(self, impl):
        """A server that stops in the middle is given up after the time that was said, and nothing stays behind."""
        folder, url = Folder(), serve(CONTENT, answer=loopback.falls_silent)
        route = route_of(url)
        refused = refuses(impl, source=url, sha1=SHA1, cache_dir=folder, timeout=0.1)
        # Were it the server that gave up, the wait would be over by now.
        waited = route.half_sent.is_set() and not route.release.is_set()
        route.release.set()
        require(refused and waited, "a server that falls silent is not refused")
        require(not listing(folder), f"{sorted(listing(folder))} stayed behind")

    def test_a_killed_download_leaves_no_half_file(self, impl):
        """Killed in the middle, nothing of it stands under the file's name, and the next call gets the whole."""
        content = CONTENT * (LARGE // len(CONTENT))
        sha1 = hashlib.sha1(content).hexdigest()
        url = serve(content, answer=loopback.falls_silent)
        route = route_of(url)
        with tempfile.TemporaryDirectory() as folder:
            process = child(lambda: impl.call(source=url, sha1=sha1, cache_dir=folder))
            try:
                route.half_sent.wait(loopback.RELEASE)
            finally:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                route.release.set()
            require(route.half_sent.is_set(), "the child did not read what the server sent")
            left = sorted(listing(folder))
            require("table.csv" not in left, "half a file stands under the name of the whole")
            again = impl.call(source=self._moved(url, content), sha1=sha1, cache_dir=folder)
            with open(again, "rb") as file:
                require(file.read() == content, "after a download that was killed, the next one is not whole")

    @staticmethod
    def _moved(url, content):
        """The same address, which now sends everything."""
        route_of(url).answer = loopback.whole
        return url

    def test_two_at_once_do_not_disturb_each_other(self, impl):
        """While one download waits for its server, another of the same name into the same folder is made and stays."""
        slow = serve(CONTENT, answer=loopback.falls_silent)
        with tempfile.TemporaryDirectory() as folder:
            process = child(lambda: impl.call(source=slow, sha1=SHA1, cache_dir=folder, timeout=loopback.RELEASE))
            try:
                route_of(slow).half_sent.wait(loopback.RELEASE)
                path = impl.call(source=serve(CONTENT), sha1=SHA1, cache_dir=folder)
            finally:
                # The connection breaks: the first one fails, and tidies up after itself alone.
                route_of(slow).release.set()
                os.waitpid(process, 0)
            found = listing(folder)
            require(
                found == {os.path.basename(path): CONTENT}, f"the folder holds {sorted(found)}, expected the one file"
            )

    def test_a_wrong_hash_is_not_asked_for(self, impl):
        """What is no SHA-1 is refused before the server is asked, and no folder is made."""
        folder, url = Folder(), serve(CONTENT)
        require(refuses(impl, source=url, sha1=SHA1[:-1], cache_dir=folder), "accepts a hash of 39 digits")
        require(route_of(url).requests == 0, "the server was asked although the hash was none")

    def test_a_local_file_is_a_source(self, impl):
        """A path in place of a URL is copied, its hash looked at; the file itself stays."""
        with tempfile.TemporaryDirectory() as home:
            source, cache = os.path.join(home, "table.csv"), os.path.join(home, "cache")
            with open(source, "wb") as file:
                file.write(CONTENT)
            require(refuses(impl, source=source, sha1="0" * 40, cache_dir=cache), "accepts a file with another hash")
            require(not listing(cache), "a file with another hash stayed behind")
            impl.call(source=source, sha1=SHA1, cache_dir=cache)
            require(
                listing(home) == {"table.csv": CONTENT, "cache/table.csv": CONTENT},
                f"files are {sorted(listing(home))}",
            )

    def test_a_name_never_leaves_the_folder(self, impl):
        """A last part that decodes to a path upwards, or to nothing, is refused, or stays in the folder."""
        for name in ("..%2Fescaped.csv", "%2e%2e", "..%2F..%2Fescaped.csv"):
            with tempfile.TemporaryDirectory() as home:
                cache = os.path.join(home, "parent", "cache")
                refuses(impl, source=serve(CONTENT, name), sha1=SHA1, cache_dir=cache)
                outside = [path for path in listing(home) if not path.startswith("parent/cache/")]
                require(not outside, f"{name!r} wrote {outside}")
