"""``asterisk-compliance status``: what the running service sees."""

from __future__ import annotations

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption
from asterisk_compliance.cli.output import print_json, print_line, stdout, table
from asterisk_compliance.errors import StoreUnavailable


def status(
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show the connections and live calls of the running service, and what is wrong with it.

    Exit status: 1 when anything is wrong, such as a connection down; 3 when no service answers.
    """
    from asterisk_compliance.app.shared.control_socket import ask
    from asterisk_compliance.config.settings import load

    settings = load(config, secrets=False)
    answer = ask(settings.service.socket, "status", {})
    if answer is None:
        raise StoreUnavailable(
            f"no service listens on {settings.service.socket}",
            hint=f"start it: asterisk-compliance serve --config {config}",
        )
    if as_json:
        print_json(answer)
    else:
        without = {asterisk.node for asterisk in settings.asterisk if asterisk.ari is None}
        lines = [
            (
                node["node"],
                node["ari"] or ("none" if node["node"] in without else "down"),
                "up" if node["ami"] else "down",
                sum(node["calls"].values()),
                "stopping" if node["stopping"] else "",
            )
            for node in answer["nodes"]
        ]
        stdout().print(table(("node", "ARI", "AMI", "calls", ""), lines))
        store = answer["store"]
        print_line(
            f"{store['rows']} rows, {store['waiting']} on their way to the disk, "
            f"the last one {store['last_durable_s']:.0f} s ago"
        )
        requests = answer.get("requests", {})
        if requests.get("overdue") or requests.get("due_soon"):
            print_line(f"requests: {requests['overdue']} overdue, {requests['due_soon']} due soon")
        leaks = answer.get("incidents", {})
        if leaks.get("overdue") or leaks.get("due_soon"):
            print_line(f"incidents: {leaks['overdue']} overdue, {leaks['due_soon']} due soon")
        for reason in answer["reasons"]:
            print_line(f"not well: {reason}")
    raise typer.Exit(0 if answer["ok"] else 1)
