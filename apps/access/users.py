"""Users of the console: persons as Django signs them in."""

import unicodedata
import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models, transaction

from apps.access.trail import UserEvent
from apps.audit.records import system

ACCOUNTS = system("accounts")  # forms and commands of Django's; the admin's own entry says who


def username_key(username: str) -> str:
    """What two names that a person takes for one have in common: NFKC, then case folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


class UserByKeyManager(UserManager["User"]):
    """Finds users whatever the case of the name that was typed."""

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username_key=username_key(username or ""))


class User(AbstractUser):
    """A person at the console. The id never changes, so that a renamed person stays the same one in the trail.

    What decides (role, right to approve, disabled) stands in the person's principal record, not here.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username_key = models.CharField(max_length=450, unique=True, editable=False)

    objects: ClassVar[UserByKeyManager] = UserByKeyManager()

    class Meta(AbstractUser.Meta):
        verbose_name, verbose_name_plural = "person", "people"
        permissions = [("see_every_owner", "Can see the records of every owner")]

    def clean(self) -> None:
        super().clean()
        self.username_key = username_key(self.username)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the user; that a password was set is recorded, whatever form or command set it, or it is not saved."""
        self.username_key = username_key(self.username)
        self.email = self.email.lower()  # as allauth looks for it
        sets_password = getattr(self, "_password", None) is not None and not self._state.adding
        with transaction.atomic():
            super().save(*args, **kwargs)
            if sets_password:
                from apps.audit.services import record  # noqa: PLC0415 - models are loaded by every cold start

                record(ACCOUNTS, UserEvent.PASSWORD_SET, user=self.principal_id)

    @property
    def principal_id(self) -> str:
        """Who the person is as an actor and owner."""
        return f"user:{self.pk}"
