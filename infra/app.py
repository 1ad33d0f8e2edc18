"""``python app.py <stage> [<id of the API>]``: writes a stage's templates to build/cdk.<stage>. Needs Node, not npm.

The API's id comes from Zappa. Before it is there the templates of what stands around it are written all the same: what they
need of the state stack is among its exports from the first time on.
"""

import json
import os
import sys
from pathlib import Path

import aws_cdk as cdk
import roles
import tables
from analytics import Analytics
from config import BadConfig, Config
from edge import Edge
from governance import Governance
from network import Network
from observability import Observability
from state import State

BUILD = Path(__file__).resolve().parent.parent / "build"
SCOPES = BUILD / "scopes.json"
METRICS = BUILD / "metrics.json"
ANALYTICS = BUILD / "analytics.json"


def build(
    config: Config, *, api_id: str = "", outdir: str | None = None
) -> tuple[cdk.App, dict[str, cdk.Stack]]:
    """Return the application, and its stacks by name, in the order in which they are deployed."""
    app = cdk.App(outdir=outdir, analytics_reporting=False)
    env = cdk.Environment(account=config.account or None, region=config.region)
    more = {"env": env, "synthesizer": cdk.LegacyStackSynthesizer()}
    scopes = json.loads(SCOPES.read_text(encoding="utf-8"))
    state = State(app, config, tables.read_models(), scopes, **more)
    stacks: dict[str, cdk.Stack] = {"state": state}
    if config.vpc and not config.vpc_id:
        # Without the account, its availability zones are asked for when it is deployed: the CDK would look them up now
        anywhere = {**more, "env": cdk.Environment(region=config.region)}
        stacks["network"] = Network(app, config, **anywhere)
    stacks["edge"] = Edge(app, config, state, api_id=api_id or "unknown", **more)
    catalog = json.loads(METRICS.read_text(encoding="utf-8"))
    stacks["observability"] = Observability(
        app, config, state, catalog=catalog, api_name=config.api_function, **more
    )
    if config.analytics:
        described = json.loads(ANALYTICS.read_text(encoding="utf-8"))
        stacks["analytics"] = Analytics(app, config, state, tables=described, **more)
    if config.governance:
        stacks["governance"] = Governance(app, config, state, **more)
    for name, value in {"project": config.project, "stage": config.stage, **config.tags}.items():
        cdk.Tags.of(app).add(name, value)
    return app, stacks


def main() -> int:
    """Write the templates, or print the policies of given roles; return the exit code."""
    try:
        config = Config.read(sys.argv[1])
    except BadConfig as error:
        print(error, file=sys.stderr)
        return 1
    if "--roles" in sys.argv:
        print(roles.policies(config, config.account or os.environ.get("AWS_ACCOUNT_ID", "<account>")))
        return 0
    api_id = sys.argv[2] if len(sys.argv) > 2 else ""
    app, _ = build(config, api_id=api_id, outdir=str(BUILD / f"cdk.{config.stage}"))
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
