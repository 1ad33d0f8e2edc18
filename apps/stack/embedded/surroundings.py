"""What ministack reads from the environment when it is imported."""

import os
from pathlib import Path


def set_up() -> None:
    """Set it, and make the folder of the state, for its owner only. Must precede every import of ministack."""
    os.umask(0o077)
    state = Path(os.environ["STATE_DIR"]).resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    state.chmod(0o700)
    os.environ.update(
        STATE_DIR=str(state),
        S3_DATA_DIR=str(state / "s3"),
        PERSIST_STATE="1",
        S3_PERSIST="1",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        DOCKER_HOST="unix:///nonexistent",  # it would look for containers to remove
    )
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    # Others can run code or open ports. The proof of deployment asks for what it needs.
    os.environ.setdefault("SERVICES", "dynamodb,dynamodbstreams,s3,sqs,sns,sts")
