"""What the trail records about files and messages."""

from apps.audit.records import Event


class FileEvent(Event):
    """Entries about one file."""

    REGISTERED = "file.registered", "An upload was announced."
    ENCRYPTED = (
        "file.encrypted",
        "A file was encrypted; the version of its plaintext that is named is removed from the uploads.",
    )
    REJECTED = "file.rejected", "An upload was refused or given up."
    SURPLUS_REMOVED = (
        "upload.surplus_removed",
        "A further object under an upload's address was removed; only the first is taken.",
    )
    ENCRYPTION_CANCELLED = (
        "file.encryption_cancelled",
        "An upload's encryption was cancelled; its plaintext is kept for a day.",
    )
    REWRAPPED = "file.rewrapped", "A file's envelope moved to another pool key; its body stayed."
    REENCRYPTED = "file.reencrypted", "A file was re-encrypted: envelope and body."
    READ = "file.read", "A file's content was read."
    KEY_RELEASED = "file.key_released", "A client was given the key of one file, to decrypt it itself."
    PACKAGE_GIVEN = "file.package_given", "A file's envelope and the URL of its ciphertext were given out."
    DESCRIBED = "file.described", "A file's name, type, attributes or lifetime were changed."
    DELETED = "file.deleted", "A file was deleted; it can be restored until it is shredded."
    RESTORED = "file.restored", "A deleted file was restored."
    SHREDDED = "file.shredded", "A file's keys and bodies were erased for good."
    REPLACED = (
        "file.replaced",
        "A new version took a document's place, its plaintext is removed from the uploads; the old one is kept.",
    )
    ARCHIVED = "file.archived", "A file moved to cold storage."
    RECALLED = "file.recalled", "A file came back from cold storage."
    BODY_MISSING = "body.missing", "A file's body is not where its record says, or not whole."
    BODY_FOUND = (
        "body.found",
        "A file's record names its body where it lies by now: the bucket was brought back from a copy.",
    )
    DAMAGED = "file.damaged", "A check found that a body does not open, or is not what its client said."
    CHECKED = "file.checked", "A body that its client encrypted was read to its end."
    BODY_REMOVED = "body.removed", "A body that no file refers to was removed."
    PARTS_JOINED = "upload.parts_joined", "The parts of an upload are joined."
    COPY_REMOVED = "download.removed", "A decrypted copy whose URL has ended is removed."
    REENCRYPTING = "file.reencrypting", "A file is opened to be re-encrypted."
    UNFINISHED = "file.unfinished", "A body that its client encrypted was refused when it was to be finished."


class MessageEvent(Event):
    """Entries about one message."""

    ENCRYPTED = (
        "message.encrypted",
        "A message, or a batch of them, was encrypted, and the packages handed back.",
    )
    DATA_KEY_MADE = "data_key.made", "A data key was made, and handed out with its package."
    REPEATED = "message.repeated", "An encryption was answered once more, for a retry of its request."
    REWRAPPED = "message.rewrapped", "A message's envelope was moved to another pool key."
    READ = "message.read", "A message was decrypted."


# Functions that write without an entry of their own, and why. docs/recorded.md shows them.
UNRECORDED = {
    "apps.files.bodies.copying.copy": "Writes ciphertext for a caller whose change of the record is recorded.",
    "apps.files.bodies.copying._copy_in_parts": "Likewise.",
    "apps.files.bodies.objects.remove": "Each caller records first, or is named here.",
    "apps.files.uploads.attempts.Attempt.give_up": "Removes a body that nothing refers to; the end of its reservation has an entry.",
    "apps.files.bodies.objects.abort": "Parts of an upload that never became a file.",
    "apps.files.bodies.orphans.remove": "The change that made the body an orphan is recorded, with its place and reason.",
    "apps.files.bodies.writer.ObjectWriter._hand_over": "Writes ciphertext for a caller whose change of the record is recorded.",
    "apps.files.bodies.writer.ObjectWriter._finish": "Likewise.",
    "apps.files.life.archive._go_on": "Carries out a move that is recorded: the file's record says that it is on its way.",
    "apps.files.life.archive._remove_others": "Removes the body that a recorded move has left behind.",
    "apps.files.life.archive._is_thawed": "Asks S3 for what the recorded recall asked for.",
    "apps.files.store.look_again": "Says when the sweep looks at a recorded move again; the row's tag stays.",
    "apps.files.life.sweeping._abort_before": "Parts of uploads that never became a file.",
    "apps.files.uploads.announce.begin_parts": "`file.registered` announced the upload; nothing is there until parts arrive.",
    "apps.files.uploads.giving_up.give_up": "Its entry is that of the transition, `file.rejected`.",
}
