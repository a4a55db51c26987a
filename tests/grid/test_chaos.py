"""A few random runs; `make chaos SEEDS=1-100` makes as many as one likes."""

from twisted.trial.unittest import SynchronousTestCase

from tests.grid import chaos


class ChaosTests(SynchronousTestCase):
    def check_seed(self, seed: int) -> None:
        why, journal = chaos.run_seed(seed)
        self.assertEqual(why, "", "\n".join([f"replay: python -m tests.grid.chaos -v {seed} {seed}", *journal]))

    def test_customer_and_suppliers_die(self) -> None:
        """Nothing promised is lost, and all settles, where nodes are killed and links are cut."""
        self.check_seed(1)

    def test_services_are_restarted(self) -> None:
        """The same where services of the customer are restarted amid uploads, and places change hands."""
        self.check_seed(11)

    def test_a_chaos_that_loses_is_seen(self) -> None:
        """A run in which a supplier's piece is changed on its way back fails, and says why."""
        real = chaos.read
        self.patch(chaos, "read", lambda path: None if "back" in path.parts else real(path))
        why, _ = chaos.run_seed(4)
        self.assertIn("came back as something else", why)
