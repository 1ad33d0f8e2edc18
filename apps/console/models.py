"""Display models without a table: the fields that the console shows of records in DynamoDB."""

from typing import Any, NoReturn, Self

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import ObjectDoesNotExist
from django.db import models


class NotInTheDatabase(ObjectDoesNotExist):
    """Code asked the relational database for a record that lives in DynamoDB."""


class ElsewhereManager(models.Manager["DisplayModel"]):
    """Raise an explanation instead of sending SQL to a table that does not exist."""

    def get_queryset(self) -> NoReturn:
        raise NotInTheDatabase(
            f"{self.model.__name__} has no table. Read its records through the app's services."
        )


class DisplayModel(models.Model):
    """Names the fields, their labels and the permissions of a record; holds one record while a page is made.

    Only what a model names crosses over from the record. Key material has no field, so no page can show it (I2).
    """

    objects = ElsewhereManager()
    viewer: AbstractBaseUser | AnonymousUser  # the user who looks: links lead only to what they may open

    class Meta:
        abstract = True
        managed = False
        default_permissions = ("view",)
        base_manager_name = "objects"

    def __str__(self) -> str:
        return str(self.pk)

    def save(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise NotInTheDatabase(
            "This record has no table. Change it through the app's services, which also write the audit entry."
        )

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise NotInTheDatabase(
            "This record has no table. Change it through the app's services, which also write the audit entry."
        )

    @classmethod
    def of(cls, record: object, **computed: Any) -> Self:
        """Copy the record's fields of the same names; ``computed`` gives those that the record lacks."""
        names = [field.name for field in cls._meta.concrete_fields]
        return cls(**{name: computed[name] if name in computed else getattr(record, name) for name in names})
