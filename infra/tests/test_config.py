"""What a stage can be told."""

import pytest
from config import BadConfig, Config


@pytest.mark.parametrize("stage", ["dev", "staging", "production", "pr761", "x"])
def test_every_stage_can_be_read_and_any_name_is_a_throwaway_one(stage):
    config = Config.read(stage)
    assert config.prefix == f"qkd-{stage}"
    assert config.removable == (stage not in {"staging", "production"})


def test_defaults_are_the_described_ones():
    config = Config("dev")
    assert (config.kms_window_days, config.waf_rate_limit, config.log_retention_days) == (7, 2_000, 14)
    assert (config.memory_mb, config.user_pool_mfa, config.deletion_protection) == (512, "OPTIONAL", True)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"stage": "Production"}, "STAGE must be"),
        ({"stage": "a-b"}, "STAGE must be"),
        ({"stage": "x" * 21}, "STAGE must be"),
        ({"endpoint_type": "EDGE"}, "REGIONAL, PRIVATE"),
        ({"kms_window_days": 6}, "between 7 and 30"),
        ({"api_timeout_seconds": 30}, "between 3 and 29"),
        ({"log_retention_days": 15}, "log_retention_days must be one of"),
        ({"endpoint_type": "PRIVATE"}, "needs vpc"),
        ({"domain_name": "a.example.com"}, "certificate_arn"),
        (
            {
                "endpoint_type": "PRIVATE",
                "vpc": True,
                "domain_name": "a.example.com",
                "certificate_arn": "arn:x",
            },
            "no private one",
        ),
        ({"mutual_tls_truststore": "s3://a/b"}, "needs a domain_name"),
        ({"kme_domain_name": "kme.example.com"}, "belong together"),
        (
            {"kme_domain_name": "kme.example.com", "kme_truststore": "s3://a/b"},
            "belong together",
        ),
        (
            {
                **dict.fromkeys(("kme_domain_name", "domain_name"), "a.example.com"),
                **dict.fromkeys(("kme_certificate_arn", "certificate_arn"), "arn:x"),
                "kme_truststore": "s3://a/b",
            },
            "another domain",
        ),
        ({"vpc_id": "vpc-1"}, "both vpc_id and subnet_ids"),
        ({"quicksight_principal_arn": "arn:x"}, "needs analytics"),
        ({"bodies_replica_arn": "arn:x"}, "replicas_key_arn belong together"),
        (
            {
                **dict.fromkeys(
                    ("bodies_replica_arn", "checkpoints_replica_arn", "replicas_key_arn"), "arn:x"
                ),
                "versioning": False,
            },
            "needs versioning",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_can(values, said):
    with pytest.raises(BadConfig, match=said):
        Config(**({"stage": "dev"} | values))


@pytest.mark.parametrize(
    "text", ["[dev]\nmemory = 1", '[dev]\nmemory_mb = "1"', "[base]\nwaf = 1", '[dev]\nstage = "x"']
)
def test_a_misspelt_name_or_a_wrong_type_is_refused(tmp_path, text):
    path = tmp_path / "stages.toml"
    path.write_text(text)
    with pytest.raises(BadConfig, match=r"stages\.toml"):
        Config.read("dev", path)
