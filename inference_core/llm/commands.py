"""The command of the simulated language model."""

from __future__ import annotations

from typing import Annotated

import typer

from inference_core.core.commands import new_commands, one_line_errors, say
from inference_core.llm.simulator.speeds import SPEEDS

commands = new_commands()


@commands.command(name="llm-sim")
def llm_sim(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 selects a free port.")] = 8200,
    speed: Annotated[str, typer.Option(help=f"Speed of the model: {', '.join(SPEEDS)}.")] = "fast",
    seed: Annotated[int, typer.Option(help="The same seed and request give the same answer.")] = 0,
    max_num_seqs: Annotated[int, typer.Option(min=1, help="Concurrent requests.")] = 256,
    max_queued: Annotated[int, typer.Option(min=0, help="Waiting requests; further ones get 429.")] = 1024,
    load_factor: Annotated[float, typer.Option(min=0, help="Slowdown with all requests running.")] = 1.0,
    fault_rates: Annotated[str, typer.Option(help="Share of failures, such as rate_limited=0.01,reset=0.005.")] = "",
) -> None:
    """Serve a simulated model with OpenAI's API.

    It runs until Ctrl-C, and prints its base URL when it is ready.
    """
    if speed not in SPEEDS:
        raise typer.BadParameter(f"'{speed}' is not one of {', '.join(SPEEDS)}", param_hint="--speed")
    from inference_core.llm.simulator.engine import SimulatorOptions
    from inference_core.llm.simulator.faults import parse_rates
    from inference_core.llm.simulator.serve import run_simulator

    with one_line_errors():
        options = SimulatorOptions(speed, seed, max_num_seqs, max_queued, load_factor, parse_rates(fault_rates))
        run_simulator(options, host, port, say)
