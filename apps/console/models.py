"""What the console shows of records that live in DynamoDB: models without a table."""

from typing import Any, NoReturn, Self

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import ObjectDoesNotExist
from django.db import models


class NotInTheDatabase(ObjectDoesNotExist):
    """Somebody asked the relational database for a record that is kept in DynamoDB."""


class ElsewhereManager(models.Manager["DisplayModel"]):
    """Explains itself instead of sending SQL to a table that does not exist."""

    def get_queryset(self) -> NoReturn:
        raise NotInTheDatabase(
            f"{self.model.__name__} names what the console shows; its records are read through the app's services."
        )


class DisplayModel(models.Model):
    """Names the fields, their labels and the permissions of a record; holds one record while a page is made.

    Only what a model names crosses over from the record. Key material has no field, so no page can show it (I2).
    """

    objects = ElsewhereManager()
    viewer: AbstractBaseUser | AnonymousUser  # who looks: a link is made only to what they may open

    class Meta:
        abstract = True
        managed = False
        default_permissions = ("view",)
        base_manager_name = "objects"

    def __str__(self) -> str:
        return str(self.pk)

    def save(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise NotInTheDatabase("Records are changed by the app's services, with their audit entry.")

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise NotInTheDatabase("Records are changed by the app's services, with their audit entry.")

    @classmethod
    def of(cls, record: object, **computed: Any) -> Self:
        """The record's fields of the same names; ``computed`` for those that it has under no such name."""
        names = [field.name for field in cls._meta.concrete_fields]
        return cls(**{name: computed[name] if name in computed else getattr(record, name) for name in names})
