"""The process and the network, as of 2016."""

from bitdust.api import network
from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope
from bitdust.api.table import Param
from bitdust.api.year2016.shapes import method_2016, said


@method_2016(returns="'stopped'")
def stop(context: Context) -> Envelope:
    """Stop the process. The connection may close before the answer arrives."""
    context.stop(False)
    return said("stopped")


@method_2016(
    params=(Param("showgui", Kind.FLAG, False, ("show",), "no window belongs to the process", obsolete=True),),
    returns="'restarted'",
)
def restart(context: Context) -> Envelope:
    """Stop the process and start it again with the same home folder."""
    context.stop(True)
    return said("restarted")


@method_2016(returns="'\"show\" event has been sent to the main process'")
def show(context: Context) -> Envelope:
    """Ask whatever shows this node on a screen to come to the front: every client that listens gets the event
    ``show``. The node itself has no window and opens no browser."""
    context.events.send("show", {})
    return said('"show" event has been sent to the main process')


@method_2016(service="network", returns="'reconnected'")
def reconnect(context: Context) -> Envelope:
    """Look at the network again and build all sessions afresh."""
    network.network_reconnect.call(context)
    return said("reconnected")
