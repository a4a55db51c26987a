"""``python -m bitdust`` is the ``bitdust`` command."""

from bitdust.cli.main import main

main()
