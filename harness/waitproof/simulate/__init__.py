"""Virtual time: play a scenario against a client without a socket, and predict how long it takes."""

from waitproof.simulate.forecast import (
    Forecast,
    forecast,
    is_timed,
    lacking,
    pack,
    scale_for,
    scaled,
    watch_s,
)
from waitproof.simulate.simulator import (
    Answer,
    Conditions,
    Machine,
    Request,
    Sdk,
    SimulatedDropError,
    SimulatedTimeoutError,
    Simulator,
    Stop,
)

__all__ = [
    "Answer",
    "Conditions",
    "Forecast",
    "Machine",
    "Request",
    "Sdk",
    "SimulatedDropError",
    "SimulatedTimeoutError",
    "Simulator",
    "Stop",
    "forecast",
    "is_timed",
    "lacking",
    "pack",
    "scale_for",
    "scaled",
    "watch_s",
]
