"""Packaging: one top-level name in the wheel; the links in the root are for the reader only."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (HERE / "bitdust/__init__.py").read_text()).group(1)

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
    package_data={"bitdust": ["py.typed", "api/reference.json"]},
    install_requires=[
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
    ],
    extras_require={
        "metrics": ["prometheus_client>=0.21"],
        "watch": ["watchdog>=6"],
        "dev": [
            "hypothesis>=6.120",
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
