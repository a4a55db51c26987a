"""Packaging: one top-level name in the wheel; the links in the root are for the reader only.

This file is the build backend as well (PEP 517): setuptools, which needs what the node needs where it builds a wheel,
because the reference of the API in it is written from the method table.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from setuptools import build_meta, find_packages, setup
from setuptools.build_meta import *  # noqa: F403 - the hooks of the backend, save for the one below
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (HERE / "bitdust/__init__.py").read_text()).group(1)
NEEDS = [
    "twisted>=24.10",
    "pyopenssl>=24.2",
    "blake3>=1.0",
    "cryptography>=47",
    "service_identity>=24.1",
    "treq>=24.9",
    "autobahn>=24.4",
    "pyeclib>=1.7",
    "fastcdc>=1.7",
    "zstandard>=0.23",
    "cbor2>=6.2",
    "attrs>=24.2",
    "cattrs>=24.1",
    "click>=8.1",
    "typing_extensions>=4.7",
    "rich>=13.9",
    "multipart>=2",
    "segno>=1.6",
]


def get_requires_for_build_wheel(config_settings: dict | None = None) -> list[str]:
    """What pip installs before it builds a wheel. An editable install needs none of it."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *NEEDS]


class BuildWithReference(build_py):
    """Writes ``bitdust/api/reference.json`` into what is built; a checkout writes its own when somebody asks."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            roots = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
            around = {**os.environ, "PYTHONPATH": os.pathsep.join(roots)}
            command = [sys.executable, "-m", "bitdust.api.pages", "--terminal"]
            text = subprocess.run(command, env=around, cwd=HERE, check=True, stdout=subprocess.PIPE).stdout
            (Path(self.build_lib) / "bitdust" / "api" / "reference.json").write_bytes(text)


def main() -> None:
    """What setuptools is told."""
    setup(
        name="bitdust",
        version=VERSION,
        description="A node of a private, peer-to-peer cloud: files encrypted at home, kept in pieces by peers",
        long_description=(HERE / "README.md").read_text(encoding="utf-8"),
        long_description_content_type="text/markdown",
        license="MIT",
        python_requires=">=3.11",
        packages=find_packages(include=["bitdust", "bitdust.*"]),
        data_files=[("share/man/man1", ["docs/man/bitdust.1"])],
        package_data={"bitdust": ["py.typed"]},
        cmdclass={"build_py": BuildWithReference},
        install_requires=NEEDS,
        extras_require={
            "metrics": ["prometheus_client>=0.21"],
            "watch": ["watchdog>=6"],
            "dev": [
                "hypothesis>=6.120",
                "ipfshttpclient==0.8.0a2",
                "import-linter>=2.1",
                "jsonschema>=4.23",
                "mypy-zope>=1.0.13",
                "mypy>=1.18",
                "openapi-spec-validator>=0.7",
                "prometheus_client>=0.21",
                "pyyaml>=6",
                "ruff>=0.9",
                "schemathesis>=4.0",
                "watchdog>=6",
            ],
        },
        entry_points={"console_scripts": ["bitdust = bitdust.cli.main:main"]},
        classifiers=[
            "Framework :: Twisted",
            "Operating System :: POSIX :: Linux",
            "Programming Language :: Python :: 3.11",
            "Topic :: System :: Archiving :: Backup",
        ],
    )


if __name__ == "__main__":
    main()
