"""The modules that declare the methods of 2016."""

from types import ModuleType

from bitdust.api.year2016 import adding, backups, filemanager, jobs, messages, node, people, process, settings

NOUNS_2016: tuple[ModuleType, ...] = (process, settings, backups, adding, jobs, filemanager, people, messages, node)
