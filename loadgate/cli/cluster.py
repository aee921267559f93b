"""The commands for clusters: `k8s render`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from loadgate.cli.options import Locustfile, duration
from loadgate.cli.output import say
from loadgate.exit_codes import ExitCode

cli = typer.Typer(
    help="Run a load profile on several machines of a Kubernetes cluster.",
    rich_markup_mode=None,
    no_args_is_help=False,
)


@cli.callback()
def main() -> None:
    """Keep `render` a subcommand although it is the only one."""


@cli.command("render", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def render_command(
    context: typer.Context,
    *,
    profile: Annotated[str, typer.Argument(help="Load profile.")],
    workers: Annotated[int, typer.Option(min=1, max=1000, help="Number of workers.")],
    image: Annotated[str, typer.Option(help="Container image with loadgate and the project.")],
    host: Annotated[str | None, typer.Option(help="URL to test; without it, TARGET_HOST in the Secret.")] = None,
    secret: Annotated[str, typer.Option(metavar="NAME", help="Secret whose keys become environment variables.")] = "",
    name: Annotated[str | None, typer.Option(help="Name of the run; by default, loadgate- and the profile.")] = None,
    namespace: Annotated[str, typer.Option(help="Namespace; without it, the one of the kubectl context.")] = "",
    put: Annotated[str, typer.Option(metavar="URL", help="After the run, PUT its folder as .tar.gz to this URL.")] = "",
    keep: Annotated[
        float | None,
        typer.Option(
            parser=duration, metavar="<duration>", help="Keep the master running after the run, for kubectl cp."
        ),
    ] = None,
    cpu: Annotated[str, typer.Option(help="Cores of each pod, such as 2 or 500m.")] = "1",
    memory: Annotated[str, typer.Option(help="Memory of each pod.")] = "1Gi",
    folder: Annotated[str, typer.Option(help="Folder of the project in the image.")] = "/suite",
    run_time: Annotated[
        float | None,
        typer.Option(
            "--run-time", "-t", parser=duration, metavar="<duration>", help="Run time instead of the profile's."
        ),
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="File to write; - prints the manifests.")
    ] = "-",
    locustfile: Locustfile = None,
) -> int:
    """Print the Kubernetes manifests of a run with several workers.

    The exit code of the master's pod is that of the verdict. Nothing is created; the output begins with the kubectl
    commands. Other options go to the run, such as -u 200 or --rate 50/s.
    """
    from loadgate.cli.command_line import cli as whole_cli
    from loadgate.paths import shown_path, write_atomically
    from loadgate.project import load_project
    from loadgate.runner.cluster.render import RenderRequest, render

    request = RenderRequest(
        profile=profile,
        workers=workers,
        image=image,
        host=host,
        secret=secret,
        name=name,
        namespace=namespace,
        put=put,
        keep_s=keep or 0.0,
        cpu=cpu,
        memory=memory,
        folder=folder,
        run_time_s=run_time,
        locustfile=locustfile,
        options=context.args,
    )
    # The master would refuse wrong values of the options of `loadgate run` only in the cluster.
    run: Any = typer.main.get_command(whole_cli)
    run.commands["run"].make_context("loadgate run", [profile, *context.args])
    text = render(request, load_project(), "FILE" if output == "-" else output)
    if output == "-":
        say(text.removesuffix("\n"))
    else:
        write_atomically(Path(output), text)
        say(str(shown_path(Path(output))))
    return ExitCode.PASS
