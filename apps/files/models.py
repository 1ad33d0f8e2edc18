"""What the console shows of files and messages."""

from django.db import models

from apps.console.models import DisplayModel


class File(DisplayModel):
    """A file's record; of its envelope only what says how it was made."""

    file_id = models.CharField("file", max_length=64, primary_key=True)
    name = models.CharField(max_length=1024)
    document_type = models.CharField("type", max_length=64)
    owner = models.CharField(max_length=128)
    status = models.CharField(max_length=32)
    uploaded_at = models.DateTimeField()
    encrypted_at = models.DateTimeField(null=True)
    attributes = models.JSONField()
    media_type = models.CharField(max_length=255)
    size = models.BigIntegerField(null=True)
    ciphertext_size = models.BigIntegerField(null=True)
    source = models.JSONField("upload location")
    body = models.JSONField("ciphertext location")
    envelope_header = models.JSONField("envelope")
    suite = models.CharField(max_length=64, null=True)  # noqa: DJ001 - as in the record
    pool_key_id = models.CharField("pool key", max_length=64, null=True)  # noqa: DJ001 - as in the record
    quantum_key_id = models.CharField("quantum key", max_length=128, null=True)  # noqa: DJ001 - as in the record
    version = models.IntegerField(null=True)
    document_id = models.CharField("document", max_length=64)
    storage_class = models.CharField(max_length=32, null=True)  # noqa: DJ001 - as in the record
    expires_at = models.DateTimeField("deleted at", null=True)
    shred_after = models.DateTimeField("shredded after", null=True)
    damage = models.TextField(null=True)  # noqa: DJ001 - as in the record
    reason = models.TextField(null=True)  # noqa: DJ001 - as in the record

    class Meta(DisplayModel.Meta):
        verbose_name = "file"
        permissions = [
            ("write_file", "Can upload, archive, delete and restore file"),
            ("shred_file", "Can shred deleted file before its window ends"),
            ("decrypt_file", "Can decrypt and download file"),
            ("share_file", "Can share file"),
        ]


class Message(DisplayModel):
    """What the platform keeps of a message, or of a batch: which keys it needs, and who sealed it."""

    quantum_key_id = models.CharField("quantum key", max_length=128, primary_key=True)
    message_id = models.CharField("message", max_length=64)
    kind = models.CharField(max_length=32)
    owner = models.CharField("sealed by", max_length=128)
    sealed_at = models.DateTimeField("sealed")
    session_id = models.CharField("session", max_length=64)
    pool_key_id = models.CharField("pool key", max_length=64)

    class Meta(DisplayModel.Meta):
        verbose_name = "message"
