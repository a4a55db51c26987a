"""What is almost this machine, in the headers by which programs are told from pages."""

from twisted.trial.unittest import SynchronousTestCase

from bitdust.web.programs import Programs

HERE = (b"127.0.0.1", b"127.0.0.1:5001", b"localhost", b"LOCALHOST:80", b"[::1]", b"[::1]:5001")
ELSEWHERE = (
    b"", b"evil.example", b"127.0.0.1.evil.example", b"127.0.0.1@evil.example", b"evil.example@127.0.0.1", b"[::1]%25x",
    b"[::1].evil.example", b"[::1", b"::1]", b"127.1", b"2130706433", b"0x7f.1", b"localhost.", b"localhost evil",
    b"127.0.0.1:5001@evil", b"127.0.0.1:80:80", b"127.0.0.1/", b"127.0.0.1#", b"\xe2\x91\xa0.0.0.1", b"127.0.0.1\t",
)  # fmt: skip


class HostTests(SynchronousTestCase):
    programs = Programs(lambda: ["https://good.example"], list)

    def test_hosts(self) -> None:
        """A Host is this machine in its own spellings alone; whatever goes before or behind makes it another one."""
        self.assertTrue(all(map(self.programs.is_here, HERE)))
        self.assertEqual([host for host in (*ELSEWHERE, None) if self.programs.is_here(host)], [])

    def test_origins(self) -> None:
        """The same of pages, which are known by their origin."""
        for host in HERE:
            self.assertTrue(self.programs.is_allowed(b"http://" + host))
            self.assertFalse(self.programs.is_allowed(b"ftp://" + host))
        self.assertTrue(self.programs.is_allowed(b"https://good.example/page"))
        pages = [b"http://" + host for host in ELSEWHERE if b"/" not in host and b"#" not in host and b"\t" not in host]
        self.assertEqual([page for page in (*pages, b"null", b"file://") if self.programs.is_allowed(page)], [])
