"""Checkpoints signed by a key of KMS: what is asked of KMS is held against botocore's own model."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.validate import ParamValidator
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.audit import bucket, checkpointing, kms_signing, signers, store
from apps.audit.checkpoints import Checkpoint, End
from apps.audit.records import SWEEPER
from apps.audit.services import entries_page, record
from apps.audit.verification import verify
from apps.common import clock
from apps.common.aws import client
from apps.files.trail import FileEvent
from tests import requirement
from tests.conftest import TESTS

ARN = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
ALIAS = "alias/qkd-test-checkpoints"


@dataclass
class Kms:
    """KMS with one signing key behind an alias. botocore checks the questions, this the answers, by the same model."""

    private: Any = field(default_factory=MLDSA65PrivateKey.generate)
    spec: str = "ML_DSA_65"
    arn: str = ARN
    failing: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, model: Any, params: dict[str, Any], **_: Any) -> Any:
        if self.failing:
            response = AWSResponse("https://kms", 400, HTTPHeaders(), None)
            return response, {"Error": {"Code": self.failing, "Message": "no"}, "ResponseMetadata": {}}
        asked = json.loads(params["body"])
        self.asked.append(asked)
        found = {"GetPublicKey": self._public, "Sign": self._sign}[model.name](asked)
        report = ParamValidator().validate(found, model.output_shape)
        assert not report.has_errors(), report.generate_report()
        return AWSResponse("https://kms", 200, HTTPHeaders(), None), found

    def _public(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert asked == {"KeyId": ALIAS}
        der = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {"KeyId": self.arn, "PublicKey": der, "KeySpec": self.spec, "KeyUsage": "SIGN_VERIFY"}

    def _sign(self, asked: dict[str, Any]) -> dict[str, Any]:
        mu = base64.b64decode(asked["Message"])
        assert (asked["MessageType"], len(mu)) == ("EXTERNAL_MU", 64)
        assert asked["KeyId"] == self.arn, "the alias may point elsewhere by now"
        return {
            "KeyId": self.arn,
            "Signature": self.private.sign_mu(mu),
            "SigningAlgorithm": asked["SigningAlgorithm"],
        }


@pytest.fixture
def kms(aws: None, settings: Any) -> Iterator[Kms]:
    settings.CHECKPOINT_KMS_KEY = ALIAS
    made, events = Kms(), client("kms").meta.events
    events.register("before-call.kms", made.answer)
    yield made
    events.unregister("before-call.kms", made.answer)


@requirement("D5")
def test_a_key_of_kms_signs_checkpoints_and_is_noted_once_with_its_entry(kms: Kms):
    record(TESTS, FileEvent.READ)
    first = checkpointing.make(actor=SWEEPER).checkpoint
    record(TESTS, FileEvent.READ)
    second = checkpointing.make(actor=SWEEPER).checkpoint
    assert first is not None
    assert second is not None
    assert first.signer == second.signer
    [noted] = store.signers()
    assert (noted.signer_id, noted.wrapped_seed, noted.root_key_id) == (first.signer, b"", f"kms:{ARN}")
    made = [entry for entry in entries_page(limit=50).records if entry.event == "audit.signer_made"]
    assert [entry.detail["root_key_id"] for entry in made] == [f"kms:{ARN}"]
    assert verify().whole


@requirement("D5")
def test_what_kms_signs_is_the_checkpoint_whatever_its_length(kms: Kms):
    arn, public = kms_signing.find(ALIAS)
    ends = {f"{number:03d}": End(10**9, "0" * 64) for number in range(256)}
    made = Checkpoint(number=1, made_at=clock.now(), previous="", ends=ends, public_key=public)
    assert len(made.signed_content()) > 4 * 4096
    signature = kms_signing.signing(arn, public)(made.signed_content())
    read = Checkpoint.of(made.as_object(signature), number=1)
    assert read.body() == made.body()
    assert read.ends == ends


@requirement("D5", "E7")
def test_the_platforms_own_signer_and_that_of_kms_follow_each_other_and_both_count(kms: Kms, settings: Any):
    settings.CHECKPOINT_KMS_KEY = ""
    record(TESTS, FileEvent.READ)
    own = checkpointing.make(actor=SWEEPER).checkpoint
    settings.CHECKPOINT_KMS_KEY = ALIAS
    record(TESTS, FileEvent.READ)
    of_kms = checkpointing.make(actor=SWEEPER).checkpoint
    settings.CHECKPOINT_KMS_KEY = ""
    record(TESTS, FileEvent.READ)
    again = checkpointing.make(actor=SWEEPER).checkpoint
    assert own is not None
    assert of_kms is not None
    assert again is not None
    assert own.signer == again.signer != of_kms.signer
    assert verify().whole


@requirement("D5")
def test_a_signature_that_does_not_fit_is_not_kept(kms: Kms, monkeypatch: pytest.MonkeyPatch):
    record(TESTS, FileEvent.READ)
    other = MLDSA65PrivateKey.generate()
    monkeypatch.setattr(
        kms, "_sign", lambda asked: {"Signature": other.sign_mu(base64.b64decode(asked["Message"]))}
    )
    with pytest.raises(kms_signing.SigningKeyUnavailable, match="does not verify"):
        checkpointing.make(actor=SWEEPER)
    assert list(bucket.slots()) == []


@requirement("D5")
def test_a_key_of_another_kind_is_refused_by_name(kms: Kms):
    kms.private, kms.spec = generate_private_key(65537, 2048), "RSA_2048"
    with pytest.raises(kms_signing.SigningKeyUnavailable, match="RSA_2048"):
        signers.current(actor=TESTS)
    assert store.signers() == []


@requirement("D5")
@pytest.mark.parametrize("code", ["DisabledException", "AccessDeniedException", "NotFoundException"])
def test_where_kms_refuses_no_checkpoint_is_made_and_it_says_why(kms: Kms, code: str):
    record(TESTS, FileEvent.READ)
    kms.failing = code
    with pytest.raises(kms_signing.SigningKeyUnavailable, match=code):
        checkpointing.make(actor=SWEEPER)
    assert list(bucket.slots()) == []
