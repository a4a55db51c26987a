"""The promises of my suppliers, one signed file each: ``metadata/contracts/<fingerprint in hex>``.

An empty file of the same name with ``.released`` says that nothing of mine is stored there that is still needed: the
contract may be ended for good.
"""

import re
from pathlib import Path

from attrs import frozen
from twisted.logger import Logger

from bitdust.crypt.device import check_record
from bitdust.crypt.files import make_private_folder, remove_safely, write_safely
from bitdust.identity.document import IdentityDocument
from bitdust.wire.encoding import WireError
from bitdust.wire.records import Contract
from bitdust.wire.signed import Signed

_NAME = re.compile(r"[0-9a-f]{64}")
MAX_CONTRACT = 4096
RELEASED = ".released"


@frozen
class Wish:
    """What I ask a supplier for: ``room`` bytes for ``term`` days, as number ``position`` of ``n``.

    A contract of fewer than ``least`` bytes does not count.
    """

    room: int
    n: int
    position: int
    least: int
    term: int = 365


@frozen
class SignedContract:
    """A contract and the bytes that its supplier signed."""

    contract: Contract
    signed: bytes


def verify_contract(data: bytes, supplier: IdentityDocument, customer: bytes, wish: Wish) -> SignedContract:
    """Raises `WireError` unless the supplier's own device promises what was asked, to me."""
    signed = Signed.from_bytes(data, Contract.KIND, MAX_CONTRACT)
    contract = Contract.from_body(signed.body)
    device = supplier.device(signed.device)
    if device is None or device.revoked is not None:
        raise WireError("bad-signature", "the contract is signed by no device of the supplier")
    check_record(signed, device.key)
    if (contract.customer, contract.supplier) != (customer, supplier.fingerprint):
        raise WireError("bad-contract", "the contract is between others")
    if contract.room < wish.least or (contract.position, contract.n) != (wish.position, wish.n):
        raise WireError("bad-contract", "the contract promises something else than was asked for")
    return SignedContract(contract, data)


class ContractBook:
    """I keep my suppliers' contracts. A damaged file counts as none; the next contract replaces it."""

    log = Logger()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contracts: dict[bytes, SignedContract] = {}
        self._released: set[bytes] = set()

    def _marker(self, supplier: bytes) -> Path:
        return self._folder / (supplier.hex() + RELEASED)

    def load(self) -> None:
        """Read the folder."""
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.iterdir()):
            if not _NAME.fullmatch(path.name):
                continue
            try:
                data = path.read_bytes()
                contract = Contract.from_body(Signed.from_bytes(data, Contract.KIND, MAX_CONTRACT).body)
            except WireError as error:
                self.log.warn("the contract {path} is damaged: {error}", path=path, error=error)
                continue
            self._contracts[bytes.fromhex(path.name)] = SignedContract(contract, data)
            if self._marker(contract.supplier).exists():
                self._released.add(contract.supplier)

    def save(self, kept: SignedContract) -> None:
        """Keep a contract; a supplier that was released and promises again is needed again.

        Where the disk does not take it, it counts all the same: the supplier is asked again after the next start.
        """
        self._contracts[kept.contract.supplier] = kept
        try:
            make_private_folder(self._folder)
            self._needed_again(kept.contract.supplier)
            write_safely(self._folder / kept.contract.supplier.hex(), kept.signed)
        except OSError as error:
            self.log.warn("a contract cannot be written to {path}: {error}", path=self._folder, error=error)

    def remove(self, supplier: bytes) -> None:
        """The contract is ended."""
        if self._contracts.pop(supplier, None) is not None:
            remove_safely(self._folder / supplier.hex())
        self._needed_again(supplier)

    def release(self, supplier: bytes) -> None:
        """Nothing that is stored at this supplier is needed any more: it may free the space on my word."""
        if supplier in self._contracts:
            write_safely(self._marker(supplier), b"")
            self._released.add(supplier)

    def need_again(self, supplier: bytes) -> None:
        """A supplier is not to erase what it has. Where the disk does not take it, it counts in this run."""
        try:
            self._needed_again(supplier)
        except OSError as error:
            self.log.warn("{path} cannot be removed: {error}", path=self._marker(supplier), error=error)

    def is_released(self, supplier: bytes) -> bool:
        """Whether this supplier may free the space."""
        return supplier in self._released

    def _needed_again(self, supplier: bytes) -> None:
        if supplier in self._released:
            self._released.discard(supplier)
            remove_safely(self._marker(supplier))

    def of(self, supplier: bytes) -> Contract | None:
        """The contract with one supplier."""
        kept = self._contracts.get(supplier)
        return kept.contract if kept is not None else None

    def suppliers(self) -> list[bytes]:
        """Everybody who promised something, in a stable order."""
        return sorted(self._contracts)
