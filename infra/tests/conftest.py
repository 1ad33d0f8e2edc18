"""The templates of a few stages, made once: each takes seconds, most of them Node's."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

ACCOUNT = "123456789012"
CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/00000000-0000-0000-0000-000000000000"
VARIANTS = {
    "production": {
        "auth_method": "cognito",
        "domain_name": "qkd.example.com",
        "certificate_arn": CERTIFICATE,
        "mutual_tls_truststore": "s3://truststore/ca.pem",
        "kme_domain_name": "kme.example.com",
        "kme_certificate_arn": CERTIFICATE,
        "kme_truststore": "s3://truststore/saes.pem",
        "cors_origins": ("https://app.example.com",),
        "alarm_email": "operators@example.com",
        "checkpoint_key": True,
        "analytics": True,
        "quicksight_principal_arn": f"arn:aws:quicksight:us-east-1:{ACCOUNT}:group/default/analysts",
        "bodies_replica_arn": "arn:aws:s3:::qkd-production-replicas-bodies",
        "checkpoints_replica_arn": "arn:aws:s3:::qkd-production-replicas-checkpoints",
        "replicas_key_arn": f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/qkd-production-replicas",
        "previous_root_key_arn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/of-qkd-production-before",
    },
    "dev": {},
    "pr761": {
        "table_billing": "PROVISIONED",
        "role_arn": f"arn:aws:iam::{ACCOUNT}:role/given",
        "event_processing": False,
    },
    "staging": {
        "replica_regions": ("eu-west-1",),
        "region": "us-east-1",
        "vpc": True,
        "endpoint_type": "PRIVATE",
    },
}


class Stage:
    """The synthesized templates of a stage, by the stack's name."""

    def __init__(self, name, folder):
        import aws_cdk as cdk
        from app import build
        from cdk_nag import AwsSolutionsChecks
        from config import Config

        self.config = dataclasses.replace(Config.read(name), account=ACCOUNT, **VARIANTS[name])
        app, stacks = build(self.config, api_id="abcde12345", outdir=str(folder))
        if name == "production":  # the checks take most of the time, and this stage has everything
            cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        try:
            app.synth()
        except RuntimeError:  # findings; which of them stay, test_findings.py says
            assert name == "production"
        self.folder = folder
        self.names = list(stacks)
        self.templates = {
            stack: json.loads((folder / f"{self.config.prefix}-{stack}.template.json").read_text())
            for stack in stacks
        }

    def of(self, kind, stack="state"):
        """Return the properties of all resources of a kind."""
        found = self.templates[stack]["Resources"].values()
        return [one.get("Properties", {}) for one in found if one["Type"] == kind]


@pytest.fixture(scope="session")
def stages(tmp_path_factory):
    return {name: Stage(name, tmp_path_factory.mktemp(name)) for name in VARIANTS}


@pytest.fixture
def production(stages):
    return stages["production"]


@pytest.fixture
def models():
    return json.loads((HERE.parent.parent / "build" / "tables.json").read_text())
