"""Virtual time: play a scenario against a client without a socket, and forecast how long it takes.

How a scenario is played is decided here once, by `script`, for live runs too.
"""

from waitproof.simulate.forecasts import (
    Forecast,
    ends_its_process,
    forecast,
    is_timed,
    pack,
    scale_for,
    scaled,
    watch_s,
)
from waitproof.simulate.machine import Machine, Sdk
from waitproof.simulate.network import (
    Answer,
    Request,
    SimulatedCancelError,
    SimulatedDropError,
    SimulatedTimeoutError,
)
from waitproof.simulate.options import needed_options, options_passed, with_required_options
from waitproof.simulate.player import Simulator
from waitproof.simulate.script import (
    PlannedCall,
    Send,
    Watch,
    drive,
    lacking,
    new_task,
    play_steps,
    waiting_once,
)
from waitproof.simulate.world import API_SECRET, Conditions, Stop

__all__ = [
    "API_SECRET",
    "Answer",
    "Conditions",
    "Forecast",
    "Machine",
    "PlannedCall",
    "Request",
    "Sdk",
    "Send",
    "SimulatedCancelError",
    "SimulatedDropError",
    "SimulatedTimeoutError",
    "Simulator",
    "Stop",
    "Watch",
    "drive",
    "ends_its_process",
    "forecast",
    "is_timed",
    "lacking",
    "needed_options",
    "new_task",
    "options_passed",
    "pack",
    "play_steps",
    "scale_for",
    "scaled",
    "waiting_once",
    "watch_s",
    "with_required_options",
]
