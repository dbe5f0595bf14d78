"""The bases of every model that travels between rooms. Nothing else belongs here."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """An immutable value that travels between rooms; unknown fields are ignored, so a newer sender may add some."""

    model_config = ConfigDict(frozen=True)


class Declared(BaseModel):
    """An immutable value that a person wrote; unknown fields are refused, so a typing mistake is found."""

    model_config = ConfigDict(frozen=True, extra="forbid")
