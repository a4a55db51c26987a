"""The desktop: what is opened, and what is said where there is none."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.desktop import Desktop, NoDesktop


class DesktopTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.spawned: list[list[str]] = []
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def desktop(self, *programs: str, **environ: str) -> Desktop:
        return Desktop(environ, {name: f"/bin/{name}" for name in programs}.get, self.spawned.append)

    def test_folder_of_a_file(self) -> None:
        """A file is shown in its folder, a folder by itself, with the first program that there is."""
        path = self.folder / "film.mp4"
        path.write_text("")
        self.assertEqual(self.desktop("xdg-open", DISPLAY=":0").show_folder(path), self.folder)
        self.desktop("gio", WAYLAND_DISPLAY="wayland-0").show_folder(self.folder)
        self.assertEqual(self.spawned, [["xdg-open", str(self.folder)], ["gio", "open", str(self.folder)]])

    def test_nobody_would_see_it(self) -> None:
        """Without a program, and without a screen, nothing is started."""
        self.assertRaises(NoDesktop, self.desktop(DISPLAY=":0").show_folder, self.folder)
        self.assertRaises(NoDesktop, self.desktop("xdg-open").show_folder, self.folder)
        self.assertEqual(self.spawned, [])

    def test_a_program_that_does_not_start(self) -> None:
        """A program that the system refuses to start is named."""

        def refuse(words: list[str]) -> None:
            raise PermissionError(13, "Permission denied")

        desktop = Desktop({"DISPLAY": ":0"}, {"xdg-open": "/bin/xdg-open"}.get, refuse)
        error = self.assertRaises(NoDesktop, desktop.show_folder, self.folder)
        self.assertIn("xdg-open does not start: Permission denied", str(error))
